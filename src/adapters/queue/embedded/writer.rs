//! The only thread that writes: what has piled up becomes one transaction, and is answered after the commit.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    claiming::claim,
    command::{Command, Granted, Pending},
    config::EmbeddedConfig,
    effects::{Effects, earliest},
    registry::Registry,
    retention::{Held, delete, sweep, too_old_at},
    submitting::submit,
    transition::{Detail, apply, earliest_deadline, in_row, open_rows, rows_past_deadline, running_rows},
};
use crate::{
    adapters::queue::{
        leases::Leases,
        store::{Counters, LOG_BYTES, Moment, Readers, SteadyTime, StoreFiles, failure, job},
        waiters::Waiters,
    },
    domain::{ExecutionEvent, Hostname, JobId},
    ports::{
        driven::{Cancelled, ClaimRequest, ClaimToken, Outcome, QueueError, QueueErrorKind},
        driving::JobEvents,
    },
};

/// Commands in one transaction, at most.
const BATCH: usize = 512;
/// What is due is tried again after so long when it could not be written.
const AGAIN: Duration = Duration::from_secs(1);
/// A log that is too long is cut after so long, and tried again after so long while a reader needs it.
const CUT_LOG: Duration = Duration::from_secs(10);
/// How long another program that writes to the store is waited for, as SQLite's bindings do by default.
const BUSY: Duration = Duration::from_secs(5);
/// Failures of the store are warned about no more often than this.
const WARN_AGAIN: Duration = Duration::from_mins(1);

/// What the writer is made of.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) commands: Receiver<Command>,
    /// For claims that find nobody.
    pub(super) back: SyncSender<Command>,
    pub(super) config: EmbeddedConfig,
    pub(super) time: Arc<SteadyTime>,
    pub(super) files: StoreFiles,
    pub(super) registry: Arc<Registry>,
    pub(super) events: Arc<dyn JobEvents>,
    pub(super) leases: Arc<Leases<i64>>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) readers: Arc<Readers>,
    pub(super) counters: Counters,
    pub(super) due: Due,
}

/// Workers that wait for work, and what has to be done by itself, and when.
#[derive(Default)]
pub(super) struct Due {
    parked: VecDeque<(ClaimRequest, Pending<Granted>)>,
    /// The earliest deadline of what waits, in steady time; perhaps of something that waits no more.
    deadline: Option<i64>,
    /// When something becomes too old, in steady time.
    retention: Option<i64>,
    /// Nothing is tried by itself before this.
    not_before: Option<Instant>,
    /// How long the log was before the last transaction.
    log: u64,
    /// When a log that is too long is cut.
    cut_log: Option<Instant>,
    /// When a failure was last warned about; none when the last transaction was committed.
    warned: Option<Instant>,
}

