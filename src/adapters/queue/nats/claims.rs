//! Claims: one dispatcher per host takes hints for it, claims by compare-and-set, and answers who waits.
//!
//! Hints are asked for as slots are free, and acknowledged as soon as the execution's record says who runs it. A hint
//! that comes when nobody waits any more goes back at once.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, pull},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, select_all},
    stream::FuturesUnordered,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    change::{Detail, change, untouched},
    executions::{Executions, Held, token_of},
    hands::{Hands, Parked},
    link::{Connected, NotWritten, micros_of, unavailable},
    names::{ANY, Names},
    pulls::{Heard, Pulls},
    record::{Hint, decode, encode},
};
use crate::{
    domain::{ExecutionEvent, ExecutionStatus, Hostname, Operation},
    ports::driven::{Claim, ClaimToken, QueueError},
};

/// How long a hint may be on its way to a claim before another worker gets it.
const HINT_WAIT: Duration = Duration::from_secs(3);
/// A consumer that no process has asked for so long is removed. Hints that wait for it stay.
const DEPARTED: Duration = Duration::from_hours(1);
/// Pause after a failure.
const AGAIN: Duration = Duration::from_millis(100);

/// Takes hints for one host.
pub(super) struct Dispatcher {
    pub(super) executions: Arc<Executions>,
    pub(super) hostname: Hostname,
    pub(super) commands_enabled: bool,
    pub(super) requests: mpsc::UnboundedReceiver<Parked>,
    pub(super) draining: watch::Receiver<bool>,
}

/// Hints that are being turned into claims.
type Claiming = FuturesUnordered<BoxFuture<'static, Option<(Claim, Arc<Held>)>>>;

impl Dispatcher {
    /// Works until nobody can ask any more; gives back then what nobody took.
    pub(super) async fn work(mut self) {
        let mut link = self.executions.link.watch();
        let mut hands = Hands::new(Arc::clone(&self.executions));
        let mut claiming = Claiming::new();
        loop {
            // Requests are heard without a connection too: they may be the last.
            tokio::select! {
                biased;
                up = link.wait_for(|state| state.now) => if up.is_err() { break },
                request = self.requests.recv() => match request {
                    Some(request) => { hands.park(request); continue }
                    None => break,
                },
            }
            link.borrow_and_update();
            match self.sources().await {
                Ok(mut sources) => {
                    let served = self.serve(&mut sources, &mut hands, &mut claiming, &mut link).await;
                    if served.is_none() {
                        break;
                    }
                }
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "cannot ask for work yet"),
            }
            sleep(AGAIN).await;
        }
        while let Some(claimed) = claiming.next().await {
            hands.claimed(claimed);
        }
        hands.give_back().await;
    }

    /// The consumers that this host takes hints from.
    async fn sources(&self) -> Result<Vec<Pulls>, QueueError> {
        let link = &self.executions.link;
        let mut slots = vec![(self.hostname.as_str(), false), (ANY, false)];
        if self.commands_enabled {
            slots.push((ANY, true));
        }
        let mut sources = Vec::new();
        for (slot, commands) in slots {
            let name = Names::work_consumer(slot, commands);
            let config = pull::Config {
                durable_name: Some(name.clone()),
                filter_subject: link.names.work(slot, commands),
                ack_policy: AckPolicy::Explicit,
                ack_wait: HINT_WAIT,
                max_deliver: -1,
                max_ack_pending: 20_000,
                max_waiting: 20_000,
                inactive_threshold: DEPARTED,
                ..pull::Config::default()
            };
            let made = link.streams.work.create_consumer(config).await;
            made.map_err(|error| unavailable("a consumer cannot be made").with_source(error))?;
            sources.push(Pulls::open(link, &name).await?);
        }
        Ok(sources)
    }

    /// Serves until the connection or the consumers change; none when nobody can ask any more.
    async fn serve(
        &mut self,
        sources: &mut [Pulls],
        hands: &mut Hands,
        claiming: &mut Claiming,
        link: &mut watch::Receiver<Connected>,
    ) -> Option<()> {
        loop {
            let draining = *self.draining.borrow_and_update();
            if !draining {
                let free = hands.free();
                for source in sources.iter_mut() {
                    if source.ask(free).await.is_err() {
                        return Some(());
                    }
                }
            }
            let forgotten = sources.iter().filter_map(Pulls::forgotten_at).min();
            let unwanted = hands.unwanted_at();
            tokio::select! {
                changed = link.changed() => { changed.ok()?; return Some(()); }
                request = self.requests.recv() => hands.park(request?),
                Some(claimed) = claiming.next() => hands.claimed(claimed),
                changed = self.draining.changed() => changed.ok()?,
                () = hands.gone() => {}
                () = at(unwanted) => hands.give_back().await,
                () = at(forgotten) => {
                    tracing::debug!("the NATS server has forgotten what it was asked, asking again");
                    return Some(());
                }
                heard = any(sources) => match heard {
                    Heard::Less => {}
                    Heard::Gone => return Some(()),
                    Heard::Hint(hint) => {
                        if *self.draining.borrow() || hands.free() == 0 {
                            give_back(&hint).await;
                        } else {
                            hands.claiming += 1;
                            let (executions, hostname) = (Arc::clone(&self.executions), self.hostname.clone());
                            claiming.push(async move { claim(&executions, &hostname, &hint).await }.boxed());
                        }
                    }
                },
            }
        }
    }
}

