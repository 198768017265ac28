//! How commands end, by themselves and when they must, and that nothing of them is left.

use osapi::domain::FailureKind;

use super::scene::{Fifo, Running, collected};

/// Keeps the fifo open, says that it is there, and waits until it is killed; it knows a fifo that nobody writes to.
const WAIT: &str = "exec 9>\"$1\"; echo $$ >&9; read -r x < \"$2\"";

#[tokio::test]
async fn the_exit_code_and_both_outputs_are_reported() {
    let ended = Running::script("echo out; echo err >&2; exit 0", &[]).end().await.expect("it succeeded");
    assert_eq!((ended.exit_code, ended.signal), (Some(0), None));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));

    let (failure, kept) = Running::script("echo out; echo err >&2; exit 3", &[]).failure().await;
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::ExitStatus, "the command exited with code 3"));
    assert_eq!((kept.exit_code, kept.signal), (Some(3), None));
    assert_eq!((kept.stdout.as_str(), kept.stderr.as_str()), ("out\n", "err\n"));
}

#[tokio::test]
async fn the_signal_that_ended_a_command_is_reported() {
    let (failure, kept) = Running::script("echo out; kill -SEGV $$", &[]).failure().await;
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::ExitStatus, "the command was ended by signal 11")
    );
    assert_eq!((kept.exit_code, kept.signal, kept.stdout.as_str()), (None, Some(11), "out\n"));
}

#[tokio::test]
async fn a_command_that_is_told_to_stop_may_clean_up_and_keeps_its_output() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = "trap 'echo cleaned; exit 7' TERM; exec 9>\"$1\"; echo before; cat \"$2\" & echo $$ >&9; wait";
    let running = Running::script(script, &[fifo.path(), never.path()]);
    let pid = said.line().await;
    running.stop();
    let (failure, kept) = running.failure().await;
    assert_eq!(failure.message, "the command exited with code 7 after it was told to stop");
    assert_eq!((failure.kind, kept.exit_code), (FailureKind::Operation, Some(7)));
    assert_eq!((kept.stdout.as_str(), kept.stdout_truncated), ("before\ncleaned\n", false));
    said.silence().await;
    collected(&pid).await;
}

#[tokio::test]
async fn a_command_that_ends_well_after_it_was_told_to_stop_was_stopped_all_the_same() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = "trap 'exit 0' TERM; exec 9>\"$1\"; cat \"$2\" & echo $$ >&9; wait";
    let running = Running::script(script, &[fifo.path(), never.path()]);
    said.line().await;
    running.stop();
    let (failure, kept) = running.failure().await;
    assert_eq!((failure.kind, kept.exit_code), (FailureKind::Operation, Some(0)));
}

#[tokio::test]
async fn a_command_that_ignores_sigterm_is_killed_with_its_children() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = format!("trap '' TERM; echo before; ({WAIT}) & {WAIT}");
    let running = Running::script(&script, &[fifo.path(), never.path()]);
    let pid = said.line().await;
    said.line().await;
    running.stop();
    let (failure, kept) = running.failure().await;
    assert_eq!(failure.message, "the command was ended by signal 9 after it was told to stop");
    assert_eq!((kept.signal, kept.stdout.as_str()), (Some(9), "before\n"));
    said.silence().await;
    collected(&pid).await;
}

#[tokio::test]
async fn a_command_that_is_halted_can_be_stopped() {
    let fifo = Fifo::new();
    let mut said = fifo.listen();
    let script =
        "(exec 9>\"$1\"; kill -STOP $$; until grep -q ' T ' /proc/$$/stat; do :; done; echo halted >&9) & wait";
    let running = Running::script(script, &[fifo.path()]);
    said.line().await;
    running.stop();
    assert_eq!(running.failure().await.1.signal, Some(15));
    said.silence().await;
}

#[tokio::test]
async fn a_command_whose_run_is_dropped_is_killed_and_collected() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = format!("trap '' TERM; ({WAIT}) & {WAIT}");
    let running = Running::script(&script, &[fifo.path(), never.path()]);
    let pid = said.line().await;
    said.line().await;
    running.task.abort();
    said.silence().await;
    collected(&pid).await;
}

