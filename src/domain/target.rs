//! Where a job shall run, and which hosts that means at the moment of acceptance.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Hostname, LabelSelector, OperationKind, Slot, Worker};

/// `_any`, `_all`, a hostname, or a label selector `key:value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Exactly one worker, whichever is free first.
    Any,
    /// Every connected worker.
    All,
    /// The worker with this hostname.
    Host(Hostname),
    /// Every connected worker that the selector matches.
    Label(LabelSelector),
}

/// The text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected _any, _all, a hostname or a label such as group:web")]
pub struct InvalidTarget;

/// The target cannot be served now; nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No connected worker matches.
    #[error("no connected worker matches the target")]
    NoMatch,
    /// No matching worker runs commands.
    #[error("no connected worker in the target runs commands")]
    CommandsDisabled,
}

impl Target {
    /// What targets look like, as a regular expression of ECMA-262; greatest lengths are not in it.
    pub const PATTERN: &str = r"^(_any|_all|[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*|[A-Za-z0-9_-]{1,63}:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$";

    /// The executions that a job with this target consists of, given the connected `workers`.
    ///
    /// Draining workers count: the operator sees their executions wait instead of missing them silently. `_any` waits for
    /// a worker to come when the operation can run everywhere.
    ///
    /// # Errors
    /// [`TargetError`] when no worker matches, or none of those that match runs commands and the operation needs one.
    pub fn resolve(&self, operation: OperationKind, workers: &[Worker]) -> Result<Vec<Slot>, TargetError> {
        let matched = || workers.iter().filter(|worker| self.matches(worker));
        let able = || matched().filter(|worker| worker.commands_enabled || !operation.needs_commands());
        match self {
            Self::Any if operation.needs_commands() && able().next().is_none() => Err(TargetError::CommandsDisabled),
            Self::Any => Ok(vec![Slot::Any]),
            _ if matched().next().is_none() => Err(TargetError::NoMatch),
            _ if able().next().is_none() => Err(TargetError::CommandsDisabled),
            _ => Ok(matched().map(|worker| Slot::Host(worker.hostname.clone())).collect()),
        }
    }

    fn matches(&self, worker: &Worker) -> bool {
        match self {
            Self::Any | Self::All => true,
            Self::Host(hostname) => worker.hostname == *hostname,
            Self::Label(selector) => selector.matches(&worker.labels),
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "_any" => Ok(Self::Any),
            "_all" => Ok(Self::All),
            _ if text.contains(':') => text.parse().map(Self::Label).map_err(|_| InvalidTarget),
            _ => text.parse().map(Self::Host).map_err(|_| InvalidTarget),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("_any"),
            Self::All => f.write_str("_all"),
            Self::Host(hostname) => hostname.fmt(f),
            Self::Label(selector) => selector.fmt(f),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = InvalidTarget;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex};

    use super::*;
    use crate::domain::{InstanceId, Labels, WorkerState};
    use jiff::Timestamp;

    fn worker(hostname: &str, group: &str) -> Worker {
        Worker {
            hostname: hostname.parse().expect("valid hostname"),
            instance: InstanceId(uuid::Uuid::nil()),
            labels: Labels::try_from(std::collections::BTreeMap::from([("group".to_owned(), group.to_owned())]))
                .expect("valid labels"),
            state: WorkerState::Ready,
            slots: 1,
            slots_used: 0,
            version: "0".to_owned(),
            commands_enabled: false,
            started_at: Timestamp::UNIX_EPOCH,
            last_heartbeat_at: Timestamp::UNIX_EPOCH,
            clock_offset: jiff::SignedDuration::ZERO,
        }
    }

    fn resolve(target: &str, workers: &[Worker]) -> Result<Vec<String>, TargetError> {
        resolve_for(OperationKind::NodeHostnameGet, target, workers)
    }

    fn resolve_for(operation: OperationKind, target: &str, workers: &[Worker]) -> Result<Vec<String>, TargetError> {
        let target: Target = target.parse().expect("valid target");
        let slots = target.resolve(operation, workers)?;
        Ok(slots.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn targets_read_back_as_they_were_written() {
        for text in ["_any", "_all", "web-01", "web-01.example", "group:web.dev"] {
            assert_eq!(text.parse::<Target>().expect("valid target").to_string(), text);
        }
        for text in ["", "_none", "a b", "group:", ":x", "-h", "a/b"] {
            assert_eq!(text.parse::<Target>(), Err(InvalidTarget), "{text:?}");
        }
    }

    #[test]
    fn any_is_one_execution_even_without_a_worker() {
        assert_eq!(resolve("_any", &[]), Ok(vec!["_any".to_owned()]));
        assert_eq!(resolve("_any", &[worker("a", "web"), worker("b", "web")]), Ok(vec!["_any".to_owned()]));
    }

    #[test]
    fn all_hostnames_and_labels_are_the_matching_workers() {
        let workers = [worker("a", "web"), worker("b", "web.dev"), worker("c", "db")];
        assert_eq!(resolve("_all", &workers), Ok(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(resolve("group:web", &workers), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(resolve("B", &workers), Ok(vec!["b".into()]));
    }

    #[test]
    fn a_target_that_matches_nobody_is_refused() {
        for target in ["_all", "x", "group:mail"] {
            let workers: &[Worker] = if target == "_all" { &[] } else { &[worker("a", "web")] };
            assert_eq!(resolve(target, workers), Err(TargetError::NoMatch), "{target}");
        }
    }
    #[test]
    fn a_command_is_refused_where_no_worker_in_the_target_runs_commands() {
        let plain = |hostname, group| worker(hostname, group);
        let able = |hostname, group| Worker { commands_enabled: true, ..worker(hostname, group) };
        let none: Vec<Worker> = Vec::new();
        let disabled = vec![plain("a", "web"), plain("b", "db")];
        let mixed = vec![plain("a", "web"), able("b", "db"), able("c", "web")];
        let (no_match, refused) = (Err(TargetError::NoMatch), Err(TargetError::CommandsDisabled));
        let hosts = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        #[rustfmt::skip]
        let table = [
            // Target,      no workers,      none runs commands, some do.
            ("_any",      [refused.clone(),  refused.clone(),    hosts(&["_any"])]),
            ("_all",      [no_match.clone(), refused.clone(),    hosts(&["a", "b", "c"])]),
            ("a",         [no_match.clone(), refused.clone(),    refused.clone()]),
            ("b",         [no_match.clone(), refused.clone(),    hosts(&["b"])]),
            ("x",         [no_match.clone(), no_match.clone(),   no_match.clone()]),
            ("group:web", [no_match.clone(), refused.clone(),    hosts(&["a", "c"])]),
            ("group:db",  [no_match.clone(), refused.clone(),    hosts(&["b"])]),
            ("group:x",   [no_match.clone(), no_match.clone(),   no_match.clone()]),
        ];
        for (target, expected) in table {
            let resolved =
                [&none, &disabled, &mixed].map(|workers| resolve_for(OperationKind::CommandExec, target, workers));
            assert_eq!(resolved, expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn what_the_pattern_describes_is_a_target(text in string_regex(Target::PATTERN.trim_matches(['^', '$'])).expect("valid")) {
            // Greatest lengths are not in the pattern.
            prop_assert!(text.len() > 63 || text.parse::<Target>().is_ok(), "{text}");
        }
    }
}
