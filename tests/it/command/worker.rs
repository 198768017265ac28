//! Commands as jobs: a queue, a worker and the processes that it runs.

use std::{sync::Arc, time::Duration};

use osapi::{
    adapters::metrics::NoopMetrics,
    app::services::{WorkerParts, WorkerProfile, WorkerService},
    domain::{Effect, ErrorKind, Execution, InstanceId, JobId, JobStatus, Labels, NewJob, OperationKind},
    ports::driven::{Cancelled, Submission},
};
use tokio::{sync::watch, task::JoinHandle};

use super::scene::{Fifo, Listener, collected, executor, operation};
use crate::queue::{
    embedded::Embedded,
    fixture::{Options, Ports, World, hostname},
};

const HOUR: Duration = Duration::from_hours(1);
/// Says that it is there, then waits until it is killed.
const WAIT: &str = "exec 9>\"$1\"; echo before; echo $$ >&9; read -r x < \"$2\"";

/// Length of a lease, as the queue grants it and as the worker renews it.
struct Leases {
    granted: Duration,
    believed: Duration,
}

/// A queue, and the worker of one host that runs the shell.
struct Scene {
    world: World<Embedded>,
    stop: watch::Sender<bool>,
    worker: JoinHandle<()>,
    said: Listener,
    fifos: [Fifo; 2],
    argv: Vec<String>,
}

impl Scene {
    /// The command is a script that knows a fifo to the test and one that nobody writes to.
    async fn new(grace: Duration, script: &str) -> Self {
        Self::with(Leases { granted: HOUR, believed: HOUR }, grace, script).await
    }

    async fn with(leases: Leases, grace: Duration, script: &str) -> Self {
        let world = World::<Embedded>::new(Options { lease: leases.granted, ..Options::default() });
        let Ports { queue, registry } = world.ports();
        let parts = WorkerParts {
            queue,
            registry,
            executor: executor(&["/bin/sh"]),
            metrics: Arc::new(NoopMetrics),
            clock: Arc::clone(&world.clock) as _,
            profile: WorkerProfile {
                hostname: hostname("web-1"),
                instance: InstanceId(uuid::Uuid::nil()),
                labels: Labels::default(),
                slots: 2,
                grace,
                lease: leases.believed,
                version: "0",
            },
        };
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(WorkerService::join(parts).await.unwrap().work(stopped));
        let fifos = [Fifo::new(), Fifo::new()];
        let argv = ["/bin/sh", "-c", script, "sh", fifos[0].path(), fifos[1].path()].map(str::to_owned).to_vec();
        Self { world, stop, worker, said: fifos[0].listen(), fifos, argv }
    }

    async fn submit(&self, timeout: Duration) -> JobId {
        let argv: Vec<&str> = self.argv.iter().map(String::as_str).collect();
        let job = self.world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
        let job = NewJob { operation: operation(&argv), timeout, ..job };
        let id = job.id;
        let submission = Submission { job, effect: Effect::AtMostOnce, idempotency: None };
        self.world.queue().submit(submission).await.unwrap();
        id
    }

    /// The job's status and its execution, once it has ended.
    async fn end(&self, id: JobId) -> (JobStatus, Execution) {
        self.world.end(id).await;
        let job = self.world.queue().job(id).await.unwrap().unwrap();
        (job.summary.status, job.executions[0].clone())
    }
}

fn kind(execution: &Execution) -> Option<ErrorKind> {
    execution.error.as_ref().map(|error| error.kind)
}

/// A field of the recorded result.
fn recorded(execution: &Execution, field: &str) -> serde_json::Value {
    let result = execution.result.as_ref().expect("the output is kept");
    serde_json::from_str::<serde_json::Value>(result.as_json()).unwrap()[field].take()
}

#[tokio::test]
async fn a_cancelled_command_is_killed_and_keeps_what_it_wrote() {
    let mut scene = Scene::new(HOUR, WAIT).await;
    let id = scene.submit(HOUR).await;
    let pid = scene.said.line().await;
    assert!(matches!(scene.world.queue().cancel(id).await.unwrap(), Cancelled::Accepted(_)));
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, kind(&execution)), (JobStatus::Cancelled, None));
    assert_eq!((recorded(&execution, "stdout"), recorded(&execution, "signal")), ("before\n".into(), 15.into()));
    scene.said.silence().await;
    collected(&pid).await;
}

