//! Queues: the embedded one. Adapters of the `JobQueue` and `WorkerRegistry` ports.
