//! The two outputs of a program: taken from their pipes as fast as they come, so that no full pipe blocks it.
//!
//! How much of them is kept does not belong here.

use std::{
    io,
    os::fd::OwnedFd,
    process::{ChildStderr, ChildStdout},
};

use tokio::{net::unix::pipe::Receiver, task::coop::consume_budget};

use super::captured_output::{CapturedOutput, WrittenOutput};

/// Bytes taken at once.
const CHUNK: usize = 32 * 1024;

/// Standard output and standard error.
pub(super) struct OutputStreams {
    stdout: OutputStream,
    stderr: OutputStream,
}

impl OutputStreams {
    pub(super) fn new(stdout: ChildStdout, stderr: ChildStderr, kept: usize) -> io::Result<Self> {
        let (stdout, stderr) = (OutputStream::new(stdout.into(), kept)?, OutputStream::new(stderr.into(), kept)?);
        Ok(Self { stdout, stderr })
    }

    /// Takes all that is written, until nobody is left who could write more. May be dropped and called again.
    pub(super) async fn drain(&mut self) {
        tokio::join!(self.stdout.drain(), self.stderr.drain());
    }

    /// From here on, an output that has not ended yet does not end as its program wanted.
    pub(super) fn interrupt(&mut self) {
        self.stdout.interrupted |= self.stdout.pipe.is_some();
        self.stderr.interrupted |= self.stderr.pipe.is_some();
    }

    /// What was taken: standard output, then standard error.
    pub(super) fn write(self) -> (WrittenOutput, WrittenOutput) {
        let write = |stream: OutputStream| stream.captured.write(stream.interrupted);
        (write(self.stdout), write(self.stderr))
    }
}

struct OutputStream {
    /// None once it has ended.
    pipe: Option<Receiver>,
    captured: CapturedOutput,
    interrupted: bool,
    chunk: Box<[u8]>,
}

impl OutputStream {
    fn new(pipe: OwnedFd, kept: usize) -> io::Result<Self> {
        let pipe = Some(Receiver::from_owned_fd(pipe)?);
        let chunk = vec![0; CHUNK].into_boxed_slice();
        Ok(Self { pipe, captured: CapturedOutput::new(kept), interrupted: false, chunk })
    }

    async fn drain(&mut self) {
        while let Some(pipe) = &self.pipe {
            let read = match pipe.readable().await {
                Ok(()) => pipe.try_read(&mut self.chunk),
                Err(error) => Err(error),
            };
            match read {
                Ok(1..) => self.captured.push(&self.chunk[..read.unwrap_or_default()]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => self.pipe = None,
            }
            // A flood must not keep other work from this thread.
            consume_budget().await;
        }
    }
}
