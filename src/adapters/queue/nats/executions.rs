//! Changes of executions: by compare-and-set on the record, and nothing else. What follows from a change is a hint.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use super::{
    ballast::Ballast,
    change::{Detail, change, untouched},
    link::{Link, NotWritten, unavailable},
    record::{Control, ExecutionRecord, Hint, JobEntry, JobRecord, Mark, decode, encode},
    replica::Replica,
    reports::Reports,
};
use crate::{
    adapters::queue::{leases::Leases, store::whole},
    domain::{ExecutionEvent, ExecutionStatus, FailureKind, JobId},
    ports::driven::{ClaimToken, Clock, Outcome, QueueError, QueueErrorKind},
};

/// Changes under way at the same time.
const AT_ONCE: usize = 64;
/// Bytes of a message that are kept beside a result that is dropped.
const MESSAGE: usize = 1_000;
/// How often a change is tried when others change the same record.
const TRIES: u32 = 16;
/// How long ends of runs have to be recorded after a connection was lost: a worker tries once a second.
const SETTLE: Duration = Duration::from_secs(2);
/// Pause before something is tried again that the server did not take.
const AGAIN: Duration = Duration::from_millis(250);

/// An execution that a worker of this process runs.
pub(super) struct Held {
    pub(super) job: Arc<JobRecord>,
    pub(super) slot: String,
    /// Its record and sequence, as this process last knew it.
    pub(super) known: (ExecutionRecord, u64),
    /// How long it had waited since its job was accepted.
    pub(super) waited: Duration,
}

impl Held {
    /// What is known about a run that has taken so long.
    fn detail<'a>(&self, ran: Duration) -> Detail<'a> {
        let since_acceptance = self.waited + ran;
        let time_left = Some(self.job.deadline().saturating_sub(since_acceptance));
        Detail { ran: Some(ran), since_acceptance, time_left, ..Detail::default() }
    }
}

/// What became of an attempt to change an execution.
pub(super) enum Changed {
    /// The change is stored.
    Made,
    /// It is not what the caller meant any more: it has this record.
    Other(Box<ExecutionRecord>),
    /// The event cannot happen to it.
    Impossible,
}

/// The executions.
pub(super) struct Executions {
    pub(super) session: Uuid,
    pub(super) link: Arc<Link>,
    pub(super) reports: Arc<Reports>,
    pub(super) leases: Leases<Arc<Held>>,
    /// A lease began.
    pub(super) granted: Notify,
    pub(super) replica: Option<Arc<Replica>>,
    /// Room for removals.
    pub(super) ballast: Ballast,
    /// Claims that are void and whose executions have to be told so.
    void: Mutex<Vec<(ClaimToken, Arc<Held>)>>,
}

/// Does all of these, some at the same time, and says what went wrong first.
pub(super) async fn all(works: Vec<BoxFuture<'_, Result<(), QueueError>>>) -> Result<(), QueueError> {
    let mut works = stream::iter(works).buffer_unordered(AT_ONCE);
    let mut failed = Ok(());
    while let Some(done) = works.next().await {
        failed = failed.and(done);
    }
    failed
}

/// The token of an execution that runs, or ran last.
pub(super) fn token_of(record: &ExecutionRecord, sequence: u64) -> ClaimToken {
    ClaimToken(record.token.unwrap_or(sequence))
}

/// What is recorded of an end whose result is too large.
fn without_result(outcome: &Outcome, error: &QueueError) -> Outcome {
    let event = match outcome.event {
        ExecutionEvent::Returned => ExecutionEvent::Failed(FailureKind::Operation),
        event => event,
    };
    let said = outcome.message.as_ref().map(|said| format!("{}; ", excerpt(said))).unwrap_or_default();
    Outcome { event, result: None, message: Some(format!("{said}its result was dropped: {error}")) }
}

/// The beginning of a message that may be what is too large.
fn excerpt(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE)]
}

