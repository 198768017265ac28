//! Workers, as operators see them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::{Hostname, Worker},
    ports::{
        driven::{QueueError, QueueErrorKind, WorkerRegistry},
        driving::{Workers, WorkersError},
    },
};

/// Lists and drains the workers of a registry.
pub struct WorkersService {
    registry: Arc<dyn WorkerRegistry>,
}

impl WorkersService {
    /// Over `registry`.
    #[must_use]
    pub fn new(registry: Arc<dyn WorkerRegistry>) -> Self {
        Self { registry }
    }
}

fn refused(error: &QueueError) -> WorkersError {
    tracing::warn!(error = error as &dyn std::error::Error, "the worker registry failed");
    match error.kind() {
        QueueErrorKind::StorageFull => WorkersError::StorageFull,
        _ => WorkersError::Unavailable,
    }
}

#[async_trait]
impl Workers for WorkersService {
    async fn list(&self) -> Result<Vec<Worker>, WorkersError> {
        self.registry.connected().await.map_err(|error| refused(&error))
    }

    async fn set_draining(&self, hostname: Hostname, draining: bool) -> Result<Worker, WorkersError> {
        let worker = self.registry.set_draining(&hostname, draining).await.map_err(|error| refused(&error))?;
        let worker = worker.ok_or(WorkersError::NotFound)?;
        tracing::info!(worker = %hostname, draining, "worker draining changed");
        Ok(worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::driven::MockWorkerRegistry;

    fn hostname() -> Hostname {
        "web-01".parse().expect("valid hostname")
    }

    #[tokio::test]
    async fn draining_a_worker_that_is_not_connected_finds_nothing() {
        let mut registry = MockWorkerRegistry::new();
        registry.expect_set_draining().once().returning(|_, _| Ok(None));
        let service = WorkersService::new(Arc::new(registry));
        assert_eq!(service.set_draining(hostname(), true).await, Err(WorkersError::NotFound));
    }

    #[tokio::test]
    async fn a_failing_registry_is_unavailable_and_a_full_one_says_so() {
        for (kind, expected) in [
            (QueueErrorKind::Unavailable, WorkersError::Unavailable),
            (QueueErrorKind::StorageFull, WorkersError::StorageFull),
        ] {
            let mut registry = MockWorkerRegistry::new();
            registry.expect_connected().once().returning(move || Err(QueueError::new(kind, "broken")));
            assert_eq!(WorkersService::new(Arc::new(registry)).list().await, Err(expected));
        }
    }
}