impl Writer {
    /// Applies what a death of the process means to everything that ran, and looks for what is due.
    pub(super) fn recover(&mut self) -> Result<(), QueueError> {
        let orphans = running_rows(&self.connection).map_err(failure)?;
        self.due.deadline = earliest_deadline(&self.connection).map_err(failure)?;
        self.due.retention = Some(i64::MIN);
        let now = self.time.moment();
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
            let (mut commands, mut closing) = (Vec::new(), false);
            let mut next = match first {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            while let Some(command) = next {
                match command {
                    Command::Claim(request, answer) => self.due.parked.push_back((request, answer)),
                    Command::Close => closing = true,
                    command => commands.push(command),
                }
                next = if commands.len() < BATCH { self.commands.try_recv().ok() } else { None };
            }
            self.transact(commands);
            self.cut_log();
            if closing {
                break;
            }
        }
        if let Err(error) = self.time.save(&self.connection) {
            tracing::debug!(%error, "the moment of the end could not be saved");
        }
        // Readers may still be there; then the log stays for the next start.
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the log of the job store stays for the next start");
        }
    }

    /// How long nothing is due; none when nothing will be.
    fn next_due(&self) -> Option<Duration> {
        let (now, instant) = (self.time.now(), Instant::now());
        let until = |at: i64| Duration::from_micros(u64::try_from(at.saturating_sub(now)).unwrap_or_default());
        let recorded = earliest(self.due.deadline, self.due.retention).map(until);
        let leases = self.leases.next_end().map(|end| end.saturating_duration_since(instant));
        let pause = self.due.not_before.map(|at| at.saturating_duration_since(instant)).unwrap_or_default();
        let log = self.due.cut_log.map(|at| at.saturating_duration_since(instant));
        earliest(earliest(recorded, leases).map(|wait| wait.max(pause)), log)
    }

    /// Cuts a log that stays longer than it should be: a reader needed it, and has gone.
    fn cut_log(&mut self) {
        if self.due.log <= LOG_BYTES {
            self.due.cut_log = None;
            return;
        }
        let at = *self.due.cut_log.get_or_insert_with(|| Instant::now() + CUT_LOG);
        if Instant::now() < at {
            return;
        }
        // A reader that still needs it is not waited for.
        let cut = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))
        });
        if let Err(error) = self.connection.busy_timeout(BUSY) {
            tracing::debug!(%error, "the job store keeps no time to wait for others");
        }
        match cut {
            Ok(false) => (self.due.log, self.due.cut_log) = (0, None),
            _ => self.due.cut_log = Some(Instant::now() + CUT_LOG),
        }
    }

    fn transact(&mut self, mut commands: Vec<Command>) {
        let mut claimed = Vec::new();
        let written = self.write(&mut commands, &mut claimed);
        let committed = self.commit(written);
        self.due.not_before = committed.is_err().then(|| Instant::now() + AGAIN);
        let undone = committed.as_ref().err();
        for command in commands {
            command.answer(undone);
        }
        for claims in claimed {
            claims.send(undone);
        }
    }

    /// Writes what is asked for, what is due, and claims for those who wait for work.
    fn write(&mut self, commands: &mut [Command], claimed: &mut Vec<Pending<Granted>>) -> Result<Effects, QueueError> {
        let now = self.time.moment();
        let mut effects = self.execute_all(commands, now)?;
        self.do_what_is_due(now, &mut effects)?;
        self.serve_parked(now, &mut effects, claimed)?;
        Ok(effects)
    }

    /// Executes all commands in a transaction. A command that fails leaves no trace and does not disturb the others; but
    /// that is so rare that it is seen to only when it has happened.
    fn execute_all(&mut self, commands: &mut [Command], now: Moment) -> Result<Effects, QueueError> {
        self.begin()?;
        let mut effects = Effects::default();
        let mut all = commands.iter_mut();
        if all.try_for_each(|command| self.execute(command, now, self.depth(&effects), &mut effects)).is_ok() {
            return Ok(effects);
        }
        self.rollback();
        self.begin()?;
        let mut effects = Effects::default();
        for command in commands {
            match self.attempt(command, now, self.depth(&effects)) {
                Ok(own) => effects.add(own),
                Err(error) => command.fail(error),
            }
        }
        Ok(effects)
    }

    /// Executions that wait, with those of this transaction.
    fn depth(&self, effects: &Effects) -> i64 {
        self.counters.depth + effects.deltas.depth
    }

    fn begin(&mut self) -> Result<(), QueueError> {
        self.due.log = self.files.check()?;
        self.run("BEGIN IMMEDIATE").map_err(failure)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Commits and makes the effects happen, in the order that the port promises; or undoes everything.
    fn commit(&mut self, written: Result<Effects, QueueError>) -> Result<(), QueueError> {
        let committed = written.and_then(|effects| {
            effects.deltas.save(&self.connection).map_err(failure)?;
            self.time.save_sometimes(&self.connection).map_err(failure)?;
            self.run("COMMIT").map_err(failure)?;
            Ok(effects)
        });
        match committed {
            Ok(effects) => {
                if self.due.warned.take().is_some() {
                    tracing::info!("the job store can be written again");
                }
                self.publish(effects);
                Ok(())
            }
            Err(error) => {
                self.rollback();
                let cause = &error as &dyn std::error::Error;
                if self.due.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                    self.due.warned = Some(Instant::now());
                    tracing::warn!(error = cause, "the job store could not be written");
                } else {
                    tracing::debug!(error = cause, "the job store could not be written");
                }
                Err(error)
            }
        }
    }

    fn rollback(&self) {
        if !self.connection.is_autocommit() {
            // Nothing else can be done when this fails too: the next transaction will say so.
            let _ = self.run("ROLLBACK");
        }
    }

    fn held(&self) -> Held<'_> {
        Held { retention: &self.config.retention, counters: &self.counters, log: self.due.log }
    }

    fn publish(&mut self, effects: Effects) {
        self.counters.add(&effects.deltas);
        // What ends before what begins: a worker never holds more than it has slots for.
        effects.released.into_iter().for_each(|token| self.leases.remove(token));
        for (token, lease) in effects.granted {
            self.leases.insert(token, lease);
        }
        effects.fenced.into_iter().for_each(|token| self.leases.fence(token));
        effects.cancelled.into_iter().for_each(|token| self.leases.ask_to_cancel(token));
        self.due.deadline = earliest(self.due.deadline, effects.waits_until);
        for (hostname, draining) in &effects.draining {
            self.registry.set_draining(hostname, *draining);
        }
        if self.held().over_limits() {
            self.due.retention = Some(i64::MIN);
        } else if !effects.ended.is_empty() || self.due.retention.is_none() && !effects.events.is_empty() {
            let too_old = too_old_at(self.time.now(), &self.config.retention);
            self.due.retention = earliest(self.due.retention, Some(too_old));
        }
        if !effects.events.is_empty() {
            self.events.committed(&effects.events);
        }
        for id in effects.ended {
            let waiters = self.waiters.take(id);
            if !waiters.is_empty() {
                self.readers.tell(id, waiters);
            }
        }
    }

    /// Executes one command while so many executions wait. When it fails, what it wrote is still there.
    fn execute(&self, command: &mut Command, now: Moment, depth: i64, effects: &mut Effects) -> Result<(), QueueError> {
        let connection = &self.connection;
        match command {
            Command::Submit(rows, idempotency, answer) => {
                answer.set(Ok(submit(connection, rows, idempotency.as_ref(), depth, self.config.max_depth, effects)
                    .map_err(failure)?));
            }
            Command::Finish(token, outcome, answer) => {
                answer.set(Ok(self.finish(now, *token, outcome, effects).map_err(failure)?));
            }
            Command::Cancel(id, answer) => answer.set(Ok(self.cancel(now, *id, effects).map_err(failure)?)),
            Command::Delete(id, answer) => answer.set(Ok(delete(connection, *id, effects).map_err(failure)?)),
            Command::Drain(hostname, draining, answer) => {
                answer.set(Ok(drain(connection, hostname, *draining).map_err(failure)?));
                effects.draining.push((hostname.clone(), *draining));
            }
            Command::DropClaims(tokens) => self.drop_claims(now, tokens, effects).map_err(failure)?,
            Command::Check(answer) => answer.set(Ok(())),
            Command::Claim(..) | Command::Close => {}
        }
        Ok(())
    }

    /// Executes one command so that its failure undoes its own changes only.
    fn attempt(&self, command: &mut Command, now: Moment, depth: i64) -> Result<Effects, QueueError> {
        if self.connection.is_autocommit() {
            // An error of an earlier command was so bad that SQLite undid the whole transaction.
            return Err(QueueError::new(QueueErrorKind::Unavailable, "the job store could not be written"));
        }
        self.run("SAVEPOINT command").map_err(failure)?;
        let mut effects = Effects::default();
        let done = self.execute(command, now, depth, &mut effects);
        if done.is_err() && !self.connection.is_autocommit() {
            self.run("ROLLBACK TO command").map_err(failure)?;
        }
        if !self.connection.is_autocommit() {
            self.run("RELEASE command").map_err(failure)?;
        }
        done.map(|()| effects)
    }

    fn event(
        &self,
        now: Moment,
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
        now: Moment,
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

    fn drop_claims(&self, now: Moment, tokens: &[ClaimToken], effects: &mut Effects) -> rusqlite::Result<()> {
        tokens.iter().filter_map(|token| self.leases.held(*token)).try_for_each(|(row, ..)| {
            self.event(now, row, ExecutionEvent::ClaimDropped, &Detail::default(), effects).map(drop)
        })
    }

    fn cancel(&self, now: Moment, id: JobId, effects: &mut Effects) -> rusqlite::Result<Cancelled> {
        let Some(found) = job(&self.connection, id)? else { return Ok(Cancelled::NotFound) };
        if found.summary.status.is_terminal() {
            return Ok(Cancelled::AlreadyTerminal(found.summary.status));
        }
        self.connection
            .prepare_cached("UPDATE job SET cancel_requested_at = coalesce(cancel_requested_at, ?2) WHERE id = ?1")?
            .execute((id.as_uuid().as_bytes(), now.at))?;
        for row in open_rows(&self.connection, id)? {
            self.event(now, row, ExecutionEvent::CancelRequested, &Detail::default(), effects)?;
        }
        Ok(job(&self.connection, id)?.map_or(Cancelled::NotFound, |job| Cancelled::Accepted(Box::new(job))))
    }

    /// Leases that ended, deadlines that passed, jobs that are kept no longer.
    fn do_what_is_due(&mut self, now: Moment, effects: &mut Effects) -> Result<(), QueueError> {
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
        if waits_until.is_some_and(|at| at <= now.steady) {
            let late = rows_past_deadline(&self.connection, now.steady).map_err(failure)?;
            for row in late {
                self.event(now, row, ExecutionEvent::DeadlinePassed, &Detail::default(), effects).map_err(failure)?;
            }
            self.due.deadline = earliest_deadline(&self.connection).map_err(failure)?;
            effects.waits_until = None;
        }
        if self.due.retention.is_some_and(|at| at <= now.steady) {
            self.due.retention = sweep(&self.connection, now.steady, self.held(), effects).map_err(failure)?;
        }
        Ok(())
    }

    /// Gives work to those who wait for it.
    fn serve_parked(
        &mut self,
        now: Moment,
        effects: &mut Effects,
        claimed: &mut Vec<Pending<Granted>>,
    ) -> Result<(), QueueError> {
        for _ in 0..self.due.parked.len() {
            let Some((request, mut answer)) = self.due.parked.pop_front() else { break };
            if answer.is_abandoned() {
                continue;
            }
            let claims = if self.depth(effects) > 0 {
                claim(&self.connection, now, &request, self.counters.tokens, &self.leases, effects).map_err(failure)?
            } else {
                Vec::new()
            };
            if claims.is_empty() {
                self.due.parked.push_back((request, answer));
            } else {
                answer.set(Ok(Granted::new(claims, self.back.clone())));
                claimed.push(answer);
            }
        }
        Ok(())
    }
}

/// Remembers whether a host drains.
fn drain(connection: &Connection, hostname: &Hostname, draining: bool) -> rusqlite::Result<()> {
    let sql = if draining {
        "INSERT INTO draining (hostname) VALUES (?1) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM draining WHERE hostname = ?1"
    };
    connection.prepare_cached(sql)?.execute([hostname.to_string()]).map(drop)
}
