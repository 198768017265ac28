//! What becomes of lines when what they are written to fails, blocks, or recovers.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{
    install::lines_of,
    log_queue::{CAPACITY, LogQueue},
    log_writer,
};

/// Takes as many bytes of each write as it is told, or fails where it is told nothing.
struct Sink {
    takes: Receiver<Option<usize>>,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.takes.recv() {
            Ok(Some(most)) => {
                let taken = most.min(bytes.len());
                self.text.lock().expect("not poisoned").extend(&bytes[..taken]);
                Ok(taken)
            }
            Ok(None) | Err(_) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Scene {
    queue: Arc<LogQueue>,
    /// Lets one write happen.
    allow: SyncSender<Option<usize>>,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Scene {
    /// Lines of this thread and of the writer's own go to a sink.
    fn new() -> Self {
        let (allow, takes) = sync_channel(0);
        let (queue, text) = (Arc::new(LogQueue::default()), Arc::default());
        let lines = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(lines_of(&queue));
        tracing::subscriber::set_global_default(lines.finish()).expect("each test has a process of its own");
        log_writer::start(Arc::clone(&queue), Sink { takes, text: Arc::clone(&text) }).expect("a thread");
        Self { queue, allow, text }
    }

    fn whole(&self) {
        self.allow.send(Some(usize::MAX)).expect("it writes");
    }

    fn fail(&self) {
        self.allow.send(None).expect("it writes");
    }

    fn written(&self) -> String {
        self.queue.wait_until_written(Duration::from_mins(1));
        String::from_utf8(self.text.lock().expect("not poisoned").clone()).expect("UTF-8")
    }

    fn dropped(&self) -> u64 {
        self.queue.dropped().load(Ordering::Relaxed)
    }
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_told_of_when_it_works_again() {
    let scene = Scene::new();
    for line in 1..=3 {
        tracing::info!("line {line}");
        scene.fail();
    }
    tracing::info!("line 4");
    scene.whole();
    // The line that tells of the others cannot be written at first.
    scene.fail();
    tracing::info!("line 5");
    scene.whole();
    scene.whole();
    let written = scene.written();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 3, "{written}");
    assert!(lines[0].ends_with("line 4") && lines[1].ends_with("line 5"), "{written}");
    assert!(lines[2].contains("log records were dropped") && lines[2].ends_with("records=3"), "{written}");
    assert_eq!(scene.dropped(), 3);
}

#[test]
fn a_line_that_was_cut_does_not_run_into_the_next_one() {
    let scene = Scene::new();
    tracing::info!("line 1");
    scene.allow.send(Some(3)).expect("it writes");
    scene.fail();
    tracing::info!("line 2");
    for _ in 0..3 {
        scene.whole();
    }
    let written = scene.written();
    let lines: Vec<&str> = written.lines().map(str::trim).collect();
    assert!(lines[0].len() <= 3, "{written}");
    assert!(lines[1].ends_with("line 2") && lines[2].contains("records=1"), "{written}");
}

#[test]
fn logging_never_waits_and_what_finds_no_room_is_counted() {
    let scene = Scene::new();
    let line = "x".repeat(CAPACITY / 8);
    // Nothing is written meanwhile.
    for _ in 0..20 {
        tracing::info!("{line}");
    }
    let dropped = scene.dropped();
    assert!((11..=13).contains(&dropped), "{dropped}");
    // The first one is written, then the line that tells of the others, which needs no room.
    scene.whole();
    scene.whole();
    for _ in 0..20 - dropped - 1 {
        scene.whole();
    }
    let written = scene.written();
    assert!(written.lines().nth(1).is_some_and(|line| line.ends_with(&format!("records={dropped}"))));
    assert_eq!(written.lines().count() as u64, 20 - dropped + 1);
}
