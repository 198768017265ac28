//! The names of streams, subjects and consumers. Host names become subject tokens here and nowhere else.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{Hostname, Idempotency, JobId};

/// The slot of an execution that any worker may claim.
pub(super) const ANY: &str = "_any";

/// What a subject of the state stream is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// The record of a job, or that it was removed.
    Job(JobId),
    /// The state of an execution: job and slot.
    Execution(JobId, String),
    /// The end of a job of several executions.
    Done(JobId),
    /// That somebody asked to cancel the job.
    Cancel(JobId),
    /// What jobs add to the ledger that are removed without a trace.
    Ledger,
    /// Whether this host drains.
    Draining(String),
    /// Nothing: it takes room.
    Ballast,
}

/// The names of one installation.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// With this prefix, when it can be one.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let fits = (1..=32).contains(&prefix.len())
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self { prefix: prefix.to_owned() })
    }

    pub(super) fn state_stream(&self) -> String {
        format!("{}-state", self.prefix)
    }

    pub(super) fn work_stream(&self) -> String {
        format!("{}-work", self.prefix)
    }

    pub(super) fn workers_stream(&self) -> String {
        format!("{}-workers", self.prefix)
    }

    pub(super) fn keys_stream(&self) -> String {
        format!("{}-keys", self.prefix)
    }

    /// All streams.
    pub(super) fn streams(&self) -> [String; 4] {
        [self.state_stream(), self.work_stream(), self.workers_stream(), self.keys_stream()]
    }

    /// The stream that keeps a subject of this installation.
    pub(super) fn stream_of(&self, subject: &str) -> String {
        let rest = subject.strip_prefix(&self.prefix).unwrap_or(subject);
        format!("{}-{}", self.prefix, rest.split('.').nth(1).unwrap_or_default())
    }

    /// Everything in the stream of this kind: `state`, `work`, `workers` or `keys`.
    pub(super) fn all_of(&self, kind: &str) -> String {
        format!("{}.{kind}.>", self.prefix)
    }

    pub(super) fn job(&self, id: JobId) -> String {
        format!("{}.state.job.{id}.record", self.prefix)
    }

    pub(super) fn execution(&self, id: JobId, slot: &str) -> String {
        format!("{}.state.job.{id}.execution.{}", self.prefix, token(slot))
    }

    pub(super) fn done(&self, id: JobId) -> String {
        format!("{}.state.job.{id}.done", self.prefix)
    }

    pub(super) fn cancel(&self, id: JobId) -> String {
        format!("{}.state.job.{id}.cancel", self.prefix)
    }

    /// Everything about a job.
    pub(super) fn all_of_job(&self, id: JobId) -> String {
        format!("{}.state.job.{id}.>", self.prefix)
    }

    pub(super) fn ledger(&self) -> String {
        format!("{}.state.ledger", self.prefix)
    }

    pub(super) fn ballast(&self) -> String {
        format!("{}.state.ballast", self.prefix)
    }

    pub(super) fn draining(&self, hostname: &Hostname) -> String {
        format!("{}.state.draining.{}", self.prefix, token(hostname.as_str()))
    }

    /// Where hints for an execution go.
    pub(super) fn work(&self, slot: &str, needs_commands: bool) -> String {
        match (slot, needs_commands) {
            (ANY, false) => format!("{}.work.any.plain", self.prefix),
            (ANY, true) => format!("{}.work.any.commands", self.prefix),
            _ => format!("{}.work.host.{}", self.prefix, token(slot)),
        }
    }

    /// The durable consumer of a work subject.
    pub(super) fn work_consumer(slot: &str, needs_commands: bool) -> String {
        match (slot, needs_commands) {
            (ANY, false) => "any-plain".to_owned(),
            (ANY, true) => "any-commands".to_owned(),
            _ => format!("host-{}", token(slot)),
        }
    }

    pub(super) fn worker(&self, hostname: &Hostname) -> String {
        format!("{}.workers.host.{}", self.prefix, token(hostname.as_str()))
    }

    pub(super) fn beat(&self, session: Uuid) -> String {
        format!("{}.workers.session.{}", self.prefix, session.simple())
    }

    /// Where a process hears what concerns it at once. Not in any stream.
    pub(super) fn control(&self, session: Uuid) -> String {
        format!("{}.control.{}", self.prefix, session.simple())
    }

    /// Where a process is asked whether an instance of a worker lives in it.
    pub(super) fn alive(&self, session: Uuid) -> String {
        format!("{}.alive.{}", self.prefix, session.simple())
    }

    /// Where the answer to a question of a process comes.
    pub(super) fn answer(&self, session: Uuid, number: u64) -> String {
        format!("{}.answer.{}.{number}", self.prefix, session.simple())
    }

    /// Where all answers to questions of a process come.
    pub(super) fn answers(&self, session: Uuid) -> String {
        format!("{}.answer.{}.*", self.prefix, session.simple())
    }

    /// Below which answers of the server to a process come. Apart for the two kinds of processes, so that neither can be allowed to
    /// hear what the other one asked for.
    pub(super) fn inbox(&self, serves: bool) -> String {
        format!("{}.inbox.{}", self.prefix, if serves { "api" } else { "worker" })
    }

    /// Where a key's record is. A digest, because keys hold characters that subjects cannot.
    pub(super) fn key(&self, digest: &str) -> String {
        format!("{}.keys.{digest}", self.prefix)
    }

    /// The subject of the state stream read back.
    pub(super) fn about(&self, subject: &str) -> Option<About> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".state.")?;
        let parts: Vec<&str> = rest.split('.').collect();
        let job = |id: &str| id.parse::<JobId>().ok();
        match parts[..] {
            ["job", id, "record"] => job(id).map(About::Job),
            ["job", id, "done"] => job(id).map(About::Done),
            ["job", id, "cancel"] => job(id).map(About::Cancel),
            ["job", id, "execution", slot] => Some(About::Execution(job(id)?, slot_of(slot))),
            ["ledger"] => Some(About::Ledger),
            ["ballast"] => Some(About::Ballast),
            ["draining", host] => Some(About::Draining(slot_of(host))),
            _ => None,
        }
    }

    /// The session that a subject of the workers stream is the sign of life of.
    pub(super) fn session_of(&self, subject: &str) -> Option<Uuid> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".workers.session.")?;
        Uuid::try_parse(rest).ok()
    }
}