impl Executions {
    pub(super) fn new(
        session: Uuid,
        link: Arc<Link>,
        reports: Arc<Reports>,
        clock: Arc<dyn Clock>,
        lease: Duration,
        replica: Option<Arc<Replica>>,
    ) -> Self {
        let (leases, granted, void) = (Leases::new(lease, clock), Notify::new(), Mutex::default());
        Self { session, link, reports, leases, granted, replica, ballast: Ballast::new(), void }
    }

    /// This process wrote up to here.
    pub(super) fn wrote(&self, sequence: u64) {
        if let Some(replica) = &self.replica {
            replica.progress.wrote(sequence);
        }
    }

    /// The record of a job; none when it was removed or never was.
    pub(super) async fn job(&self, id: JobId) -> Result<Option<Arc<JobRecord>>, QueueError> {
        let stored = self.link.lasting(&self.link.names.job(id)).await?;
        Ok(match stored.as_ref().and_then(|stored| decode(&stored.payload)) {
            Some(JobEntry::Job(record)) => Some(Arc::from(record)),
            _ => None,
        })
    }

    /// The record of an execution and its sequence.
    pub(super) async fn current(&self, job: &JobRecord, slot: &str) -> Result<(ExecutionRecord, u64), QueueError> {
        match self.link.state(&self.link.names.execution(job.id, slot)).await? {
            Some(stored) => {
                let record: Option<ExecutionRecord> = decode(&stored.payload);
                let record = record.ok_or_else(|| unavailable("an execution's record cannot be understood"))?;
                // It may be a change of this process whose acknowledgement was lost. A process that follows no stream
                // has no other way to learn that it was made.
                self.reports.stored(record.mark);
                Ok((record, stored.sequence))
            }
            None => Ok((untouched(job, slot), 0)),
        }
    }

    /// Applies an event, if `meant` says that the record is still the one that the caller means.
    pub(super) async fn apply(
        &self,
        job: &JobRecord,
        slot: &str,
        known: Option<(ExecutionRecord, u64)>,
        event: ExecutionEvent,
        detail: Detail<'_>,
        meant: impl Fn(&ExecutionRecord, u64) -> bool + Send + Sync,
    ) -> Result<Changed, QueueError> {
        let mut known = known;
        for _ in 0..TRIES {
            let fresh = known.is_none();
            let (current, sequence) = match known.take() {
                Some(known) => known,
                None => self.current(job, slot).await?,
            };
            if !meant(&current, sequence) {
                // Somebody else was first: whoever asks this process next must see what that came to.
                self.wrote(sequence);
                return Ok(Changed::Other(Box::new(current)));
            }
            let (now, mark) = (self.link.time.now(), self.reports.mark());
            let Some(change) = change(job, slot, &current, sequence, event, detail, now, mark) else {
                if fresh {
                    return Ok(Changed::Impossible);
                }
                continue;
            };
            self.reports.expect(mark, change.events);
            let subject = self.link.names.execution(job.id, slot);
            match self.link.write(&subject, encode(&change.record), Some(sequence)).await {
                Ok(written) => {
                    self.reports.stored(mark);
                    self.wrote(written);
                    let after = (&change.record, written);
                    self.follow_up(job, slot, (&current, sequence), after, (event, detail.time_left)).await;
                    return Ok(Changed::Made);
                }
                Err(NotWritten::Conflict) => self.reports.refused(mark),
                Err(NotWritten::Failed(error)) => {
                    self.reports.refused(mark);
                    return Err(error);
                }
                // The report waits for the write to show itself.
                Err(NotWritten::Uncertain(error)) => return Err(error.possibly_applied()),
            }
        }
        Err(unavailable("an execution keeps changing"))
    }