#[tokio::test]
async fn a_run_that_is_dropped_at_any_moment_leaves_nothing() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    // Until all runs were dropped, it is the test that keeps the fifo open.
    let own_end = std::fs::OpenOptions::new().write(true).open(fifo.path()).unwrap();
    let script = format!("trap '' TERM; ({WAIT}) & {WAIT}");
    for moment in 0..60 {
        let running = Running::script(&script, &[fifo.path(), never.path()]);
        for _ in 0..moment * 20 {
            tokio::task::yield_now().await;
        }
        running.task.abort();
    }
    drop(own_end);
    while said.next().await.is_some() {}
}

#[tokio::test]
async fn what_a_command_leaves_in_its_group_neither_delays_its_end_nor_survives_it() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    // The orphan keeps the outputs open as well.
    let script = format!("trap '' TERM; ({WAIT}) & echo $!; cat \"$3\"");
    let go_on = Fifo::new();
    let running = Running::script(&script, &[fifo.path(), never.path(), go_on.path()]);
    said.line().await;
    std::fs::write(go_on.path(), "").unwrap();
    let ended = running.end().await.expect("it succeeded");
    assert_eq!(ended.exit_code, Some(0));
    said.silence().await;
    collected(ended.stdout.trim()).await;
}

#[tokio::test]
async fn the_rest_of_a_pipeline_may_finish_its_output() {
    let (fifo, go_on) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    // The shell is gone, and a moment has passed, when the other end of its pipeline writes.
    let script = "(exec 9>\"$1\"; echo there >&9; until grep -q ' Z ' /proc/$$/stat; do :; done; \
                  for moment in 1 2 3 4 5 6 7 8 9; do cat /proc/self/stat > /dev/null; done; \
                  echo late) & read -r x < \"$2\"";
    let running = Running::script(script, &[fifo.path(), go_on.path()]);
    said.line().await;
    std::fs::write(go_on.path(), "\n").unwrap();
    assert_eq!(running.end().await.expect("it succeeded").stdout, "late\n");
}

#[tokio::test]
async fn who_left_the_group_with_the_outputs_open_does_not_delay_the_end() {
    let (fifo, release) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let script = format!("setsid /bin/sh -c '{WAIT}' sh \"$@\" & echo done; exit 0");
    let running = Running::script(&script, &[fifo.path(), release.path()]);
    said.line().await;
    let ended = running.end().await.expect("it succeeded");
    assert_eq!((ended.stdout.as_str(), ended.stdout_truncated), ("done\n", false));
    // It is out of reach and waits to be released.
    std::fs::write(release.path(), "\n").unwrap();
    said.silence().await;
}

#[tokio::test]
async fn a_command_that_closes_its_outputs_runs_on() {
    let (fifo, go_on) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    let running = Running::script(
        "echo x; exec >&- 2>&-; echo $$ > \"$1\"; read -r x < \"$2\"; exit 4",
        &[fifo.path(), go_on.path()],
    );
    said.line().await;
    assert!(!running.task.is_finished());
    std::fs::write(go_on.path(), "\n").unwrap();
    let (_, kept) = running.failure().await;
    assert_eq!((kept.exit_code, kept.stdout.as_str()), (Some(4), "x\n"));
}

#[tokio::test]
async fn nothing_is_left_of_a_command_that_forks_and_forks() {
    let (fifo, never) = (Fifo::new(), Fifo::new());
    let mut said = fifo.listen();
    // 2^6 processes at the leaves of the tree, all of them deaf to SIGTERM.
    let script = "trap '' TERM; exec 9>\"$1\"; \
                  fork() { if [ \"$2\" = 0 ]; then echo leaf >&9; read -r x < \"$1\"; fi; \
                  [ \"$2\" -gt 0 ] || return; fork \"$1\" $(($2 - 1)) & fork \"$1\" $(($2 - 1)) & wait; }; fork \"$2\" 6";
    let running = Running::script(script, &[fifo.path(), never.path()]);
    for _ in 0..64 {
        assert_eq!(said.line().await, "leaf");
    }
    running.stop();
    assert_eq!(running.failure().await.1.signal, Some(9));
    said.silence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_at_the_same_time_do_not_mix() {
    let running: Vec<_> =
        (0..40_u8).map(|code| Running::script("echo out $1; echo err $1 >&2; exit $1", &[&code.to_string()])).collect();
    for (code, running) in running.into_iter().enumerate() {
        let kept = match running.end().await {
            Ok(ended) => ended,
            Err((_, kept)) => kept.expect("the output is kept"),
        };
        assert_eq!(kept.exit_code.and_then(|code| usize::try_from(code).ok()), Some(code));
        assert_eq!((kept.stdout, kept.stderr), (format!("out {code}\n"), format!("err {code}\n")));
    }
}
