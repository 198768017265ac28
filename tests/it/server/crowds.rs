//! Many clients at a real server: what they cannot take from the others.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::json;

use super::{Client, Home};

/// Starts a server that may open so few files, with a client that may do everything.
fn serve_with(home: &Home, files: usize) -> (super::Running, Client) {
    let start = format!("ulimit -n {files}; exec \"$0\" start");
    let server = home.start_by(&["/bin/sh", "-c", &start]);
    let client = Client::new(server.url(), &home.token("admin"));
    (server, client)
}

#[test]
fn idle_connections_leave_files_for_new_clients_and_for_jobs() {
    let home = Home::new().with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/sh");
    let (server, client) = serve_with(&home, 256);
    let address = server.url().strip_prefix("http://").unwrap();
    let idle: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..3 {
        let exec = json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", "exit 0"] } });
        let job = client.submit(&exec, "_any", &[("prefer", "wait=30")]);
        assert_eq!(job["status"], "completed", "{job}");
    }
    let page = client.metrics();
    let closed = page.value("osapi_limits_refused_total", &[("limit", "connections")]).unwrap();
    assert!(closed > 200.0, "{closed}");
    assert!(page.value("process_open_fds", &[]).unwrap() < 200.0);
    assert_eq!(client.get("/health").status, 200);
    assert!(!server.log().contains("cannot accept"), "{}", server.log());
    drop(idle);
}

#[test]
fn a_client_that_only_reads_after_it_has_sent_all_gets_its_answers() {
    let home = Home::new();
    let (server, client) = home.serve();
    let address = server.url().strip_prefix("http://").unwrap();
    let token = home.token("write");
    let body = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    for number in 0..20 {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nPrefer: wait=30\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 ") && answer.contains("completed"), "{number}: {answer}");
    }
    assert_eq!(client.stats()["ledger"]["created"], 20);
}