    /// Tells those whom a change concerns.
    async fn follow_up(
        &self,
        job: &JobRecord,
        slot: &str,
        (before, sequence): (&ExecutionRecord, u64),
        (after, written): (&ExecutionRecord, u64),
        (event, time_left): (ExecutionEvent, Option<Duration>),
    ) {
        if after.status == ExecutionStatus::Queued {
            self.hint(job.id, slot, job.needs_commands(), written, time_left).await;
        }
        let Some(session) = before.session.filter(|_| before.status == ExecutionStatus::Running) else { return };
        let token = token_of(before, sequence);
        match event {
            ExecutionEvent::CancelRequested => self.tell(session, Control::Cancel(token.0)).await,
            ExecutionEvent::WorkerVanished => self.tell(session, Control::Fence(token.0)).await,
            _ => {}
        }
    }

    /// Says that an execution waits, and how long it may.
    pub(super) async fn hint(
        &self,
        job_id: JobId,
        slot: &str,
        needs_commands: bool,
        sequence: u64,
        time_left: Option<Duration>,
    ) {
        let time_left = time_left.map(|left| whole(left).cast_unsigned());
        let hint = Hint { job_id, slot: slot.to_owned(), sequence, time_left };
        self.link.hint(self.link.names.work(slot, needs_commands), encode(&hint)).await;
    }

    /// Tells a process something, this one at once.
    async fn tell(&self, session: Uuid, control: Control) {
        if session == self.session {
            self.hear(&control);
        } else {
            self.link.hint(self.link.names.control(session), encode(&control)).await;
        }
    }

    /// What this process is told about its runs.
    pub(super) fn hear(&self, control: &Control) {
        match control {
            Control::Cancel(token) => self.leases.ask_to_cancel(ClaimToken(*token)),
            Control::Fence(token) => self.leases.fence(ClaimToken(*token)),
            Control::Draining(_) => {}
        }
    }

    /// Ends a run, if it still runs under this token.
    ///
    /// A result that the server does not store ends the run as failed: it would be refused again and again.
    pub(super) async fn finish(&self, token: ClaimToken, outcome: &Outcome) -> Result<bool, QueueError> {
        match self.record_end(token, outcome).await {
            Err(error) if error.kind() == QueueErrorKind::TooLarge => {
                self.record_end(token, &without_result(outcome, &error)).await
            }
            recorded => recorded,
        }
    }

    async fn record_end(&self, token: ClaimToken, outcome: &Outcome) -> Result<bool, QueueError> {
        let Some((held, _, ran)) = self.leases.held(token) else { return Ok(false) };
        let detail = Detail { outcome: Some(outcome), ran_here: true, ..held.detail(ran) };
        let meant = |record: &ExecutionRecord, sequence| {
            record.status == ExecutionStatus::Running && token_of(record, sequence) == token
        };
        let known = Some(held.known.clone());
        match self.apply(&held.job, &held.slot, known, outcome.event, detail, meant).await? {
            Changed::Made => {
                self.leases.remove(token);
                Ok(true)
            }
            // Stored by an earlier attempt whose answer was lost.
            Changed::Other(record)
                if record.mark.session == self.session
                    && record.token == Some(token.0)
                    && record.status.is_terminal() =>
            {
                self.reports.stored(record.mark);
                self.leases.remove(token);
                Ok(true)
            }
            Changed::Other(_) => {
                self.leases.fence(token);
                Ok(false)
            }
            Changed::Impossible => Ok(false),
        }
    }

    /// Looks whether a claim still stands, and whether a cancellation was asked for that was not heard.
    pub(super) async fn look(&self, token: ClaimToken) -> Result<bool, QueueError> {
        let Some((held, ..)) = self.leases.held(token) else { return Ok(false) };
        let (record, sequence) = self.current(&held.job, &held.slot).await?;
        let stands = record.status == ExecutionStatus::Running && token_of(&record, sequence) == token;
        if stands && record.cancel_requested {
            self.leases.ask_to_cancel(token);
        }
        // Its end may be recorded and the acknowledgement lost: then `finish` will find it.
        let ended_here =
            record.mark.session == self.session && record.token == Some(token.0) && record.status.is_terminal();
        if !stands && !ended_here && self.leases.held(token).is_some() {
            self.leases.fence(token);
        }
        Ok(stands)
    }

