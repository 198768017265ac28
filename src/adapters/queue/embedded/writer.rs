//! The only thread that writes: what has piled up becomes one transaction, and is answered after the commit.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    claiming::claim,
    command::{Answer, Command, Granted, Reply, reply},
    config::EmbeddedConfig,
    effects::{Effects, earliest},
    retention::{delete, over_limits, sweep},
    submitting::submit,
    transition::{Detail, apply, earliest_deadline, in_row, open_rows, rows_past_deadline, running_rows},
};
use crate::{
    adapters::queue::{
        leases::Leases,
        store::{Counters, failure, job, micros},
        waiters::Waiters,
    },
    domain::{ExecutionEvent, JobId},
    ports::{
        driven::{Cancelled, ClaimRequest, ClaimToken, Clock, Outcome, QueueError, QueueErrorKind},
        driving::JobEvents,
    },
};

/// Commands in one transaction, at most.
const BATCH: usize = 512;
/// What is due is tried again after so long when it could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// What the writer is made of.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) commands: Receiver<Command>,
    /// For claims that find nobody.
    pub(super) back: SyncSender<Command>,
    pub(super) config: EmbeddedConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: Arc<dyn JobEvents>,
    pub(super) leases: Arc<Leases<i64>>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) counters: Counters,
    pub(super) due: Due,
}

/// Workers that wait for work, and what has to be done by itself, and when.
#[derive(Default)]
pub(super) struct Due {
    parked: VecDeque<(ClaimRequest, Answer<Granted>)>,
    /// The earliest deadline of what waits, in microseconds; perhaps of something that waits no more.
    deadline: Option<i64>,
    retention: Option<i64>,
    /// Nothing is tried by itself before this.
    not_before: Option<Instant>,
}

impl Writer {
    /// Applies what a death of the process means to everything that ran, and looks for what is due.
    pub(super) fn recover(&mut self) -> Result<(), QueueError> {
        let orphans = running_rows(&self.connection).map_err(failure)?;
        self.due.deadline = earliest_deadline(&self.connection).map_err(failure)?;
        self.due.retention = Some(i64::MIN);
        let now = self.clock.now();
        if orphans.is_empty() {
            return Ok(());
        }
        tracing::warn!(executions = orphans.len(), "the process ended while these ran; deciding what becomes of them");
        self.begin()?;
        let mut effects = Effects::default();
        let vanished = orphans.iter().try_for_each(|row| {
            self.event(now, *row, ExecutionEvent::WorkerVanished, &Detail::default(), &mut effects).map(drop)
        });
        self.commit(vanished.map_err(failure).map(|()| effects))
    }