#[tokio::test]
async fn a_command_that_runs_past_its_timeout_is_killed_and_keeps_what_it_wrote() {
    let mut scene = Scene::new(HOUR, &format!("trap '' TERM; {WAIT}")).await;
    let id = scene.submit(Duration::from_secs(2)).await;
    scene.said.line().await;
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, kind(&execution)), (JobStatus::Failed, Some(ErrorKind::Timeout)));
    assert_eq!((recorded(&execution, "stdout"), recorded(&execution, "signal")), ("before\n".into(), 9.into()));
    scene.said.silence().await;
}

#[tokio::test]
async fn a_command_of_a_worker_that_stops_is_interrupted_and_never_repeated() {
    let mut scene = Scene::new(Duration::from_secs(4), WAIT).await;
    let id = scene.submit(HOUR).await;
    scene.said.line().await;
    scene.stop.send_replace(true);
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, kind(&execution)), (JobStatus::Failed, Some(ErrorKind::Interrupted)));
    assert_eq!((recorded(&execution, "stdout"), execution.attempt), ("before\n".into(), 1));
    scene.said.silence().await;
    scene.worker.await.unwrap();
}

#[tokio::test]
async fn a_worker_without_grace_leaves_no_process_behind() {
    let mut scene = Scene::new(Duration::ZERO, &format!("trap '' TERM; {WAIT}")).await;
    scene.submit(HOUR).await;
    let pid = scene.said.line().await;
    scene.stop.send_replace(true);
    scene.said.silence().await;
    scene.worker.await.unwrap();
    collected(&pid).await;
}

#[tokio::test]
async fn a_command_that_fails_is_recorded_with_its_output() {
    let scene = Scene::new(HOUR, "echo out; echo err >&2; exit 3").await;
    let id = scene.submit(HOUR).await;
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, kind(&execution)), (JobStatus::Failed, Some(ErrorKind::ExitStatus)));
    assert_eq!(execution.error.as_ref().expect("there").message, "the command exited with code 3");
    assert_eq!((recorded(&execution, "exit_code"), recorded(&execution, "stderr")), (3.into(), "err\n".into()));
}

#[tokio::test]
async fn a_command_whose_worker_lost_its_lease_is_killed_and_its_job_is_lost() {
    // The worker hears of it when the queue does.
    let leases = Leases { granted: Duration::from_secs(2), believed: HOUR };
    let mut scene = Scene::with(leases, HOUR, &format!("trap '' TERM; {WAIT}")).await;
    let id = scene.submit(HOUR).await;
    scene.said.line().await;
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, kind(&execution)), (JobStatus::Lost, Some(ErrorKind::WorkerLost)));
    assert_eq!((execution.result.is_none(), execution.attempt), (true, 1));
    scene.said.silence().await;
}

#[tokio::test]
async fn a_command_that_runs_for_longer_than_a_lease_runs_once() {
    let lease = Duration::from_secs(2);
    let leases = Leases { granted: lease, believed: lease };
    let mut scene = Scene::with(leases, HOUR, "echo start > \"$1\"; read -r x < \"$2\"").await;
    let id = scene.submit(HOUR).await;
    assert_eq!(scene.said.line().await, "start");
    // Nobody renews this one, so when it is lost a whole lease has passed.
    let mut other = scene.world.new_job(OperationKind::NodeLoadGet, "web-2", &["web-2"]);
    other.max_attempts = 1;
    let submission = Submission { job: other, effect: Effect::Read, idempotency: None };
    scene.world.queue().submit(submission).await.unwrap();
    let abandoned = scene.world.claim_one("web-2").await;
    assert_eq!(scene.world.end(abandoned.job_id).await, "failed");

    assert_eq!(scene.world.status(id).await, "running");
    std::fs::write(scene.fifos[1].path(), "\n").unwrap();
    let (status, execution) = scene.end(id).await;
    assert_eq!((status, execution.attempt), (JobStatus::Completed, 1));
    scene.said.silence().await;
}
