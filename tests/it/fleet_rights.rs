//! Who may do what on the NATS server, and what a process says that may not or cannot use it: with real servers, real
//! processes, and the server's configuration that ships in `ops/nats`.

mod credentials;
mod forbidden;
mod installation;
mod pages;
mod permissions;
mod prefixes;
mod purges;
mod refusals;
mod tls;
mod waiting;
mod wire;