    /// Gives a claim back that never reached its worker. Tried until the server takes it.
    pub(super) async fn drop_claim(&self, held: &Held, token: ClaimToken) {
        let (job, slot, detail) = (&held.job, &held.slot, held.detail(Duration::ZERO));
        let meant = |record: &ExecutionRecord, sequence| {
            record.status == ExecutionStatus::Running && token_of(record, sequence) == token
        };
        let event = ExecutionEvent::ClaimDropped;
        while let Err(error) = self.apply(job, slot, None, event, detail, meant).await {
            tracing::debug!(%error, "a claim that nobody took could not be given back yet");
            if self.link.is_closed() {
                return;
            }
            sleep(AGAIN).await;
        }
        self.leases.remove(token);
    }

    /// Finds out what became of a claim whose answer was lost, and gives it back when it was made.
    pub(super) async fn resolve_claim(&self, job: Arc<JobRecord>, slot: String, waited: Duration, mark: Mark) {
        let (record, sequence) = loop {
            match self.current(&job, &slot).await {
                Ok(found) => break found,
                Err(_) if self.link.is_closed() => return,
                Err(error) => tracing::debug!(%error, "what became of a claim is not known yet"),
            }
            sleep(AGAIN).await;
        };
        if record.mark == mark {
            self.reports.stored(mark);
            let token = token_of(&record, sequence);
            self.drop_claim(&Held { job, slot, known: (record, sequence), waited }, token).await;
        } else {
            self.reports.refused(mark);
        }
    }

    /// Ends leases of this process that nobody renewed. Runs until it is aborted.
    ///
    /// Without a connection no lease can be renewed and no end recorded: nothing is decided until both had time to
    /// happen again. What ended meanwhile is recorded as it ended, if nobody else has decided.
    pub(super) async fn keep_leases(&self) {
        let settle = SETTLE.min(self.leases.length());
        let mut link = self.link.watch();
        loop {
            match self.link.up_since().map(|since| settle.saturating_sub(since.elapsed())) {
                None => {
                    // The link is there as long as this runs.
                    let _ = link.wait_for(|state| state.now).await;
                    continue;
                }
                Some(left) if !left.is_zero() => {
                    sleep(left).await;
                    continue;
                }
                Some(_) => {}
            }
            let next = self.leases.next_end().map(Instant::from_std);
            let pending = !self.void.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            let next = if pending { Some(Instant::now() + AGAIN) } else { next };
            tokio::select! {
                () = self.granted.notified() => continue,
                () = async { match next { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
            }
            if !self.link.is_up() {
                continue;
            }
            let overdue = self.leases.overdue();
            if let Some((_, job_id, _)) = overdue.first() {
                tracing::warn!(%job_id, executions = overdue.len(), "leases ended that nobody renewed");
            }
            for (token, _, held) in overdue {
                self.void.lock().unwrap_or_else(PoisonError::into_inner).push((token, held));
            }
            let void = std::mem::take(&mut *self.void.lock().unwrap_or_else(PoisonError::into_inner));
            for (token, held) in void {
                let meant = |record: &ExecutionRecord, sequence| {
                    record.status == ExecutionStatus::Running && token_of(record, sequence) == token
                };
                let ran = self.leases.held(token).map(|(.., ran)| ran).unwrap_or_default();
                let (event, detail) = (ExecutionEvent::WorkerVanished, held.detail(ran));
                let ended = self.apply(&held.job, &held.slot, None, event, detail, meant).await;
                self.leases.fence(token);
                if let Err(error) = ended {
                    tracing::debug!(%error, "the end of a lease could not be recorded yet");
                    self.void.lock().unwrap_or_else(PoisonError::into_inner).push((token, held));
                }
            }
        }
    }
}
