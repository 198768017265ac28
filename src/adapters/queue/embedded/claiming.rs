//! Claims: which executions a worker gets, oldest first.

use rusqlite::{Connection, params};

use super::{
    effects::Effects,
    transition::{Detail, apply, in_row},
};
use crate::{
    adapters::queue::{
        leases::Leases,
        store::{Moment, as_id, between, corrupt, duration, word},
    },
    domain::{Effect, ExecutionEvent, Operation, OperationKind},
    ports::{
        driven::{Claim, ClaimRequest, ClaimToken},
        driving::JobEvent,
    },
};

/// Claims what there is for this worker, up to what it asked for. `last_token` is the last one that was given.
pub(super) fn claim(
    connection: &Connection,
    now: Moment,
    request: &ClaimRequest,
    last_token: i64,
    leases: &Leases<i64>,
    effects: &mut Effects,
) -> rusqlite::Result<Vec<Claim>> {
    let worker = request.worker.to_string();
    let draining = connection.prepare_cached("SELECT 1 FROM draining WHERE hostname = ?1")?.exists([&worker])?;
    if draining {
        return Ok(Vec::new());
    }
    let mut claims = Vec::new();
    for row in waiting(connection, now, request, &worker)? {
        let Some(run) = in_row(connection, row)? else { continue };
        effects.deltas.tokens += 1;
        let token = ClaimToken(u64::try_from(last_token + effects.deltas.tokens).unwrap_or_default());
        let detail = Detail { claim: Some((&worker, token)), ..Detail::default() };
        if !apply(connection, now, &run, ExecutionEvent::Claimed, &detail, effects)? {
            continue;
        }
        let claim = read(connection, row, token, now)?;
        let lease = leases.grant(row, run.job_id, request.worker.clone(), claim.time_left);
        effects.granted.push((token, lease));
        let waited = between(run.accepted, now.steady);
        effects.events.push(JobEvent::Claimed { operation: run.operation, waited });
        claims.push(claim);
    }
    Ok(claims)
}

/// The oldest of those meant for this host and those meant for any.
fn waiting(connection: &Connection, now: Moment, request: &ClaimRequest, worker: &str) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, accepted, job_id FROM execution INDEXED BY execution_waiting \
         WHERE status = 'queued' AND slot = ?1 AND expires > ?2 AND needs_commands <= ?3 \
         ORDER BY accepted, job_id LIMIT ?4",
    )?;
    let mut found: Vec<(i64, [u8; 16], i64)> = Vec::new();
    // A host gets what is meant for it even when it runs no commands any more: then the command is refused there.
    for (slot, commands) in [(worker, true), ("_any", request.commands_enabled)] {
        let rows = statement.query_map(params![slot, now.steady, commands, request.max], |row| {
            Ok((row.get(1)?, row.get(2)?, row.get(0)?))
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().take(request.max as usize).map(|(.., row)| row).collect())
}

fn read(connection: &Connection, row: i64, token: ClaimToken, now: Moment) -> rusqlite::Result<Claim> {
    connection
        .prepare_cached(
            "SELECT e.attempt, j.operation, j.data, j.effect, j.timeout, e.expires, j.id \
             FROM execution e JOIN job j ON j.id = e.job_id WHERE e.id = ?1",
        )?
        .query_row([row], |row| {
            let kind = word(row, 1, |name| OperationKind::from_name(name).ok(), "an unknown operation")?;
            let data: Option<String> = row.get(2)?;
            let mut data = serde_json::Deserializer::from_str(data.as_deref().unwrap_or("{}"));
            Ok(Claim {
                token,
                job_id: as_id(row.get(6)?)?,
                operation: Operation::deserialize(kind, &mut data)
                    .map_err(|_| corrupt("an input that its operation does not take"))?,
                effect: word(row, 3, Effect::from_word, "an unknown effect")?,
                attempt: row.get(0)?,
                timeout: duration(row.get(4)?)?,
                time_left: between(now.steady, row.get(5)?),
            })
        })
}
