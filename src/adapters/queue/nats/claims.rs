//! Claims: one dispatcher per host takes hints for it, claims by compare-and-set, and answers who waits.
//!
//! Hints are taken one per free slot and acknowledged as soon as the execution's record says who runs it. A hint that
//! comes when nobody waits any more goes back at once.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, Consumer, pull},
};
use futures_util::{
    FutureExt, StreamExt,
    future::join_all,
    stream::{BoxStream, SelectAll, once},
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::{
    change::{Detail, change, is_late, untouched},
    executions::{Executions, Held, token_of},
    link::{NotWritten, unavailable},
    names::{ANY, Names},
    record::{ExecutionRecord, Hint, JobRecord, decode, encode, time},
};
use crate::{
    domain::{ExecutionEvent, ExecutionStatus, Hostname},
    ports::driven::{Claim, ClaimRequest, ClaimToken, QueueError},
};

/// How long a hint may be on its way to a claim before another worker gets it.
const HINT_WAIT: Duration = Duration::from_secs(10);
/// How long a question for work stays with the server.
const ASK: Duration = Duration::from_secs(30);
/// The server says so often that there is none.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a question that the server answers at once may take.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Pause after a failure.
const AGAIN: Duration = Duration::from_millis(100);

/// Somebody who waits for work.
pub(super) struct Parked {
    pub(super) request: ClaimRequest,
    pub(super) answer: oneshot::Sender<Granted>,
}

/// Claims on their way to a worker. When nobody takes them, they go back.
pub(super) struct Granted {
    claims: Vec<(Claim, Arc<Held>)>,
    executions: Arc<Executions>,
}

impl Granted {
    /// Hands them over.
    pub(super) fn take(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims).into_iter().map(|(claim, _)| claim).collect()
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        // Without a runtime the leases end by themselves.
        let Ok(runtime) = Handle::try_current() else { return };
        for (claim, held) in std::mem::take(&mut self.claims) {
            let executions = Arc::clone(&self.executions);
            runtime.spawn(async move { executions.drop_claim(&held.job, &held.slot, claim.token).await });
        }
    }
}

type Work = Consumer<pull::Config>;
type Asked = BoxStream<'static, (usize, Option<Message>)>;

/// Takes hints for one host.
pub(super) struct Dispatcher {
    pub(super) executions: Arc<Executions>,
    pub(super) hostname: Hostname,
    pub(super) commands_enabled: bool,
    pub(super) requests: mpsc::UnboundedReceiver<Parked>,
    pub(super) draining: watch::Receiver<bool>,
}

