//! What becomes of a service when what its log and its greeting are written to fails, or is never read.

use std::{
    fs::{self, File},
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    path::PathBuf,
    process::{Child, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, kill_process},
};

use super::scene::{home, proc, said};
use crate::server::{Client, Home, read_until};

const DROPPED: &str = "osapi_log_records_dropped_total";

/// A pipe into which nothing more fits.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

/// A service that is killed with the test.
struct Service(Child);

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a service whose address is in a line of its output that begins with this word.
fn client_of(home: &Home, mut said: impl Read, word: &str) -> Client {
    let (mut text, mut next) = (String::new(), [0]);
    while !text.contains(word) || !text.ends_with('\n') {
        assert_eq!(said.read(&mut next).unwrap(), 1, "{text}");
        text.push(char::from(next[0]));
    }
    let (_, rest) = text.rsplit_once(word).unwrap();
    let address = rest.trim_start().trim_start_matches("http://").split([' ', '/', '\n']).next().unwrap();
    Client::new(&format!("http://{address}"), &home.token("admin"))
}

#[test]
fn a_service_whose_log_has_lost_its_reader_goes_on_and_counts_what_it_could_not_say() {
    let home = home();
    let (reader, writer) = pipe().unwrap();
    let mut child = home.command(&["start"]).stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let service = Service(child);
    let client = client_of(&home, stdout, "API");
    assert_eq!(client.metrics().value(DROPPED, &[]), Some(0.0));
    // As `osapi start 2>&1 | tee` has it when its reader ends: nothing reads the log from here on, nor the greeting.
    drop(reader);
    for lost in 1..=3 {
        service.signal(Signal::HUP);
        while client.metrics().value(DROPPED, &[]) != Some(f64::from(lost)) {}
    }
    assert_eq!(said(&client, "echo it runs commands"), "it runs commands\n");
    service.signal(Signal::TERM);
    let mut service = service;
    assert_eq!(service.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_whose_log_is_never_read_starts_works_and_stops() {
    let home = home();
    let (_reader, writer) = full_pipe();
    let mut child = home.command(&["start"]).stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let mut service = Service(child);
    let client = client_of(&home, stdout, "API");
    for _ in 0..10 {
        service.signal(Signal::HUP);
    }
    assert_eq!(said(&client, "echo it runs commands"), "it runs commands\n");
    service.signal(Signal::TERM);
    assert_eq!(service.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_whose_greeting_is_never_read_starts_works_and_stops() {
    let home = home();
    let (_reader, writer) = full_pipe();
    let (log, into_log) = pipe().unwrap();
    let child = home.command(&["start"]).stdout(writer).stderr(into_log).spawn().unwrap();
    let mut service = Service(child);
    let client = client_of(&home, log, "address=");
    assert_eq!(said(&client, "echo it runs commands"), "it runs commands\n");
    service.signal(Signal::TERM);
    assert_eq!(service.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_on_a_full_disk_says_how_much_it_lacks_when_there_is_room_again() {
    let home = home();
    fs::create_dir(home.path("small")).unwrap();
    let script = "mount -t tmpfs -o size=64k tmpfs small && exec \"$0\" start 2> small/log";
    let server = home.start_by(&["unshare", "--map-root-user", "--mount", "sh", "-c", script]);
    let client = Client::new(server.url(), &home.token("admin"));
    let small = |name: &str| -> PathBuf {
        format!("/proc/{}/root{}", server.pid().as_raw_nonzero(), home.path("small").join(name).display()).into()
    };
    read_until(&small("log"), |log| log.contains("ready"));
    // Room for nothing: the rest of the last page that the log has is taken by the log itself.
    let mut ballast = File::create(small("ballast")).unwrap();
    while ballast.write(&[0; 1024]).is_ok() {}
    let dropped = || client.metrics().value(DROPPED, &[]).unwrap();
    while dropped() < 3.0 {
        server.signal(Signal::HUP);
    }
    assert_eq!(said(&client, "echo it runs commands"), "it runs commands\n");
    drop(ballast);
    fs::remove_file(small("ballast")).unwrap();
    server.signal(Signal::HUP);
    read_until(&small("log"), |log| log.contains("log records were dropped"));
    let log = fs::read_to_string(small("log")).unwrap();
    let told: f64 = log.rsplit_once("records=").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(told, dropped(), "{log}");
    assert!(
        log.lines().all(|line| !line.contains("SIGHUP") || line.matches("INFO").count() == 1),
        "no line in another"
    );
    assert!(proc(server.pid().as_raw_nonzero(), "status").contains("osapi"));
    assert_eq!(server.stop().code(), Some(0));
}
