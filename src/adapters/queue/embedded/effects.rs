//! What a command does beside its rows. Nothing of it happens unless the rows are committed.

use crate::{
    adapters::queue::{leases::Lease, store::Deltas},
    domain::{Hostname, JobId},
    ports::{driven::ClaimToken, driving::JobEvent},
};

/// What a command, or all commands of a transaction, do beside their rows.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Changes of the figures.
    pub(super) deltas: Deltas,
    /// What the core hears.
    pub(super) events: Vec<JobEvent>,
    /// Leases that begin.
    pub(super) granted: Vec<(ClaimToken, Lease<i64>)>,
    /// Leases that end because their run ended.
    pub(super) released: Vec<ClaimToken>,
    /// Leases that end while their holder may still run.
    pub(super) fenced: Vec<ClaimToken>,
    /// Holders that are asked to stop.
    pub(super) cancelled: Vec<ClaimToken>,
    /// Jobs that ended or were removed.
    pub(super) ended: Vec<JobId>,
    /// Hosts that drain from now on, or no more.
    pub(super) draining: Vec<(Hostname, bool)>,
    /// The earliest deadline of what began to wait, in steady time.
    pub(super) waits_until: Option<i64>,
}

impl Effects {
    /// Adds what another command does.
    pub(super) fn add(&mut self, other: Self) {
        self.deltas.add(&other.deltas);
        self.events.extend(other.events);
        self.granted.extend(other.granted);
        self.released.extend(other.released);
        self.fenced.extend(other.fenced);
        self.cancelled.extend(other.cancelled);
        self.ended.extend(other.ended);
        self.draining.extend(other.draining);
        self.waits_until = earliest(self.waits_until, other.waits_until);
    }
}

/// The earlier of two moments that may not be.
pub(super) fn earliest<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
