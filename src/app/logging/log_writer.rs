//! The thread that writes the log. It is the only one that waits for a reader that does not read.

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use super::log_queue::LogQueue;

/// Between two attempts to write to what another process has made non-blocking, and is full.
const AGAIN: Duration = Duration::from_millis(10);

/// Starts the thread. It ends with the process.
pub(super) fn start(queue: Arc<LogQueue>, out: impl Write + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("log".to_owned()).spawn(move || run(&queue, out)).map(drop)
}

fn run(queue: &LogQueue, mut out: impl Write) {
    // Whether the last line ends in its middle.
    let mut torn = false;
    loop {
        let next = queue.next();
        match write(&mut out, &next.line, &mut torn) {
            Ok(()) => queue.tell(),
            Err(_) => queue.failed(&next),
        }
    }
}

fn write(out: &mut impl Write, line: &[u8], torn: &mut bool) -> io::Result<()> {
    if *torn {
        write_all(out, b"\n", torn)?;
        *torn = false;
    }
    write_all(out, line, torn)
}

fn write_all(out: &mut impl Write, mut bytes: &[u8], torn: &mut bool) -> io::Result<()> {
    let whole = bytes.len();
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(AGAIN),
            Err(error) => {
                *torn |= bytes.len() < whole;
                return Err(error);
            }
        }
    }
    Ok(())
}
