//! An example for every body.

use serde_json::{Value, json};

use crate::domain::OperationKind;

const ID: &str = "01900000-0000-7000-8000-000000000001";
const CREATED: &str = "2026-01-02T03:04:05.000006Z";
const STARTED: &str = "2026-01-02T03:04:05.000789Z";
const FINISHED: &str = "2026-01-02T03:04:05.012345Z";

/// An example of the schema with this name; none for one that is no body.
pub(super) fn example_of(schema: &str) -> Option<Value> {
    let of_operation = OperationKind::ALL.into_iter().find(|kind| schema == format!("{}Results", kind.type_name()));
    if let Some(kind) = of_operation {
        return Some(json!({
            "job_id": ID,
            "status": "completed",
            "results": [{ "hostname": "web-1", "status": "completed", "data": result(kind) }],
        }));
    }
    Some(match schema {
        "NewJob" => json!({
            "operation": { "type": "network.ping", "data": { "address": "192.0.2.1", "count": 3 } },
            "target": "group:web",
            "timeout_seconds": 30,
        }),
        "NewRetry" => json!({ "target": "web-2" }),
        "CommandInput" => json!({ "command": ["/usr/bin/uptime", "--pretty"], "timeout_seconds": 10 }),
        "Ping" => json!({ "address": "192.0.2.1", "count": 3, "timeout_seconds": 5 }),
        "DnsChangeBody" => json!({ "servers": ["192.0.2.53", "2001:db8::53"], "search_domains": ["example.com"] }),
        "Job" => job(),
        "JobPage" => json!({ "items": [summary()], "next_cursor": "01900000000070008000000000000001" }),
        "Stats" => json!({
            "by_status": { "completed": 41, "queued": 1 },
            "by_operation": { "node.memory.get": 42 },
            "queue": { "depth": 1, "oldest_age_seconds": 0.25 },
            "ledger": { "created": 1042, "by_terminal_status": { "completed": 1040, "failed": 1 } },
        }),
        "Worker" => worker(),
        "WorkerList" => json!({ "items": [worker()] }),
        "Alive" => json!({ "status": "ok" }),
        "Readiness" => json!({ "ready": true, "components": [{ "name": "queue", "up": true }] }),
        "Report" => json!({
            "version": "0.1.0",
            "uptime_seconds": 86_400.5,
            "ready": true,
            "components": [{ "name": "queue", "up": true }],
            "queue": {
                "backend": "embedded",
                "durability": "power_loss",
                "figures": { "depth": 1, "oldest_age_seconds": 0.25 },
            },
            "workers_connected": 1,
        }),
        _ => return None,
    })
}

fn summary() -> Value {
    json!({
        "id": ID,
        "operation": { "type": "node.memory.get" },
        "target": "web-1",
        "status": "completed",
        "created_at": CREATED,
        "started_at": STARTED,
        "finished_at": FINISHED,
        "deadline_at": "2026-01-02T04:04:05.000006Z",
        "cancel_requested_at": null,
        "created_by": "operator",
        "retried_from": null,
    })
}

fn job() -> Value {
    let mut job = summary();
    job["executions"] = json!([{
        "operation": "node.memory.get",
        "worker": "web-1",
        "status": "completed",
        "attempt": 1,
        "started_at": STARTED,
        "finished_at": FINISHED,
        "duration_seconds": 0.012,
        "result": result(OperationKind::NodeMemoryGet),
        "error": null,
    }]);
    job["timeline"] = json!([
        { "at": CREATED, "event": "created", "worker": null, "message": null },
        { "at": STARTED, "event": "started", "worker": "web-1", "message": null },
        { "at": FINISHED, "event": "completed", "worker": "web-1", "message": null },
    ]);
    job
}

fn worker() -> Value {
    json!({
        "hostname": "web-1",
        "labels": { "group": "web.dev" },
        "state": "ready",
        "slots": 10,
        "slots_used": 1,
        "version": "0.1.0",
        "commands_enabled": false,
        "started_at": CREATED,
        "last_heartbeat_at": FINISHED,
        "clock_offset_seconds": 0.002,
    })
}

/// What an operation returns.
fn result(kind: OperationKind) -> Value {
    let os =
        || json!({ "distribution": "Debian GNU/Linux", "version": "13", "kernel": "6.12.0", "architecture": "x86_64" });
    let load = || json!({ "load1": 0.5, "load5": 0.25, "load15": 0.1, "cpus": 4 });
    let memory = || {
        json!({
            "total_bytes": 8_589_934_592_u64,
            "available_bytes": 6_442_450_944_u64,
            "used_bytes": 2_147_483_648_u64,
            "free_bytes": 4_294_967_296_u64,
            "cached_bytes": 2_147_483_648_u64,
            "swap_total_bytes": 0,
            "swap_used_bytes": 0,
        })
    };
    let disks = || {
        json!([{
            "mount_point": "/",
            "filesystem": "ext4",
            "total_bytes": 107_374_182_400_u64,
            "used_bytes": 32_212_254_720_u64,
            "available_bytes": 69_793_218_560_u64,
        }])
    };
    let dns = || json!({ "servers": ["192.0.2.53"], "search_domains": ["example.com"], "source": "resolved" });
    match kind {
        OperationKind::NodeHostnameGet => json!({ "hostname": "web-1", "labels": { "group": "web.dev" } }),
        OperationKind::NodeStatusGet => json!({
            "hostname": "web-1",
            "os": os(),
            "uptime_seconds": 86_400.5,
            "load": load(),
            "memory": memory(),
            "disks": disks(),
            "errors": [],
        }),
        OperationKind::NodeUptimeGet => json!({ "uptime_seconds": 86_400.5 }),
        OperationKind::NodeOsGet => os(),
        OperationKind::NodeLoadGet => load(),
        OperationKind::NodeMemoryGet => memory(),
        OperationKind::NodeDiskGet => json!({ "disks": disks() }),
        OperationKind::NetworkDnsGet => dns(),
        OperationKind::NetworkDnsUpdate => {
            let mut changed = dns();
            changed["changed"] = json!(true);
            changed
        }
        OperationKind::NetworkPing => json!({
            "sent": 3,
            "received": 3,
            "loss_ratio": 0.0,
            "min_seconds": 0.0011,
            "avg_seconds": 0.0012,
            "max_seconds": 0.0014,
        }),
        OperationKind::CommandExec => json!({
            "exit_code": 0,
            "stdout": "up 1 day\n",
            "stdout_encoding": "utf8",
            "stdout_truncated": false,
            "stderr": "",
            "stderr_encoding": "utf8",
            "stderr_truncated": false,
            "duration_seconds": 0.004,
        }),
    }
}
