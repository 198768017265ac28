//! Storing a job, unless it was stored before or there is no room.

use rusqlite::{Connection, OptionalExtension, params};

use super::{command::Accepted, effects::Effects};
use crate::{
    adapters::queue::store::{NewRows, as_id},
    domain::{Idempotency, JobId},
    ports::driving::JobEvent,
};

/// The job that this key made, and whether for the same request.
pub(super) fn known(connection: &Connection, idempotency: &Idempotency) -> rusqlite::Result<Option<(JobId, bool)>> {
    let mut statement =
        connection.prepare_cached("SELECT job_id, fingerprint FROM idempotency WHERE subject = ?1 AND key = ?2")?;
    let found = statement.query_row((&idempotency.subject, idempotency.key.as_str()), |row| {
        let fingerprint: [u8; 16] = row.get(1)?;
        Ok((as_id(row.get(0)?)?, fingerprint == *idempotency.fingerprint.as_uuid().as_bytes()))
    });
    found.optional()
}

/// Stores a job, unless its key made one before or there is no room.
pub(super) fn submit(
    connection: &Connection,
    rows: &NewRows,
    idempotency: Option<&Idempotency>,
    depth: i64,
    max_depth: u64,
    effects: &mut Effects,
) -> rusqlite::Result<Accepted> {
    if let Some(idempotency) = idempotency
        && let Some((id, same)) = known(connection, idempotency)?
    {
        return Ok(Accepted::Known { id, same });
    }
    let deltas = rows.deltas();
    if depth.saturating_add(deltas.depth) > i64::try_from(max_depth).unwrap_or(i64::MAX) {
        return Ok(Accepted::Full);
    }
    rows.insert(connection)?;
    if let Some(idempotency) = idempotency {
        remember(connection, idempotency, rows)?;
    }
    effects.deltas.add(&deltas);
    effects.events.push(JobEvent::Created { operation: rows.job.operation.kind() });
    effects.waits_until = Some(rows.expires());
    Ok(Accepted::Created)
}

fn remember(connection: &Connection, idempotency: &Idempotency, rows: &NewRows) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (subject, key, fingerprint, job_id, made) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            idempotency.subject,
            idempotency.key.as_str(),
            idempotency.fingerprint.as_uuid().as_bytes(),
            rows.job.id.as_uuid().as_bytes(),
            rows.accepted,
        ])
        .map(drop)
}
