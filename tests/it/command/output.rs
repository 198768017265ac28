//! What is kept of the output.

use std::fs;

use osapi::domain::{Output, ResultDocument, operation::command_exec::OutputEncoding};

use super::scene::{Fifo, Running};

/// Of each stream: the beginning, and as much of the end.
const KEPT: usize = 64 * 1024;

/// The most memory that this process ever took, in KiB.
fn peak_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_flood_is_drained_cut_and_marked_at_the_cost_of_its_ends() {
    let before = peak_kib();
    let script = "printf begin; head -c 100000000 /dev/zero | tr '\\0' x; printf end; head -c 100000000 /dev/zero >&2";
    let ended = Running::script(script, &[]).end().await.expect("a flood is no failure");
    assert!(peak_kib() - before < 50_000, "{before} KiB became {} KiB", peak_kib());
    let expected = format!("begin{}end", "x".repeat(2 * KEPT - 8));
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert_eq!((ended.stdout_encoding, ended.stdout_truncated), (OutputEncoding::Utf8, true));
    assert_eq!((ended.stderr_encoding, ended.stderr_truncated), (OutputEncoding::Base64, true));
    let record = ResultDocument::try_from(&Output::CommandExec(ended)).expect("serializes");
    assert!(record.as_json().len() < 1 << 20);
}

#[tokio::test]
async fn exactly_what_fits_is_not_cut() {
    let script = "head -c 131072 /dev/zero | tr '\\0' x; head -c 131073 /dev/zero | tr '\\0' y >&2";
    let ended = Running::script(script, &[]).end().await.expect("it succeeded");
    assert_eq!((ended.stdout.len(), ended.stdout_truncated), (2 * KEPT, false));
    assert_eq!((ended.stderr.len(), ended.stderr_truncated), (2 * KEPT, true));
}

#[tokio::test]
async fn bytes_that_are_no_text_travel_as_base64_and_nul_is_text() {
    let ended = Running::start(&["/usr/bin/printf", "a\\377b"]).end().await.expect("it succeeded");
    assert_eq!((ended.stdout.as_str(), ended.stdout_encoding), ("Yf9i", OutputEncoding::Base64));
    assert_eq!((ended.stderr.as_str(), ended.stderr_encoding), ("", OutputEncoding::Utf8));
    let ended = Running::start(&["/usr/bin/printf", "a\\0b"]).end().await.expect("it succeeded");
    assert_eq!((ended.stdout.as_str(), ended.stdout_encoding), ("a\0b", OutputEncoding::Utf8));
}

#[tokio::test]
async fn a_flood_can_be_stopped() {
    let fifo = Fifo::new();
    let mut said = fifo.listen();
    let running = Running::script("exec 9>\"$1\"; echo $$ >&9; while :; do echo ääää; done", &[fifo.path()]);
    said.line().await;
    running.stop();
    let (_, kept) = running.failure().await;
    assert_eq!((kept.signal, kept.stdout_encoding), (Some(15), OutputEncoding::Utf8));
    said.silence().await;
}

#[tokio::test]
async fn a_character_that_the_stop_cut_is_left_out_and_one_that_the_program_cut_is_not() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = "printf 'a\\303'; exec 9>\"$1\"; echo $$ >&9; read -r x < \"$2\"";
    let running = Running::script(script, &[fifo.path(), never.path()]);
    said.line().await;
    running.stop();
    let (_, kept) = running.failure().await;
    assert_eq!((kept.stdout.as_str(), kept.stdout_truncated), ("a", true));
    let ended = Running::script("printf 'a\\303'", &[]).end().await.expect("it succeeded");
    assert_eq!((ended.stdout.as_str(), ended.stdout_truncated), ("YcM=", false));
}

#[tokio::test]
async fn what_is_kept_reads_back_as_the_same_result() {
    let ended = Running::script("printf 'a\\n\"b'; printf '\\377' >&2", &[]).end().await.expect("it succeeded");
    let record = ResultDocument::try_from(&Output::CommandExec(ended.clone())).expect("serializes");
    assert_eq!(
        serde_json::from_str::<osapi::domain::operation::command_exec::CommandResult>(record.as_json()).unwrap(),
        ended
    );
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(record.as_json()).unwrap();
    assert!(!fields.contains_key("signal") && fields.contains_key("exit_code"), "{fields:?}");
}
