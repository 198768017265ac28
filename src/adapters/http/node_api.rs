//! The typed calls: each submits one operation as a job, waits for it, and answers with what every host said.
//!
//! A convenience over the same service as the calls for jobs: what they make is a job like any other.

use std::sync::Arc;

use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::{
    answers::NodeAnswer,
    parameters::{Parameter, Wait},
    problem::ApiError,
    security::{Scope, Verified},
    waits::Waits,
    wire::{Body, DnsChangeBody},
};
use crate::{
    domain::{
        Caller, IdempotencyKey, InterfaceName, Operation, Target,
        operation::{
            CommandExec, NetworkDnsGet, NetworkDnsUpdate, NetworkPing, NoInput, NodeDiskGet, NodeHostnameGet,
            NodeLoadGet, NodeMemoryGet, NodeOsGet, NodeStatusGet, NodeUptimeGet, Spec, command_exec::CommandInput,
            network_dns_get::DnsQuery, network_ping::Ping,
        },
    },
    ports::driving::{JobRequest, Jobs},
};

/// The typed calls over the driving port of jobs.
pub(super) struct NodeApi {
    pub(super) jobs: Arc<dyn Jobs>,
    pub(super) waits: Arc<Waits>,
}

impl NodeApi {
    async fn ask<O: Spec>(
        &self,
        caller: Caller,
        target: Target,
        operation: Operation,
        wait: Query<Option<Parameter<Wait>>>,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<NodeAnswer<O>, ApiError> {
        let wait = self.waits.begin(&caller, wait.0.map_or_else(Wait::default, |wait| wait.0).0);
        let request = JobRequest { operation, target, timeout_seconds: None, deadline_seconds: None, idempotency_key };
        Ok(self.jobs.submit(caller, request, wait.time).await?.into())
    }

    async fn read<O: Spec>(
        &self,
        caller: Verified,
        target: Path<Parameter<Target>>,
        operation: fn(NoInput) -> Operation,
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<O>, ApiError> {
        self.ask(caller.0, target.0.0, operation(NoInput {}), wait, None).await
    }
}

#[OpenApi]
impl NodeApi {
    /// The names and labels of hosts
    ///
    /// Runs `node.hostname.get`.
    #[oai(path = "/api/v1/nodes/:target/hostname", method = "get", operation_id = "get_node_hostname")]
    async fn hostname(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeHostnameGet>, ApiError> {
        self.read(caller, target, Operation::NodeHostnameGet, wait).await
    }

    /// Everything about hosts at once
    ///
    /// Runs `node.status.get`. A part that cannot be read is absent and named in `errors`.
    #[oai(path = "/api/v1/nodes/:target/status", method = "get", operation_id = "get_node_status")]
    async fn status(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeStatusGet>, ApiError> {
        self.read(caller, target, Operation::NodeStatusGet, wait).await
    }

    /// How long hosts have been up
    ///
    /// Runs `node.uptime.get`.
    #[oai(path = "/api/v1/nodes/:target/uptime", method = "get", operation_id = "get_node_uptime")]
    async fn uptime(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeUptimeGet>, ApiError> {
        self.read(caller, target, Operation::NodeUptimeGet, wait).await
    }

    /// The operating systems of hosts
    ///
    /// Runs `node.os.get`.
    #[oai(path = "/api/v1/nodes/:target/os", method = "get", operation_id = "get_node_os")]
    async fn os(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeOsGet>, ApiError> {
        self.read(caller, target, Operation::NodeOsGet, wait).await
    }

    /// The load of hosts
    ///
    /// Runs `node.load.get`.
    #[oai(path = "/api/v1/nodes/:target/load", method = "get", operation_id = "get_node_load")]
    async fn load(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeLoadGet>, ApiError> {
        self.read(caller, target, Operation::NodeLoadGet, wait).await
    }

    /// The memory of hosts
    ///
    /// Runs `node.memory.get`.
    #[oai(path = "/api/v1/nodes/:target/memory", method = "get", operation_id = "get_node_memory")]
    async fn memory(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeMemoryGet>, ApiError> {
        self.read(caller, target, Operation::NodeMemoryGet, wait).await
    }

    /// The name servers and search domains of an interface
    ///
    /// Runs `network.dns.get`.
    #[oai(path = "/api/v1/nodes/:target/network/dns/:interface", method = "get", operation_id = "get_dns")]
    async fn dns(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// An interface that the hosts have.
        interface: Path<Parameter<InterfaceName>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NetworkDnsGet>, ApiError> {
        let query = DnsQuery { interface: interface.0.0 };
        self.ask(caller.0, target.0.0, Operation::NetworkDnsGet(query), wait, None).await
    }

    /// Set the name servers or search domains of an interface
    ///
    /// What is not named stays as it is; a change that is there already changes nothing.
    #[oai(path = "/api/v1/nodes/:target/network/dns/:interface", method = "put", operation_id = "update_dns")]
    async fn update_dns(
        &self,
        #[oai(scope = "Scope::Write")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// An interface that the hosts have.
        interface: Path<Parameter<InterfaceName>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
        body: Body<DnsChangeBody>,
    ) -> Result<NodeAnswer<NetworkDnsUpdate>, ApiError> {
        let change = body.0.of(interface.0.0);
        self.ask(caller.0, target.0.0, Operation::NetworkDnsUpdate(change), wait, None).await
    }

    /// Ask an address for echoes
    ///
    /// Runs `network.ping`: ICMP echo requests from every host of the target.
    #[oai(path = "/api/v1/nodes/:target/network/ping", method = "post", operation_id = "ping")]
    async fn ping(
        &self,
        #[oai(scope = "Scope::Write")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
        /// Makes a repetition of the request find the same job, for at least 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<Parameter<IdempotencyKey>>>,
        body: Body<Ping>,
    ) -> Result<NodeAnswer<NetworkPing>, ApiError> {
        let key = idempotency_key.0.map(|key| key.0);
        self.ask(caller.0, target.0.0, Operation::NetworkPing(body.0), wait, key).await
    }

    /// Run a command on hosts
    ///
    /// A program that the configuration of a worker lists; no shell is involved. It never starts twice.
    #[oai(path = "/api/v1/nodes/:target/command/exec", method = "post", operation_id = "exec_command")]
    async fn exec(
        &self,
        #[oai(scope = "Scope::Admin")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
        /// Makes a repetition of the request find the same job, for at least 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<Parameter<IdempotencyKey>>>,
        body: Body<CommandInput>,
    ) -> Result<NodeAnswer<CommandExec>, ApiError> {
        let key = idempotency_key.0.map(|key| key.0);
        self.ask(caller.0, target.0.0, Operation::CommandExec(body.0), wait, key).await
    }

    /// The filesystems of hosts
    ///
    /// Runs `node.disk.get`. Pseudo filesystems are left out.
    #[oai(path = "/api/v1/nodes/:target/disk", method = "get", operation_id = "get_node_disk")]
    async fn disk(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
        target: Path<Parameter<Target>>,
        /// Seconds to wait for the end; then the answer is 202 and the job goes on.
        wait: Query<Option<Parameter<Wait>>>,
    ) -> Result<NodeAnswer<NodeDiskGet>, ApiError> {
        self.read(caller, target, Operation::NodeDiskGet, wait).await
    }
}
