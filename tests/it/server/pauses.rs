//! A process that does not run for a while: a machine that is suspended, a virtual one that is moved.

use std::{thread, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use super::Home;

#[test]
fn a_single_machine_that_stands_still_for_longer_than_a_lease_goes_on_with_what_it_runs() {
    let home =
        Home::new().with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/sleep").with("OSAPI_JOB__DEFAULTS__LEASE", "1s");
    let (server, client) = home.serve();
    let sleep = json!({ "type": "command.exec", "data": { "command": ["/bin/sleep", "6"] } });
    let job = client.submit(&sleep, "web-1", &[]);
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    while client.get(&path).expect(200)["status"] != "running" {
        thread::yield_now();
    }
    for _ in 0..2 {
        server.signal(Signal::STOP);
        // How long it stands still is what is tried here.
        thread::sleep(Duration::from_millis(1_800));
        server.signal(Signal::CONT);
        let workers = client.get("/api/v1/workers").expect(200);
        assert_eq!(workers["items"].as_array().unwrap().len(), 1, "{workers}");
        thread::sleep(Duration::from_millis(400));
    }
    let ended = client.ended(job["id"].as_str().unwrap());
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["executions"][0]["attempt"], 1);
}