    /// Works until it is told to close, or nobody is left to tell it.
    pub(super) fn work(mut self) {
        loop {
            let first = match self.next_due() {
                Some(wait) => self.commands.recv_timeout(wait),
                None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut batch = match first {
                Ok(command) => vec![command],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while batch.len() < BATCH
                && let Ok(command) = self.commands.try_recv()
            {
                batch.push(command);
            }
            let closing = batch.iter().any(|command| matches!(command, Command::Close));
            self.transact(batch);
            if closing {
                break;
            }
        }
        // Readers may still be there; then the log stays for the next start.
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the log of the job store stays for the next start");
        }
    }

    /// How long nothing is due; none when nothing will be.
    fn next_due(&self) -> Option<Duration> {
        let now = self.clock.now();
        let until = |at: i64| Duration::from_micros(u64::try_from(at.saturating_sub(micros(now))).unwrap_or_default());
        let recorded = earliest(self.due.deadline, self.due.retention).map(until);
        let leases = self.leases.next_end().map(|end| end.saturating_duration_since(Instant::now()));
        let pause = self.due.not_before.map(|at| at.saturating_duration_since(Instant::now())).unwrap_or_default();
        earliest(recorded, leases).map(|wait| wait.max(pause))
    }

    fn transact(&mut self, batch: Vec<Command>) {
        let now = self.clock.now();
        let mut replies: Vec<Reply> = Vec::with_capacity(batch.len());
        let mut effects = Effects::default();
        let begun = self.begin();
        for command in batch {
            let outcome = begun.as_ref().map_err(|error| QueueError::new(error.kind(), error.to_string()));
            replies.extend(self.execute(command, now, outcome.map(|()| &mut effects)));
        }
        let written = begun.and_then(|()| {
            self.do_what_is_due(now, &mut effects)?;
            self.serve_parked(now, &mut effects, &mut replies)?;
            Ok(effects)
        });
        let committed = self.commit(written);
        self.due.not_before = committed.is_err().then(|| Instant::now() + AGAIN);
        for reply in replies {
            reply(committed.as_ref().err());
        }
    }

    fn begin(&self) -> Result<(), QueueError> {
        self.run("BEGIN IMMEDIATE").map_err(failure)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Commits and makes the effects happen, in the order that the port promises; or undoes everything.
    fn commit(&mut self, written: Result<Effects, QueueError>) -> Result<(), QueueError> {
        let committed = written.and_then(|effects| {
            effects.deltas.save(&self.connection).map_err(failure)?;
            self.run("COMMIT").map_err(failure)?;
            Ok(effects)
        });
        match committed {
            Ok(effects) => {
                self.publish(effects);
                Ok(())
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    // Nothing else can be done when this fails too: the next transaction will say so.
                    let _ = self.run("ROLLBACK");
                }
                tracing::warn!(error = &error as &dyn std::error::Error, "the job store could not be written");
                Err(error)
            }
        }
    }

    fn publish(&mut self, effects: Effects) {
        self.counters.add(&effects.deltas);
        for (token, lease) in effects.granted {
            self.leases.insert(token, lease);
        }
        effects.released.into_iter().for_each(|token| self.leases.remove(token));
        effects.fenced.into_iter().for_each(|token| self.leases.fence(token));
        effects.cancelled.into_iter().for_each(|token| self.leases.ask_to_cancel(token));
        self.due.deadline = earliest(self.due.deadline, effects.waits_until);
        if over_limits(&self.config.retention, &self.counters) {
            self.due.retention = Some(i64::MIN);
        } else if self.due.retention.is_none() && !effects.events.is_empty() {
            self.due.retention = Some(micros(self.clock.now()) + 1_000_000);
        }
        if !effects.events.is_empty() {
            self.events.committed(&effects.events);
        }
        effects.ended.into_iter().for_each(|id| self.waiters.wake(id));
    }

    /// Executes one command; a command that fails leaves no trace and does not disturb the others.
    fn execute(
        &mut self,
        command: Command,
        now: Timestamp,
        effects: Result<&mut Effects, QueueError>,
    ) -> Option<Reply> {
        match command {
            Command::Submit(rows, idempotency, answer) => {
                let (counters, max) = (&self.counters, self.config.max_depth);
                let stored = self.attempt(effects, |connection, sofar, own| {
                    submit(connection, &rows, idempotency.as_ref(), counters.depth + sofar.deltas.depth, max, own)
                });
                Some(reply(answer, stored))
            }
            Command::Finish(token, outcome, answer) => {
                let finished =
                    self.attempt(effects, |_, _, own| self.finish(now, token, &outcome, own).map_err(failure));
                Some(reply(answer, finished))
            }
            Command::Cancel(id, answer) => {
                let cancelled = self.attempt(effects, |_, _, own| self.cancel(now, id, own).map_err(failure));
                Some(reply(answer, cancelled))
            }
            Command::Delete(id, answer) => {
                let deleted = self.attempt(effects, |connection, _, own| delete(connection, id, own).map_err(failure));
                Some(reply(answer, deleted))
            }
            Command::Drain(hostname, draining, answer) => {
                let sql = if draining {
                    "INSERT INTO draining (hostname) VALUES (?1) ON CONFLICT DO NOTHING"
                } else {
                    "DELETE FROM draining WHERE hostname = ?1"
                };
                let done = self.attempt(effects, |connection, _, _| {
                    let mut statement = connection.prepare_cached(sql).map_err(failure)?;
                    statement.execute([hostname.to_string()]).map(drop).map_err(failure)
                });
                Some(reply(answer, done))
            }
            Command::DropClaims(tokens) => {
                let dropped = self.attempt(effects, |_, _, own| {
                    tokens
                        .iter()
                        .filter_map(|token| self.leases.held(*token))
                        .try_for_each(|(row, ..)| {
                            self.event(now, row, ExecutionEvent::ClaimDropped, &Detail::default(), own).map(drop)
                        })
                        .map_err(failure)
                });
                if let Err(error) = dropped {
                    tracing::debug!(%error, "claims that nobody took wait for the end of their leases");
                }
                None
            }
            Command::Claim(request, answer) => {
                self.due.parked.push_back((request, answer));
                None
            }
            Command::Close => None,
        }
    }

    /// Runs `work` so that its failure undoes its own changes only.
    fn attempt<T>(
        &self,
        effects: Result<&mut Effects, QueueError>,
        work: impl FnOnce(&Connection, &Effects, &mut Effects) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let effects = effects?;
        if self.connection.is_autocommit() {
            // An error of an earlier command was so bad that SQLite undid the whole transaction.
            return Err(QueueError::new(QueueErrorKind::Unavailable, "the job store could not be written"));
        }
        self.run("SAVEPOINT command").map_err(failure)?;
        let mut own = Effects::default();
        let done = work(&self.connection, effects, &mut own);
        if done.is_err() && !self.connection.is_autocommit() {
            self.run("ROLLBACK TO command").map_err(failure)?;
        }
        if !self.connection.is_autocommit() {
            self.run("RELEASE command").map_err(failure)?;
        }
        let value = done?;
        effects.add(own);
        Ok(value)
    }

    fn event(
        &self,
        now: Timestamp,
        row: i64,
        event: ExecutionEvent,
        detail: &Detail<'_>,
        effects: &mut Effects,
    ) -> rusqlite::Result<bool> {
        let Some(run) = in_row(&self.connection, row)? else { return Ok(false) };
        apply(&self.connection, now, &run, event, detail, effects)
    }

    /// Ends a run, if it still runs under this token.
    fn finish(
        &self,
        now: Timestamp,
        token: ClaimToken,
        outcome: &Outcome,
        effects: &mut Effects,
    ) -> rusqlite::Result<bool> {
        let Some((row, _, ran)) = self.leases.held(token) else { return Ok(false) };
        let Some(run) = in_row(&self.connection, row)? else { return Ok(false) };
        if run.token != Some(token) {
            return Ok(false);
        }
        let detail = Detail {
            result: outcome.result.as_ref(),
            message: outcome.message.as_deref(),
            ran: Some(ran),
            ..Detail::default()
        };
        apply(&self.connection, now, &run, outcome.event, &detail, effects)
    }

    fn cancel(&self, now: Timestamp, id: JobId, effects: &mut Effects) -> rusqlite::Result<Cancelled> {
        let Some(found) = job(&self.connection, id)? else { return Ok(Cancelled::NotFound) };
        if found.summary.status.is_terminal() {
            return Ok(Cancelled::AlreadyTerminal(found.summary.status));
        }
        self.connection
            .prepare_cached("UPDATE job SET cancel_requested_at = coalesce(cancel_requested_at, ?2) WHERE id = ?1")?
            .execute((id.as_uuid().as_bytes(), micros(now)))?;
        for row in open_rows(&self.connection, id)? {
            self.event(now, row, ExecutionEvent::CancelRequested, &Detail::default(), effects)?;
        }
        Ok(job(&self.connection, id)?.map_or(Cancelled::NotFound, |job| Cancelled::Accepted(Box::new(job))))
    }

    /// Leases that ended, deadlines that passed, jobs that are kept no longer.
    fn do_what_is_due(&mut self, now: Timestamp, effects: &mut Effects) -> Result<(), QueueError> {
        for (token, job_id, row) in self.leases.overdue() {
            let run = in_row(&self.connection, row).map_err(failure)?;
            if let Some(run) = run.filter(|run| run.token == Some(token)) {
                tracing::warn!(%job_id, "a lease ended without a word from its worker");
                apply(&self.connection, now, &run, ExecutionEvent::WorkerVanished, &Detail::default(), effects)
                    .map_err(failure)?;
            }
            effects.fenced.push(token);
        }
        let waits_until = earliest(self.due.deadline, effects.waits_until);
        if waits_until.is_some_and(|at| at <= micros(now)) {
            let late = rows_past_deadline(&self.connection, now).map_err(failure)?;
            for row in late {
                self.event(now, row, ExecutionEvent::DeadlinePassed, &Detail::default(), effects).map_err(failure)?;
            }
            self.due.deadline = earliest_deadline(&self.connection).map_err(failure)?;
            effects.waits_until = None;
        }
        if self.due.retention.is_some_and(|at| at <= micros(now)) {
            let retention = &self.config.retention;
            self.due.retention = sweep(&self.connection, now, retention, &self.counters, effects).map_err(failure)?;
        }
        Ok(())
    }

    /// Gives work to those who wait for it.
    fn serve_parked(
        &mut self,
        now: Timestamp,
        effects: &mut Effects,
        replies: &mut Vec<Reply>,
    ) -> Result<(), QueueError> {
        for _ in 0..self.due.parked.len() {
            let Some((request, answer)) = self.due.parked.pop_front() else { break };
            if answer.is_closed() {
                continue;
            }
            let waiting = self.counters.depth + effects.deltas.depth;
            let claims = if waiting > 0 {
                claim(&self.connection, now, &request, self.counters.tokens, &self.leases, effects).map_err(failure)?
            } else {
                Vec::new()
            };
            if claims.is_empty() {
                self.due.parked.push_back((request, answer));
            } else {
                replies.push(reply(answer, Ok(Granted::new(claims, self.back.clone()))));
            }
        }
        Ok(())
    }
}
