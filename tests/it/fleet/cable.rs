//! A connection to the server that can be cut: what is under way then stays there until it is whole again.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// The cable of one process.
pub(super) struct Cable {
    /// Where the process finds the server.
    pub(super) url: String,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    cut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        drop(self.changed.wait_while(self.cut.lock().unwrap(), |cut| *cut).unwrap());
    }
}

impl Cable {
    /// To the server at this address.
    pub(super) fn lay(to: &str) -> Self {
        let to = to.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let gate = Arc::<Gate>::default();
        let own = Arc::clone(&gate);
        thread::spawn(move || {
            for near in listener.incoming() {
                // What connects meanwhile waits like everything else.
                let (Ok(near), gate) = (near, Arc::clone(&own)) else { return };
                let to = to.clone();
                thread::spawn(move || {
                    gate.pass();
                    let Ok(far) = TcpStream::connect(&to) else { return };
                    let (back_from, back_to, back_gate) =
                        (far.try_clone().unwrap(), near.try_clone().unwrap(), Arc::clone(&gate));
                    thread::spawn(move || pump(back_from, back_to, &back_gate));
                    pump(near, far, &gate);
                });
            }
        });
        Self { url, gate }
    }

    pub(super) fn cut(&self) {
        *self.gate.cut.lock().unwrap() = true;
    }

    pub(super) fn mend(&self) {
        *self.gate.cut.lock().unwrap() = false;
        self.gate.changed.notify_all();
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.mend();
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut bytes = vec![0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        gate.pass();
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    // The other direction has nobody to speak to any more.
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
