//! A connection between a queue and its server that can be cut and torn.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What a connection is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Whole,
    /// What is under way stays there until it is whole again.
    Cut,
    /// Both ends know that it is gone, and there is no new one.
    Torn,
}

/// A connection to the server, and what it is like.
pub(super) struct Cable {
    pub(super) url: String,
    state: Arc<watch::Sender<State>>,
    /// Held by each direction of each connection.
    pumps: Arc<watch::Sender<usize>>,
}

impl Cable {
    pub(super) async fn lay(to: String) -> Self {
        let to = to.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let state = Arc::new(watch::Sender::new(State::Whole));
        let mut gate = state.subscribe();
        let pumps = Arc::new(watch::Sender::new(0));
        let counted = Arc::clone(&pumps);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if gate.wait_for(|state| *state != State::Torn).await.is_err() {
                    return;
                }
                let Ok(far) = TcpStream::connect(&to).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                for (from, to) in [(near_in, far_out), (far_in, near_out)] {
                    counted.send_modify(|count| *count += 1);
                    let (gate, counted) = (gate.clone(), Arc::clone(&counted));
                    tokio::spawn(async move {
                        pump(from, to, gate).await;
                        counted.send_modify(|count| *count -= 1);
                    });
                }
            }
        });
        Self { url, state, pumps }
    }

    /// Loses what is under way with all connections, and is whole again.
    pub(super) async fn tear(&self) {
        self.becomes(State::Torn);
        self.pumps.subscribe().wait_for(|count| *count == 0).await.unwrap();
        self.becomes(State::Whole);
    }

    pub(super) fn becomes(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) {
    let mut bytes = vec![0; 16_384];
    let mut torn = state.clone();
    let through = async {
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            if state.wait_for(|state| *state == State::Whole).await.is_err()
                || to.write_all(&bytes[..length]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = through => {}
        _ = torn.wait_for(|state| *state == State::Torn) => {}
    }
}
