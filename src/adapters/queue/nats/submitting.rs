//! Accepting a job: its key is claimed first, its record is written last, and that record is the acceptance.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    executions::Executions,
    link::{NotWritten, unavailable},
    names::digest,
    record::{CancelRecord, JobEntry, JobRecord, KeyRecord, Mark, Removed, decode, encode},
    replica::Replica,
};
use crate::{
    adapters::queue::store::{self, Moment, NewRows},
    domain::{Idempotency, JobId},
    ports::{
        driven::{QueueError, QueueErrorKind, Submission, Submitted},
        driving::JobEvent,
    },
};

/// How often a key is looked at when others use it at the same time.
const TRIES: u32 = 16;
/// A job that was stored later than this after its request is cancelled: its client has long been told of a failure.
const ACCEPTANCE: Duration = Duration::from_secs(5);
/// Where so few more executions may wait, the copy has to show what this process knows to be stored before a job is taken.
const NEARLY_FULL: i64 = 200;
/// Pause before something is tried again that the server did not take.
const AGAIN: Duration = Duration::from_millis(250);

/// What a key stands for.
enum Known {
    /// Nothing: the record to replace has this sequence, 0 for none.
    Free(u64),
    /// The job was announced under this id and has not been stored so far.
    Announced(JobId),
    /// It made a job.
    Made(Submitted),
}

/// An attempt to submit a job, and whether somebody still waits for it.
///
/// Its caller hears within a second that there is no answer. What was not sent by then is not sent any more.
#[derive(Default)]
pub(super) struct Attempt(Mutex<Step>);

#[derive(Default, Clone, Copy)]
enum Step {
    #[default]
    Begun,
    /// The record of this job was sent.
    Sent(JobId),
    GivenUp,
}

impl Attempt {
    fn step(&self) -> MutexGuard<'_, Step> {
        // Every change is complete in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of this job is about to be sent. Fails when nobody waits any more.
    fn send(&self, id: JobId) -> Result<(), QueueError> {
        let mut step = self.step();
        if matches!(*step, Step::GivenUp) {
            return Err(slow());
        }
        *step = Step::Sent(id);
        Ok(())
    }

    /// Nobody waits any more: what to say.
    pub(super) fn give_up(&self) -> QueueError {
        match std::mem::replace(&mut *self.step(), Step::GivenUp) {
            Step::Sent(id) => slow().possibly_applied().about(id),
            Step::Begun | Step::GivenUp => slow(),
        }
    }
}

fn slow() -> QueueError {
    unavailable("the NATS server does not answer in time")
}

/// Accepts jobs.
pub(super) struct Acceptance {
    pub(super) executions: Arc<Executions>,
    pub(super) replica: Arc<Replica>,
    pub(super) max_depth: u64,
}

impl Acceptance {
    /// Stores a job, or finds the one that its key made before.
    pub(super) async fn submit(&self, mut submission: Submission, attempt: &Attempt) -> Result<Submitted, QueueError> {
        self.replica.progress.ready().await?;
        let own = submission.job.id;
        for _ in 0..TRIES {
            if let Some(idempotency) = &submission.idempotency {
                submission.job.id = match self.known(idempotency).await? {
                    Known::Made(submitted) => return Ok(submitted),
                    Known::Announced(id) => id,
                    Known::Free(sequence) => {
                        self.room(&submission, Replica::has_room).await?;
                        let record = encode(&KeyRecord::of(idempotency, own));
                        let subject = self.executions.link.names.key(&digest(idempotency));
                        match self.executions.link.write(&subject, record, Some(sequence)).await {
                            Ok(_) => own,
                            Err(NotWritten::Conflict) => continue,
                            // A key without a job is no job.
                            Err(NotWritten::Failed(error) | NotWritten::Uncertain(error)) => return Err(error),
                        }
                    }
                };
            }
            let id = submission.job.id;
            attempt.send(id)?;
            self.room(&submission, |replica, executions, max| replica.make_room(id, executions, max)).await?;
            if let Some(submitted) = self.store(&submission).await? {
                return Ok(submitted);
            }
        }
        Err(unavailable("the job could not be stored beside others"))
    }

    /// Fails when there is no room for a job, as `fits` decides.
    async fn room(&self, submission: &Submission, fits: impl Fn(&Replica, i64, i64) -> bool) -> Result<(), QueueError> {
        // What little there may be is for removals, which give back more than they take.
        self.executions.link.has_room()?;
        let slots = i64::try_from(submission.job.slots.len()).unwrap_or(i64::MAX);
        let max = i64::try_from(self.max_depth).unwrap_or(i64::MAX);
        if !self.replica.has_room(slots.saturating_add(NEARLY_FULL), max) {
            self.replica.progress.caught_up().await?;
        }
        if fits(&self.replica, slots, max) {
            Ok(())
        } else {
            Err(QueueError::new(QueueErrorKind::Full, "the queue is full"))
        }
    }

