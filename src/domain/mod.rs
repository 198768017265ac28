//! The pure rules of the service: jobs and their lifecycle, operations, targets, workers, scopes.
//!
//! Nothing here does I/O, is async, reads a clock or logs. Time and identifiers come in as arguments.
//! What another layer needs to know about a job is decided here and nowhere else.

pub mod bounded_list;
pub mod bounded_number;
pub mod caller;
pub mod execution;
pub mod field_error;
pub mod hostname;
pub mod idempotency;
pub mod interface_name;
pub mod job;
pub mod job_id;
pub mod label;
pub mod lifecycle;
pub mod operation;
pub mod scope;
pub mod scoped_address;
pub mod search_domain;
pub mod stats;
pub mod status;
pub mod target;
pub mod time_limits;
pub mod timeline;
pub mod worker;

pub use bounded_list::BoundedList;
pub use bounded_number::BoundedNumber;
pub use caller::Caller;
pub use execution::{ErrorKind, Execution, ExecutionError, Failure, FailureKind, ResultDocument};
pub use field_error::FieldError;
pub use hostname::Hostname;
pub use idempotency::{Idempotency, IdempotencyKey, RequestFingerprint};
pub use interface_name::InterfaceName;
pub use job::{Job, JobSummary, NewJob, Slot};
pub use job_id::JobId;
pub use label::{LabelSelector, Labels};
pub use lifecycle::{Decision, ExecutionEvent, ExecutionState, InvalidTransition};
pub use operation::{Effect, Operation, OperationKind, Output};
pub use scope::Scope;
pub use scoped_address::ScopedAddress;
pub use search_domain::SearchDomain;
pub use stats::{Ledger, QueueStats};
pub use status::{ExecutionStatus, JobStatus, Tally};
pub use target::{Target, TargetError};
pub use time_limits::{Defaults, TimeLimits};
pub use timeline::{TimelineEntry, TimelineEvent};
pub use worker::{InstanceId, Worker, WorkerState};
