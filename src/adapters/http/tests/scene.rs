//! The mocks behind an application, which expect no call until a test says so, and values for them to answer with.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    adapters::http::{App, HttpParts, HttpSettings, api},
    domain::{
        Caller, Execution, ExecutionStatus, InstanceId, Job, JobId, JobStatus, JobSummary, Labels, Operation,
        OperationKind, QueueStats, ResultDocument, Scope, TimelineEntry, TimelineEvent, Worker, WorkerState,
    },
    ports::{
        driven::{AuthError, Authenticator, HttpMetrics, MockAuthenticator},
        driving::{Jobs, MockHealth, MockJobs, MockScrape, MockWorkers, Submitted},
    },
};

/// An application before it is put together. A call that no test expects panics, and is answered with 500.
pub(super) struct Scene {
    pub(super) settings: HttpSettings,
    pub(super) jobs: MockJobs,
    pub(super) workers: MockWorkers,
    pub(super) health: MockHealth,
    pub(super) scrape: Option<MockScrape>,
    pub(super) metrics: Option<Arc<dyn HttpMetrics>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            settings: HttpSettings::default(),
            jobs: MockJobs::new(),
            workers: MockWorkers::new(),
            health: MockHealth::new(),
            scrape: None,
            metrics: None,
        }
    }

    pub(super) fn app(mut self) -> App {
        let jobs = std::mem::take(&mut self.jobs);
        self.app_over(Arc::new(jobs))
    }

    /// The application over other jobs than the mocks.
    pub(super) fn app_over(self, jobs: Arc<dyn Jobs>) -> App {
        let parts = HttpParts {
            jobs,
            workers: Arc::new(self.workers),
            health: Arc::new(self.health),
            scrape: self.scrape.map(|scrape| Arc::new(scrape) as _),
            metrics: self.metrics,
            authenticator: authenticator(),
        };
        api(&self.settings, parts)
    }
}

/// Tokens are the words for what they prove.
pub(super) fn authenticator() -> Arc<dyn Authenticator> {
    let mut authenticator = MockAuthenticator::new();
    authenticator.expect_authenticate().returning(|token| match token {
        "read" | "write" | "admin" => Ok(caller(token.parse().expect("a role"))),
        "expired" => Err(AuthError::Expired),
        "forged" => Err(AuthError::Signature),
        "early" => Err(AuthError::NotYetValid),
        "foreign" => Err(AuthError::WrongIssuer),
        _ => Err(AuthError::Malformed),
    });
    Arc::new(authenticator)
}

pub(super) fn caller(scope: Scope) -> Caller {
    Caller { subject: "alice".to_owned(), scope }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

/// The job that all tests are about.
pub(super) const ID: &str = "01900000-0000-7000-8000-000000000001";

pub(super) fn id() -> JobId {
    ID.parse().expect("version 7")
}

pub(super) fn operation(kind: OperationKind) -> Operation {
    Operation::deserialize(kind, &mut serde_json::Deserializer::from_str("{}")).expect("no input")
}

pub(super) fn summary(status: JobStatus) -> JobSummary {
    JobSummary {
        id: id(),
        operation: operation(OperationKind::NodeHostnameGet),
        target: "group:web".parse().expect("a target"),
        status,
        timeout: Duration::from_secs(30),
        created_at: at(0),
        started_at: Some(at(1)),
        finished_at: None,
        deadline_at: at(3600),
        cancel_requested_at: None,
        created_by: "alice".to_owned(),
        retried_from: None,
    }
}

/// A job with one execution that returned, and one that waits.
pub(super) fn job(status: JobStatus) -> Job {
    let waiting = Execution {
        worker: None,
        status: ExecutionStatus::Queued,
        attempt: 0,
        started_at: None,
        finished_at: None,
        duration: None,
        result: None,
        error: None,
    };
    let returned = Execution {
        worker: Some("web-01".parse().expect("a hostname")),
        status: ExecutionStatus::Completed,
        attempt: 1,
        started_at: Some(at(1)),
        finished_at: Some(at(3)),
        duration: Some(Duration::from_secs(2)),
        result: Some(ResultDocument::from_json(r#"{"hostname":"web-01","labels":{}}"#.to_owned()).expect("JSON")),
        ..waiting.clone()
    };
    let created = TimelineEntry { at: at(0), event: TimelineEvent::Created, worker: None, message: None };
    Job { summary: summary(status), executions: vec![returned, waiting], timeline: vec![created] }
}

pub(super) fn submitted(replayed: bool) -> Submitted {
    Submitted { job: job(JobStatus::Running), replayed }
}

pub(super) fn worker(hostname: &str, state: WorkerState) -> Worker {
    let labels = BTreeMap::from([("group".to_owned(), "web.dev".to_owned())]);
    Worker {
        hostname: hostname.parse().expect("a hostname"),
        instance: InstanceId(uuid::Uuid::nil()),
        labels: Labels::try_from(labels).expect("valid labels"),
        state,
        slots: 10,
        slots_used: 4,
        version: "1.2.3".to_owned(),
        commands_enabled: false,
        started_at: at(0),
        last_heartbeat_at: at(60),
        clock_offset: jiff::SignedDuration::from_millis(-1_500),
    }
}

/// Two jobs were ever accepted: one failed, one waits for three seconds.
pub(super) fn stats() -> QueueStats {
    let mut stats = QueueStats { depth: 1, oldest_waiting: Some(Duration::from_secs(3)), ..QueueStats::default() };
    let kind = OperationKind::NodeHostnameGet.index();
    stats.jobs[kind][JobStatus::Queued.index()] = 1;
    stats.jobs[kind][JobStatus::Failed.index()] = 1;
    stats.ledger.created = 2;
    stats.ledger.completed[JobStatus::Failed.index()] = 1;
    stats
}
