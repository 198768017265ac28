//! The law of the ledger under random use: whatever happens in whatever order, nothing is lost or counted twice.

use std::time::Duration;

use osapi::{
    domain::{Effect, ExecutionEvent, FailureKind, JobId, JobStatus},
    ports::{driven::ClaimToken, driving::JobEvent},
};
use proptest::prelude::*;

use super::{
    embedded::Embedded,
    fixture::{Backend, Options, World, still},
    nats::Nats,
};

/// Something that happens to a queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    Submit { effect: u8, hosts: u8 },
    Claim { host: u8, max: u32 },
    Finish { which: u8, how: u8 },
    Cancel { which: u8 },
    Delete { which: u8 },
    Pass { minutes: u64 },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(effect, hosts)| Step::Submit { effect, hosts }),
        4 => (0..2_u8, 1..4_u32).prop_map(|(host, max)| Step::Claim { host, max }),
        4 => (any::<u8>(), 0..5_u8).prop_map(|(which, how)| Step::Finish { which, how }),
        1 => any::<u8>().prop_map(|which| Step::Cancel { which }),
        1 => any::<u8>().prop_map(|which| Step::Delete { which }),
        1 => (1..90_u64).prop_map(|minutes| Step::Pass { minutes }),
        1 => Just(Step::Kill),
    ]
}

const HOSTS: [&str; 2] = ["web-1", "web-2"];

async fn happen<B: Backend>(steps: Vec<Step>) {
    let mut world = World::<B>::new(Options::default());
    let (mut ids, mut tokens): (Vec<JobId>, Vec<ClaimToken>) = (Vec::new(), Vec::new());
    let mut ledger = world.queue().stats().await.unwrap().ledger;
    for step in steps {
        match step {
            Step::Submit { effect, hosts } => {
                let slots: &[&str] = [&["_any"][..], &HOSTS[..1], &HOSTS][usize::from(hosts)];
                ids.push(world.submit(Effect::ALL[usize::from(effect)], slots).await);
            }
            Step::Claim { host, max } => {
                let host = HOSTS[usize::from(host)];
                // A claim that would wait is not made.
                let queue = world.queue();
                let claim = queue.claim(super::fixture::request(host, max));
                tokio::pin!(claim);
                for _ in 0..2 {
                    tokio::select! {
                        biased;
                        claims = &mut claim => {
                            tokens.extend(claims.unwrap().iter().map(|claim| claim.token));
                            break;
                        }
                        checked = queue.check() => checked.unwrap(),
                    }
                }
            }
            Step::Finish { which, how } if !tokens.is_empty() => {
                let token = tokens[usize::from(which) % tokens.len()];
                let event = [
                    ExecutionEvent::Returned,
                    ExecutionEvent::Failed(FailureKind::Operation),
                    ExecutionEvent::Failed(FailureKind::Panic),
                    ExecutionEvent::WorkerStopped,
                    ExecutionEvent::CancelConfirmed,
                ][usize::from(how)];
                world.finish(token, event).await;
            }
            Step::Cancel { which } if !ids.is_empty() => {
                world.queue().cancel(ids[usize::from(which) % ids.len()]).await.unwrap();
            }
            Step::Delete { which } if !ids.is_empty() => {
                world.queue().delete(ids[usize::from(which) % ids.len()]).await.unwrap();
            }
            Step::Pass { minutes } => world.pass(Duration::from_mins(minutes)),
            Step::Kill => world.reopen(),
            _ => {}
        }
        world.queue().check().await.unwrap();

        let stats = world.queue().stats().await.unwrap();
        assert!(stats.ledger_balances(), "after {step:?}: {stats:?}");
        assert!(stats.ledger.created >= ledger.created);
        assert!(stats.ledger.completed.iter().zip(&ledger.completed).all(|(now, before)| now >= before));
        assert_eq!(stats.depth == 0, stats.oldest_waiting.is_none(), "after {step:?}");
        ledger = stats.ledger;
    }

    // The reports say the same as the ledger, and the ledger the same as the jobs, at a moment when nothing changes: a
    // claim that nobody took may still be on its way back.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        world.queue().check().await.unwrap();
        let stats = world.queue().stats().await.unwrap();
        let created = world.reported(|event| matches!(event, JobEvent::Created { .. })) as u64;
        let completed = JobStatus::ALL.map(|status| {
            world.reported(|event| matches!(event, JobEvent::Completed { status: ended, .. } if *ended == status))
                as u64
        });
        let mut counted = [0_u64; JobStatus::ALL.len()];
        for id in &ids {
            if let Some(job) = world.queue().job(*id).await.unwrap() {
                counted[job.summary.status.index()] += 1;
            }
        }
        if still(world.queue().stats().await.unwrap()) == still(stats.clone()) {
            assert_eq!((created, completed), (stats.ledger.created, stats.ledger.completed));
            assert_eq!(JobStatus::ALL.map(|status| stats.by_status(status)), counted);
            return;
        }
        assert!(std::time::Instant::now() < deadline, "it does not come to rest");
    }
}

/// On a runtime of its own.
fn run<B: Backend>(steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(happen::<B>(steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_balances_after_every_step(steps in prop::collection::vec(step(), 1..60)) {
        run::<Embedded>(steps);
    }
}

proptest! {
    // Each case starts a server.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_balances_after_every_step_on_nats(steps in prop::collection::vec(step(), 1..60)) {
        run::<Nats>(steps);
    }
}
