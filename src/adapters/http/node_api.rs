//! The typed calls: each submits one operation as a job, waits for it, and answers with what every host said.
//!
//! A convenience over the same service as the calls for jobs: what they make is a job like any other.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

use super::{
    answers::NodeAnswer,
    parameters::{Parameter, Wait},
    problem::ApiError,
    security::{Scope, Verified},
};
use crate::{
    domain::{
        Caller, IdempotencyKey, Operation, Target,
        operation::{
            NoInput, NodeDiskGet, NodeHostnameGet, NodeLoadGet, NodeMemoryGet, NodeOsGet, NodeStatusGet, NodeUptimeGet,
            Spec,
        },
    },
    ports::driving::{JobRequest, Jobs},
};

/// The typed calls over the driving port of jobs.
pub(super) struct NodeApi {
    pub(super) jobs: Arc<dyn Jobs>,
}

type Waits = Query<Option<Parameter<Wait>>>;

impl NodeApi {
    async fn ask<O: Spec>(
        &self,
        caller: Caller,
        target: Target,
        operation: Operation,
        wait: Waits,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<NodeAnswer<O>, ApiError> {
        let wait = wait.0.map_or_else(Wait::default, |wait| wait.0);
        let request = JobRequest { operation, target, timeout_seconds: None, deadline_seconds: None, idempotency_key };
        Ok(self.jobs.submit(caller, request, wait.0).await?.into())
    }

    async fn read<O: Spec>(
        &self,
        caller: Verified,
        target: Path<Parameter<Target>>,
        operation: fn(NoInput) -> Operation,
        wait: Waits,
    ) -> Result<NodeAnswer<O>, ApiError> {
        self.ask(caller.0, target.0.0, operation(NoInput {}), wait, None).await
    }
}

#[OpenApi]
impl NodeApi {
    /// The names and labels of hosts
    #[oai(path = "/api/v1/nodes/:target/hostname", method = "get", operation_id = "get_node_hostname")]
    async fn hostname(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeHostnameGet>, ApiError> {
        self.read(caller, target, Operation::NodeHostnameGet, wait).await
    }

    /// Everything about hosts at once
    #[oai(path = "/api/v1/nodes/:target/status", method = "get", operation_id = "get_node_status")]
    async fn status(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeStatusGet>, ApiError> {
        self.read(caller, target, Operation::NodeStatusGet, wait).await
    }

    /// How long hosts have been up
    #[oai(path = "/api/v1/nodes/:target/uptime", method = "get", operation_id = "get_node_uptime")]
    async fn uptime(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeUptimeGet>, ApiError> {
        self.read(caller, target, Operation::NodeUptimeGet, wait).await
    }

    /// The operating systems of hosts
    #[oai(path = "/api/v1/nodes/:target/os", method = "get", operation_id = "get_node_os")]
    async fn os(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeOsGet>, ApiError> {
        self.read(caller, target, Operation::NodeOsGet, wait).await
    }

    /// The load of hosts
    #[oai(path = "/api/v1/nodes/:target/load", method = "get", operation_id = "get_node_load")]
    async fn load(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeLoadGet>, ApiError> {
        self.read(caller, target, Operation::NodeLoadGet, wait).await
    }

    /// The memory of hosts
    #[oai(path = "/api/v1/nodes/:target/memory", method = "get", operation_id = "get_node_memory")]
    async fn memory(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeMemoryGet>, ApiError> {
        self.read(caller, target, Operation::NodeMemoryGet, wait).await
    }

    /// The filesystems of hosts
    #[oai(path = "/api/v1/nodes/:target/disk", method = "get", operation_id = "get_node_disk")]
    async fn disk(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        target: Path<Parameter<Target>>,
        wait: Waits,
    ) -> Result<NodeAnswer<NodeDiskGet>, ApiError> {
        self.read(caller, target, Operation::NodeDiskGet, wait).await
    }
}