impl Dispatcher {
    /// Works until nobody can ask any more.
    pub(super) async fn work(mut self) {
        let mut link = self.executions.link.watch();
        let mut parked: VecDeque<Parked> = VecDeque::new();
        let mut consumers: Vec<Work> = Vec::new();
        loop {
            if link.wait_for(|state| state.now).await.is_err() {
                return;
            }
            link.borrow_and_update();
            match self.consumers().await {
                Ok(found) => consumers = found,
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "cannot ask for work yet"),
            }
            if consumers.is_empty() {
                sleep(AGAIN).await;
                continue;
            }
            if self.serve(&consumers, &mut parked, &mut link).await.is_none() {
                return;
            }
        }
    }

    /// The subjects that this host takes hints from: its own first.
    async fn consumers(&self) -> Result<Vec<Work>, QueueError> {
        let mut sources = vec![(self.hostname.as_str(), false), (ANY, false)];
        if self.commands_enabled {
            sources.push((ANY, true));
        }
        let mut consumers = Vec::new();
        for (slot, commands) in sources {
            let name = Names::work_consumer(slot, commands);
            let config = pull::Config {
                durable_name: Some(name.clone()),
                filter_subject: self.executions.link.names.work(slot, commands),
                ack_policy: AckPolicy::Explicit,
                ack_wait: HINT_WAIT,
                max_deliver: -1,
                max_ack_pending: 20_000,
                max_waiting: 20_000,
                ..pull::Config::default()
            };
            let made = self.executions.link.streams.work.get_or_create_consumer(&name, config).await;
            consumers.push(made.map_err(|error| unavailable("a consumer cannot be made").with_source(error))?);
        }
        Ok(consumers)
    }

    /// Serves until the connection changes; none when nobody can ask any more.
    async fn serve(
        &mut self,
        consumers: &[Work],
        parked: &mut VecDeque<Parked>,
        link: &mut watch::Receiver<super::link::Connected>,
    ) -> Option<()> {
        let mut asked: SelectAll<Asked> = SelectAll::new();
        let mut open = vec![false; consumers.len()];
        loop {
            parked.retain(|parked| !parked.answer.is_closed());
            let draining = *self.draining.borrow_and_update();
            if let Some(max) = parked.front().filter(|_| !draining).map(|parked| parked.request.max) {
                let hints = self.take_now(consumers, max).await;
                if self.grant(hints, parked).await {
                    continue;
                }
                for (source, consumer) in consumers.iter().enumerate() {
                    open[source] = open[source] || ask(&mut asked, source, consumer).await;
                }
                if open.iter().any(|open| !open) {
                    sleep(AGAIN).await;
                    return Some(());
                }
            }
            let waiting = parked.front_mut();
            let gone = async {
                match waiting {
                    Some(waiting) => waiting.answer.closed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = link.changed() => { changed.ok()?; return Some(()); }
                request = self.requests.recv() => parked.push_back(request?),
                changed = self.draining.changed() => changed.ok()?,
                () = gone => {}
                Some((source, message)) = asked.next() => match message {
                    None => open[source] = false,
                    Some(message) => {
                        let wanted = parked.front().filter(|parked| !draining && !parked.answer.is_closed());
                        let Some(max) = wanted.map(|parked| parked.request.max) else {
                            give_back(&message).await;
                            continue;
                        };
                        let mut hints = vec![message];
                        if max > 1 {
                            hints.extend(self.take_now(consumers, max - 1).await);
                        }
                        self.grant(hints, parked).await;
                    }
                },
            }
        }
    }

    /// Up to so many hints that are there.
    async fn take_now(&self, consumers: &[Work], max: u32) -> Vec<Message> {
        let max = max as usize;
        let mut hints = Vec::new();
        for consumer in consumers {
            if hints.len() >= max {
                break;
            }
            let Ok(mut batch) = consumer.fetch().max_messages(max - hints.len()).messages().await else { continue };
            while let Ok(Some(Ok(message))) = timeout(AT_ONCE, batch.next()).await {
                hints.push(message);
            }
        }
        hints
    }

    /// Claims what the hints tell of for the first who waits. Whether there was anything.
    async fn grant(&self, hints: Vec<Message>, parked: &mut VecDeque<Parked>) -> bool {
        if hints.is_empty() {
            return false;
        }
        let claimed = join_all(hints.iter().map(|hint| self.claim(hint).boxed())).await;
        let mut claims: Vec<(Claim, Arc<Held>)> = claimed.into_iter().flatten().collect();
        claims.sort_by_key(|(claim, _)| claim.job_id);
        if !claims.is_empty() {
            let granted = Granted { claims, executions: Arc::clone(&self.executions) };
            if let Some(first) = parked.pop_front() {
                // Whoever is gone gives them back by dropping them.
                let _ = first.answer.send(granted);
            }
        }
        true
    }

    /// Claims the execution that a hint tells of. The hint is done when it is claimed, or cannot be.
    async fn claim(&self, message: &Message) -> Option<(Claim, Arc<Held>)> {
        let Some(hint) = decode::<Hint>(&message.payload) else {
            done(message).await;
            return None;
        };
        match self.claim_hinted(&hint).await {
            Ok(claimed) => {
                done(message).await;
                claimed
            }
            Err(error) => {
                tracing::debug!(%error, job_id = %hint.job_id, "a claim failed");
                // Not at once: the next worker would meet the same failure.
                let _ = message.ack_with(AckKind::Nak(Some(AGAIN))).await;
                None
            }
        }
    }

    async fn claim_hinted(&self, hint: &Hint) -> Result<Option<(Claim, Arc<Held>)>, QueueError> {
        let executions = &self.executions;
        // Only what was accepted may run, and the record is the acceptance.
        let Some(job) = executions.job(hint.job_id).await? else { return Ok(None) };
        let Some(operation) = job.operation() else { return Ok(None) };
        let now = executions.clock.now();
        if is_late(&job, now) || !job.slots.contains(&hint.slot) {
            return Ok(None);
        }
        let mut known = (hint.sequence == 0).then(|| (untouched(&job, &hint.slot), 0));
        let subject = executions.link.names.execution(job.id, &hint.slot);
        loop {
            let (current, sequence) = match known.take() {
                Some(known) => known,
                None => executions.current(&job, &hint.slot).await?,
            };
            if current.status != ExecutionStatus::Queued {
                return Ok(None);
            }
            let mark = executions.reports.mark();
            let detail = Detail { claimant: Some(&self.hostname), ..Detail::default() };
            let event = ExecutionEvent::Claimed;
            let Some(change) = change(&job, &hint.slot, &current, sequence, event, detail, now, mark) else {
                return Ok(None);
            };
            executions.reports.expect(mark, change.events);
            match executions.link.write(&subject, encode(&change.record), Some(sequence)).await {
                Ok(written) => {
                    executions.reports.stored(mark);
                    executions.wrote(written);
                    return Ok(Some(self.granted(&job, &hint.slot, operation, change.record, written)));
                }
                Err(NotWritten::Conflict) => executions.reports.refused(mark),
                Err(NotWritten::Failed(error)) => {
                    executions.reports.refused(mark);
                    return Err(error);
                }
                Err(NotWritten::Uncertain(error)) => {
                    let (executions, slot) = (Arc::clone(executions), hint.slot.clone());
                    tokio::spawn(async move { executions.resolve_claim(&job, &slot, mark).await });
                    return Err(error);
                }
            }
        }
    }

    fn granted(
        &self,
        job: &Arc<JobRecord>,
        slot: &str,
        operation: crate::domain::Operation,
        record: ExecutionRecord,
        written: u64,
    ) -> (Claim, Arc<Held>) {
        let executions = &self.executions;
        let token: ClaimToken = token_of(&record, written);
        let deadline_at = time(job.deadline_at);
        let claim = Claim {
            token,
            job_id: job.id,
            operation,
            effect: job.effect,
            attempt: record.attempt,
            timeout: Duration::from_micros(job.timeout),
            deadline_at,
        };
        let held = Arc::new(Held { job: Arc::clone(job), slot: slot.to_owned(), known: (record, written) });
        let until_deadline = deadline_at.duration_since(executions.clock.now()).try_into().unwrap_or_default();
        let lease = executions.leases.grant(Arc::clone(&held), job.id, self.hostname.clone(), until_deadline);
        executions.leases.insert(token, lease);
        executions.granted.notify_one();
        (claim, held)
    }
}

/// Asks for one hint, for a while. Whether the question was sent.
async fn ask(asked: &mut SelectAll<Asked>, source: usize, consumer: &Work) -> bool {
    let batch = consumer.batch().max_messages(1).expires(ASK).heartbeat(HEARTBEAT).messages().await;
    let Ok(batch) = batch else { return false };
    let messages = batch.filter_map(move |message| async move { message.ok().map(|message| (source, Some(message))) });
    asked.push(messages.chain(once(async move { (source, None) })).boxed());
    true
}

/// The hint has served its purpose.
async fn done(message: &Message) {
    // A hint that comes again finds its execution claimed.
    let _ = message.ack().await;
}

/// Lets another worker have the hint.
async fn give_back(message: &Message) {
    let _ = message.ack_with(AckKind::Nak(None)).await;
}
