//! Several installations on one server.

use serde_json::json;

use super::installation::{at, named, start_api, start_worker};
use crate::queue::nats_server::NatsServer;

#[test]
fn two_installations_on_one_server_do_not_see_each_other() {
    let server = NatsServer::start();
    let home = |prefix: &str| at(&server.url()).with("OSAPI_JOB__QUEUE__NATS__PREFIX", prefix);
    let installed: Vec<_> = ["osapi", "osapi-2"]
        .map(|prefix| {
            // The same name is taken in each of them.
            (start_api(home(prefix)), start_worker(named(home(prefix), "web-1")))
        })
        .into();
    for (api, _) in &installed {
        api.sees(&["web-1"]);
    }
    let read = json!({ "type": "node.uptime.get" });
    let mut ids = Vec::new();
    for _ in 0..3 {
        let key = [("prefer", "wait=30"), ("idempotency-key", "k")];
        let job = installed[0].0.client.submit(&read, "_all", if ids.is_empty() { &key } else { &key[..1] });
        assert_eq!((&job["status"], job["executions"].as_array().unwrap().len()), (&json!("completed"), 1));
        ids.push(job["id"].as_str().unwrap().to_owned());
    }
    let job = installed[1].0.client.submit(&read, "_all", &[("prefer", "wait=30"), ("idempotency-key", "k")]);
    assert_eq!(job["status"], "completed", "its key is its own");
    for (index, created) in [(0, 3), (1, 1)] {
        let stats = installed[index].0.client.stats();
        assert_eq!(stats["ledger"]["created"], created);
    }
    installed[1].0.client.get(&format!("/api/v1/jobs/{}", ids[0])).problem(404);
}