    /// Writes the record. None when there is one with this id already.
    async fn store(&self, submission: &Submission) -> Result<Option<Submitted>, QueueError> {
        let executions = &self.executions;
        let mark = executions.reports.mark();
        let key = submission.idempotency.as_ref().map(digest);
        let unwritable =
            |error| QueueError::new(QueueErrorKind::Corrupt, "the input cannot be written as JSON").with_source(error);
        let at = executions.link.time.now();
        let record = JobRecord::of(&submission.job, at, submission.effect, key, mark).map_err(unwritable)?;
        let (_, shown) = NewRows::of(submission.clone(), Moment { at, steady: 0 })?;
        executions.reports.expect(mark, vec![JobEvent::Created { operation: record.operation }]);
        let subject = executions.link.names.job(record.id);
        let asked = Instant::now();
        let entry = encode(&JobEntry::Job(Box::new(record.clone())));
        self.replica.waiters.expect(record.id);
        let stored = executions.link.write(&subject, entry, Some(0)).await;
        if stored.is_err() {
            self.replica.waiters.forget(record.id);
        }
        if matches!(stored, Err(NotWritten::Conflict | NotWritten::Failed(_))) {
            self.replica.is_added(record.id);
        }
        match stored {
            Ok(written) => {
                executions.reports.stored(mark);
                executions.wrote(written);
                announce(executions, &record).await;
                Ok(Some(Submitted::Created(Box::new(shown))))
            }
            Err(NotWritten::Conflict) => {
                executions.reports.refused(mark);
                Ok(None)
            }
            Err(NotWritten::Failed(error)) => {
                executions.reports.refused(mark);
                Err(error)
            }
            Err(NotWritten::Uncertain(error)) => {
                let (executions, replica, id) = (Arc::clone(executions), Arc::clone(&self.replica), record.id);
                tokio::spawn(async move {
                    if !resolve(&executions, &record, mark, asked).await {
                        replica.is_added(record.id);
                    }
                });
                Err(error.possibly_applied().about(id))
            }
        }
    }

    /// What the request with this key made before.
    pub(super) async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Submitted>, QueueError> {
        Ok(match self.known(idempotency).await? {
            Known::Made(submitted) => Some(submitted),
            Known::Free(_) | Known::Announced(_) => None,
        })
    }

    async fn known(&self, idempotency: &Idempotency) -> Result<Known, QueueError> {
        let link = &self.executions.link;
        let subject = link.names.key(&digest(idempotency));
        let Some(stored) = link.last(&link.streams.keys, &subject).await? else { return Ok(Known::Free(0)) };
        let key: KeyRecord =
            decode(&stored.payload).ok_or_else(|| unavailable("an idempotency record cannot be understood"))?;
        if key.fingerprint != idempotency.fingerprint.as_uuid() {
            return Ok(Known::Made(Submitted::KeyReused));
        }
        let id = key.job_id;
        let Some(entry) = link.state(&link.names.job(id)).await? else {
            let gone = key.removed.then_some(Known::Made(Submitted::ReplayedDeleted(id)));
            return Ok(gone.unwrap_or(Known::Announced(id)));
        };
        Ok(match decode(&entry.payload) {
            Some(JobEntry::Job(_)) => {
                self.replica.progress.wrote(entry.sequence);
                let job = self.replica.read(move |connection| store::job(connection, id)).await?;
                Known::Made(job.map_or(Submitted::ReplayedDeleted(id), |job| Submitted::Replayed(Box::new(job))))
            }
            // It never was, and never will be.
            Some(JobEntry::Removed(Removed { status: None, .. })) => Known::Free(stored.sequence),
            _ => Known::Made(Submitted::ReplayedDeleted(id)),
        })
    }
}

/// Says that the executions of a new job wait.
async fn announce(executions: &Executions, record: &JobRecord) {
    for slot in &record.slots {
        executions.hint(record.id, slot, record.needs_commands(), 0, Some(record.deadline())).await;
    }
}

/// Finds out what became of a job whose answer was lost, and whether it was stored. One that is not there is kept from
/// coming later; one that came too late is cancelled.
async fn resolve(executions: &Executions, record: &JobRecord, mark: Mark, asked: Instant) -> bool {
    let (link, subject) = (&executions.link, executions.link.names.job(record.id));
    while !link.is_closed() {
        match link.state(&subject).await {
            Ok(None) => {
                let removed = Removed { status: None, at: record.created_at, key: record.key.clone() };
                if let Ok(written) = link.write(&subject, encode(&JobEntry::Removed(removed)), Some(0)).await {
                    executions.wrote(written);
                    executions.reports.refused(mark);
                    return false;
                }
            }
            Ok(Some(stored)) => {
                let own = matches!(decode(&stored.payload), Some(JobEntry::Job(job)) if job.mark == mark);
                if !own {
                    executions.reports.refused(mark);
                    return false;
                }
                executions.reports.stored(mark);
                executions.wrote(stored.sequence);
                if asked.elapsed() < ACCEPTANCE {
                    announce(executions, record).await;
                    return true;
                }
                let cancel = encode(&CancelRecord { at: link.time.now() });
                match link.write(&link.names.cancel(record.id), cancel, Some(0)).await {
                    Ok(_) | Err(NotWritten::Conflict) => return true,
                    Err(_) => {}
                }
            }
            Err(error) => tracing::debug!(%error, job_id = %record.id, "what became of a job is not known yet"),
        }
        sleep(AGAIN).await;
    }
    true
}
