//! What clients send makes no series.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
};

use super::Home;

/// Connections, and requests on each.
const CONNECTIONS: usize = 4;
const REQUESTS: usize = 2_500;

/// Sends hostile requests one after the other and reads every answer.
fn send_all(address: &str, connection: usize) {
    let stream = TcpStream::connect(address).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut requests = &stream;
    for number in 0..REQUESTS {
        let word = format!("word-{connection}-{number}");
        let method = ["GET", "POST", "DELETE", "BREW", "GETS"][number % 5].to_owned() + &"X".repeat(number % 7);
        let path = match number % 6 {
            0 => format!("/{word}"),
            1 => format!("/api/v1/jobs/{word}"),
            2 => format!("/api/v1/nodes/{word}/load"),
            3 => format!("/api/v1/workers/{word}/drain"),
            4 => format!("/metrics?{word}"),
            _ => format!("/api/v1/{word}/%22%5C%0A%E2%80%8B"),
        };
        let mut head = String::new();
        write!(head, "{method} {path} HTTP/1.1\r\nhost: {word}.example\r\nuser-agent: {word}\r\n").unwrap();
        write!(head, "authorization: Bearer {word}\r\ncontent-length: 0\r\n\r\n").unwrap();
        requests.write_all(head.as_bytes()).unwrap();
        let mut length = 0;
        for line in answers.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.parse().unwrap();
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
}

#[test]
fn ten_thousand_hostile_requests_add_no_more_than_a_handful_of_series_and_none_of_their_words() {
    let home = Home::new();
    let (server, client) = home.serve();
    let before = client.metrics().len();
    let address = server.url().strip_prefix("http://").unwrap();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            scope.spawn(move || send_all(address, connection));
        }
    });
    let text = client.get("/metrics").body;
    assert!(!text.contains("word-"), "a client's word is on the page");
    let page = client.metrics();
    assert!(page.sum("http_server_request_total") >= 10_000.0);
    // Methods, routes and statuses that occurred, with the buckets of those that are timed; of 10,000 sets of words.
    assert!(page.len() - before < 1_000, "{} series more", page.len() - before);
    assert_eq!(page.overflowed(), [""; 0]);
    let routes = page.samples("http_server_request_total").map(|sample| sample.labels["http_route"].clone());
    let known = ["unmatched", "/metrics", "/api/v1/jobs/{id}", "/api/v1/nodes/{target}/load"];
    for route in routes {
        assert!(known.contains(&route.as_str()) || route == "/api/v1/workers/{hostname}/drain", "{route}");
    }
}
