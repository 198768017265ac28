//! A server that takes small messages only: output is cut so that it fits, and a job that does not is refused.

use serde_json::json;

use super::scene::Fleet;
use crate::queue::nats_server::NatsServer;

#[test]
fn output_is_cut_to_what_the_server_takes_and_a_job_beyond_is_refused() {
    let fleet = Fleet::on(NatsServer::with("jetstream { store_dir: STORE }\nmax_payload: 64KB"));
    let (api, _worker) = (fleet.api(), fleet.worker("web-1"));
    api.sees(&["web-1"]);
    let command = |text: &str| json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", text] } });
    let write = command("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2");
    let job = api.client.submit(&write, "web-1", &[("prefer", "wait=30")]);
    assert_eq!(job["status"], "completed", "{job}");
    let result = &job["executions"][0]["result"];
    assert_eq!((&result["stdout_truncated"], &result["stderr_truncated"]), (&json!(true), &json!(true)));
    let kept = result["stdout"].as_str().unwrap().len();
    assert!(kept > 8_000 && kept < 32_000, "{kept}");

    let large = json!({ "operation": command(&format!(": {}", "x".repeat(100_000))), "target": "web-1" });
    let refused = api.client.post("/api/v1/jobs", &large).problem(413);
    assert!(refused.get("job_id").is_none(), "{refused}");
    assert_eq!(api.client.stats()["ledger"]["created"], 1);
}