/// What comes next from any of them.
async fn any(sources: &mut [Pulls]) -> Heard {
    select_all(sources.iter_mut().map(|source| Box::pin(source.next()))).await.0
}

async fn at(time: Option<std::time::Instant>) {
    match time {
        Some(time) => sleep_until(Instant::from_std(time)).await,
        None => std::future::pending().await,
    }
}

/// Claims the execution that a hint tells of. The hint is done when it is claimed, or cannot be.
async fn claim(executions: &Arc<Executions>, hostname: &Hostname, message: &Message) -> Option<(Claim, Arc<Held>)> {
    let Some(hint) = decode::<Hint>(&message.payload) else {
        done(message).await;
        return None;
    };
    // How long it waited with the server is what the server says. What was sent without a time left has all of it.
    let waited =
        message.info().map(|about| executions.link.time.age(micros_of(about.published.unix_timestamp_nanos())));
    match claim_hinted(executions, hostname, &hint, waited.unwrap_or_default()).await {
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

async fn claim_hinted(
    executions: &Arc<Executions>,
    hostname: &Hostname,
    hint: &Hint,
    hint_waited: Duration,
) -> Result<Option<(Claim, Arc<Held>)>, QueueError> {
    // Only what was accepted may run, and the record is the acceptance.
    let Some(job) = executions.job(hint.job_id).await? else { return Ok(None) };
    let Some(operation) = job.operation() else { return Ok(None) };
    let time_left = hint.time_left.map_or(job.deadline(), Duration::from_micros).saturating_sub(hint_waited);
    // A process that serves the API ends what is late, or knows better and sends another hint.
    if time_left.is_zero() || !job.slots.contains(&hint.slot) {
        return Ok(None);
    }
    let waited = job.deadline().saturating_sub(time_left);
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
        let (lease, since_acceptance) = (executions.leases.length(), waited);
        let detail = Detail { claimant: Some(hostname), lease, since_acceptance, ..Detail::default() };
        let event = ExecutionEvent::Claimed;
        let now = executions.link.time.now();
        let Some(change) = change(&job, &hint.slot, &current, sequence, event, detail, now, mark) else {
            return Ok(None);
        };
        executions.reports.expect(mark, change.events);
        match executions.link.write(&subject, encode(&change.record), Some(sequence)).await {
            Ok(written) => {
                executions.reports.stored(mark);
                executions.wrote(written);
                let known = (change.record, written);
                let held = Held { job, slot: hint.slot.clone(), known, waited };
                return Ok(Some(granted(executions, hostname, held, operation)));
            }
            Err(NotWritten::Conflict) => executions.reports.refused(mark),
            Err(NotWritten::Failed(error)) => {
                executions.reports.refused(mark);
                return Err(error);
            }
            Err(NotWritten::Uncertain(error)) => {
                let (executions, slot) = (Arc::clone(executions), hint.slot.clone());
                tokio::spawn(async move { executions.resolve_claim(job, slot, waited, mark).await });
                return Err(error);
            }
        }
    }
}

/// The claim of what this process now runs.
fn granted(executions: &Arc<Executions>, hostname: &Hostname, held: Held, operation: Operation) -> (Claim, Arc<Held>) {
    let (record, written) = &held.known;
    let (token, job): (ClaimToken, _) = (token_of(record, *written), &held.job);
    let claim = Claim {
        token,
        job_id: job.id,
        operation,
        effect: job.effect,
        attempt: record.attempt,
        timeout: Duration::from_micros(job.timeout),
        time_left: job.deadline().saturating_sub(held.waited),
    };
    let held = Arc::new(held);
    let lease = executions.leases.grant(Arc::clone(&held), claim.job_id, hostname.clone(), claim.time_left);
    executions.leases.insert(token, lease);
    executions.granted.notify_one();
    (claim, held)
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
