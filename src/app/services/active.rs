//! The count of operations that run now: a guard, so that no way out forgets to count down.

use std::sync::Arc;

use crate::{domain::OperationKind, ports::driven::MetricsPort};

/// Counts an operation as running until it is dropped.
pub(super) struct Active {
    metrics: Arc<dyn MetricsPort>,
    operation: OperationKind,
}

impl Active {
    pub(super) fn start(metrics: Arc<dyn MetricsPort>, operation: OperationKind) -> Self {
        metrics.execution_started(operation);
        Self { metrics, operation }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.metrics.execution_stopped(self.operation);
    }
}