/// The digest of an idempotency key and the subject that it is private to.
pub(super) fn digest(idempotency: &Idempotency) -> String {
    let mut hasher = Sha256::new();
    // The length keeps (`ab`, `c`) and (`a`, `bc`) apart.
    hasher.update(idempotency.subject.len().to_be_bytes());
    hasher.update(&idempotency.subject);
    hasher.update(idempotency.key.as_str());
    format!("{:x}", hasher.finalize())
}

/// A slot as one token: dots separate tokens, and `_` never is in a hostname (RFC 1123), so it stands for the dot.
fn token(slot: &str) -> String {
    slot.replace('.', "_")
}

fn slot_of(token: &str) -> String {
    if token == ANY { ANY.to_owned() } else { token.replace('_', ".") }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex};

    use super::*;

    fn names() -> Names {
        Names::new("osapi").expect("a prefix")
    }

    fn id() -> JobId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id")
    }

    #[test]
    fn subjects_read_back() {
        for (subject, about) in [
            (names().job(id()), About::Job(id())),
            (names().execution(id(), ANY), About::Execution(id(), ANY.to_owned())),
            (names().done(id()), About::Done(id())),
            (names().cancel(id()), About::Cancel(id())),
            (names().ledger(), About::Ledger),
            (names().ballast(), About::Ballast),
            (names().draining(&"a.b".parse().expect("a hostname")), About::Draining("a.b".to_owned())),
        ] {
            assert_eq!(names().about(&subject), Some(about));
        }
        assert_eq!(names().about("other.state.ledger"), None);
        let session = Uuid::from_u128(7);
        assert_eq!(names().session_of(&names().beat(session)), Some(session));
    }

    #[test]
    fn a_subject_belongs_to_one_stream() {
        for (subject, stream) in [
            (names().job(id()), names().state_stream()),
            (names().work(ANY, true), names().work_stream()),
            (names().beat(Uuid::from_u128(7)), names().workers_stream()),
            (names().key("0f"), names().keys_stream()),
        ] {
            assert_eq!(names().stream_of(&subject), stream);
        }
    }

    #[test]
    fn a_prefix_is_one_token() {
        for prefix in ["", "a.b", "a b", "a*", "a>", &"x".repeat(33)] {
            assert!(Names::new(prefix).is_none(), "{prefix:?}");
        }
    }

    #[test]
    fn keys_of_different_subjects_differ() {
        let idempotency = |subject: &str, key: &str| Idempotency {
            subject: subject.to_owned(),
            key: key.parse().expect("a key"),
            fingerprint: crate::domain::RequestFingerprint::of(b""),
        };
        assert_ne!(digest(&idempotency("ab", "c")), digest(&idempotency("a", "bc")));
    }

    proptest! {
        #[test]
        fn host_names_become_tokens_without_collisions(name in string_regex(Hostname::PATTERN.trim_matches(['^', '$'])).expect("valid")) {
            let Ok(host) = name.parse::<Hostname>() else { return Ok(()) };
            let subject = names().execution(id(), host.as_str());
            prop_assert_eq!(names().about(&subject), Some(About::Execution(id(), host.as_str().to_owned())));
        }
    }
}
