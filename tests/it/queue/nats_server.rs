//! A real NATS server with a store of its own, which a test may kill, stop and start again.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The server. It ends with the test.
pub(crate) struct NatsServer {
    directory: TempDir,
    settings: String,
    port: u16,
    process: Option<Child>,
}

/// Where `make nats-server` puts it, or the one of the system.
pub(crate) fn program() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/nats-server");
    if made.exists() { made } else { PathBuf::from("nats-server") }
}

impl NatsServer {
    /// Starts one with JetStream.
    pub(crate) fn start() -> Self {
        Self::with("jetstream { store_dir: STORE }")
    }

    /// Starts one with these settings; `STORE` in them becomes its directory.
    pub(crate) fn with(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self { directory, settings: String::new(), port: 0, process: None };
        server.restart_with(settings);
        server
    }

    /// Starts it again with these settings.
    pub(crate) fn restart_with(&mut self, settings: &str) {
        self.settings = self.configured(settings);
        self.restart();
    }

    /// Settings in which `STORE` is its directory.
    fn configured(&self, settings: &str) -> String {
        settings.replace("STORE", &format!("\"{}\"", self.directory.path().join("store").display()))
    }

    /// Starts it again, at the same port, over the same store.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let file = self.directory.path().join("nats.conf");
        fs::write(&file, format!("{}\nlisten: \"127.0.0.1:{port}\"\n", self.settings)).unwrap();
        let mut process = Command::new(program())
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`make nats-server` fetches the server");
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut everything = String::new();
        loop {
            let Some(Ok(line)) = said.next() else { panic!("the server did not start:\n{everything}") };
            if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                self.port = address.rsplit(':').next().unwrap().parse().unwrap();
            }
            if line.contains("Server is ready") {
                break;
            }
            everything.push_str(&line);
            everything.push('\n');
        }
        // Somebody has to read what it says, or it would wait for that.
        thread::spawn(move || said.for_each(drop));
        self.process = Some(process);
    }

    /// Ends it at once, as a power cut would. What it acknowledged is with the operating system.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// What it stores now. It is away for a moment.
    pub(crate) fn snapshot(&mut self) -> TempDir {
        self.kill();
        let copy = tempfile::tempdir().unwrap();
        copy_all(&self.directory.path().join("store"), &copy.path().join("store"));
        self.restart();
        copy
    }

    /// Goes on with what it stored then.
    pub(crate) fn restore(&mut self, snapshot: &TempDir) {
        self.kill();
        let store = self.directory.path().join("store");
        fs::remove_dir_all(&store).unwrap();
        copy_all(&snapshot.path().join("store"), &store);
        self.restart();
    }

    /// Sends it a signal, while it runs.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    /// Where it listens, as long as it runs.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Says what a server of that version says, and answers the first question of each client.
pub(crate) fn old_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let info = r#"{"server_id":"A","version":"2.9.10","go":"go1","host":"h","port":1,"headers":true,"max_payload":1048576,"proto":1,"client_id":1,"jetstream":true}"#;
            write!(stream, "INFO {info}\r\n").unwrap();
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines().map_while(Result::ok).filter(|line| line == "PING") {
                assert_eq!(line, "PING");
                if stream.write_all(b"PONG\r\n").is_err() {
                    break;
                }
            }
        }
    });
    url
}
