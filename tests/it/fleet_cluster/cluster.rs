//! Three NATS servers that replicate to one another.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, Context, stream::Info};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::queue::nats_server::program;

pub(super) const PATIENCE: Duration = Duration::from_mins(1);
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Of the installation whose prefix is `osapi`.
pub(super) const STREAMS: [&str; 4] = ["osapi-state", "osapi-work", "osapi-workers", "osapi-keys"];

/// The servers. They end with the test.
pub(super) struct Cluster {
    directory: TempDir,
    nodes: [Option<Child>; 3],
}

/// Servers of a cluster must know one another's addresses before they start, so no port can be any free one. Every test
/// process has loopback addresses of its own instead.
fn address(node: usize) -> String {
    let id = process::id();
    // Three bytes hold the 22 bits that process ids have at most, and the two of the node.
    format!("127.{}.{}.{}", (id >> 14) & 0xff, (id >> 6) & 0xff, ((id << 2) & 0xff) as usize + node + 1)
}

impl Cluster {
    /// Starts all of them, and waits until they have a leader.
    pub(super) async fn start() -> Self {
        let mut cluster = Self { directory: tempfile::tempdir().unwrap(), nodes: [const { None }; 3] };
        for node in 0..3 {
            cluster.start_node(node);
        }
        let context = Self::context().await;
        let begun = Instant::now();
        while context.query_account().await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "the servers have no leader");
            sleep(LOOK_AGAIN).await;
        }
        cluster
    }

    /// Where they listen, in the configuration's spelling.
    pub(super) fn urls() -> String {
        [0, 1, 2].map(|node| format!("nats://{}:4222", address(node))).join(",")
    }

    pub(super) fn start_node(&mut self, node: usize) {
        let store = self.directory.path().join(format!("store-{node}"));
        let routes = [0, 1, 2].map(|node| format!("\"nats://{}:6222\"", address(node))).join(", ");
        let own = address(node);
        let file = self.directory.path().join(format!("node-{node}.conf"));
        let configuration = format!(
            "server_name: n{node}\nlisten: \"{own}:4222\"\njetstream {{ store_dir: \"{}\" }}\n\
             cluster {{ name: osapi, listen: \"{own}:6222\", routes: [{routes}] }}\n",
            store.display()
        );
        fs::write(&file, configuration).unwrap();
        let mut child = Command::new(program())
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`make nats-server` fetches the server");
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let ready = said.by_ref().any(|line| line.contains("Server is ready"));
        assert!(ready, "node {node} did not start");
        thread::spawn(move || said.for_each(drop));
        self.nodes[node] = Some(child);
    }

    /// Ends one at once.
    pub(super) fn kill_node(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(super) async fn context() -> Context {
        let servers: Vec<String> = Self::urls().split(',').map(str::to_owned).collect();
        jetstream::new(async_nats::connect(servers).await.unwrap())
    }

    /// The streams, once every one of them has so many copies and all of these are up to date.
    pub(super) async fn until_copies(copies: usize) {
        let context = Self::context().await;
        let current = |info: &Info| {
            let followers = info.cluster.as_ref().filter(|cluster| cluster.leader.is_some()).map(|cluster| {
                cluster.replicas.iter().filter(|follower| follower.current && !follower.offline).count()
            });
            info.config.num_replicas == copies && followers == Some(copies - 1)
        };
        let begun = Instant::now();
        for stream in STREAMS {
            loop {
                let found = context.get_stream(stream).await;
                if found.as_ref().is_ok_and(|stream| current(stream.cached_info())) {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{stream} has no {copies} copies: {found:?}");
                sleep(LOOK_AGAIN).await;
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..3 {
            self.kill_node(node);
        }
    }
}
