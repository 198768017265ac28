//! A wire to a NATS server that remembers what went over it towards the server, and what a list of subjects allows.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// Subjects that were published to, and those that were subscribed.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub(super) published: BTreeSet<String>,
    pub(super) subscribed: BTreeSet<String>,
}

/// The wire. Its ends close with the processes that use it.
pub(super) struct Wire {
    pub(super) url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Wire {
    pub(super) fn to(url: &str) -> Self {
        let far = url.strip_prefix("nats://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, heard) = (format!("nats://{}", listener.local_addr().unwrap()), Arc::<Mutex<Heard>>::default());
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&far) else { continue };
                let (mut back, mut answers) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || io::copy(&mut answers, &mut back));
                let noted = Arc::clone(&noted);
                thread::spawn(move || {
                    // Whoever is gone is gone for the server too.
                    let _ = note(near, &far, &noted);
                    let _ = far.shutdown(Shutdown::Both);
                });
            }
        });
        Self { url, heard }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Hands on what a client says, and notes the subjects.
fn note(near: TcpStream, mut far: &TcpStream, heard: &Mutex<Heard>) -> io::Result<()> {
    let mut near = BufReader::new(near);
    loop {
        let mut line = Vec::new();
        if near.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["PUB" | "HPUB", subject, .., length] => {
                let mut payload = vec![0; length.parse::<usize>().unwrap() + 2];
                near.read_exact(&mut payload)?;
                line.extend(payload);
                heard.lock().unwrap_or_else(PoisonError::into_inner).published.insert(subject.to_owned());
            }
            ["SUB", subject, ..] => {
                heard.lock().unwrap_or_else(PoisonError::into_inner).subscribed.insert(subject.to_owned());
            }
            _ => {}
        }
        far.write_all(&line)?;
    }
}

/// Whether a subject is among those that a pattern stands for.
pub(super) fn allows(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => return false,
        }
    }
}

/// What a user may `publish` or `subscribe` by the server's configuration.
pub(super) fn allowed(configuration: &str, user: &str, verb: &str) -> Vec<String> {
    let (_, of_user) = configuration.split_once(&format!("user: {user}\n")).unwrap();
    let (_, list) = of_user.split_once(&format!("{verb}: [")).unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let lines = list.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn a_pattern_allows_what_a_server_would() {
    for (pattern, subject, allowed) in [
        ("a.b", "a.b", true),
        ("a.*", "a.b", true),
        ("a.*", "a.b.c", false),
        ("a.>", "a.b.c", true),
        ("a.>", "a", false),
        ("a.*.c", "a.b.c", true),
        ("a.b", "a.b.c", false),
    ] {
        assert_eq!(allows(pattern, subject), allowed, "{pattern} {subject}");
    }
    let list = allowed("x { user: u\n publish: [ \"a\", \"b\"\n # \"c\"\n \"d\" ] }", "u", "publish");
    assert_eq!(list, ["a", "b", "d"]);
}
