//! A fleet of real processes: API processes and workers, each a child of the test, and the server between them.
//!
//! What one process shows by itself is tested beside `server`, what the queue promises in `queue`. Here is what only
//! several processes can break.

mod cable;
mod cancels;
mod copies;
mod cut_off;
mod full_stream;
mod keys;
mod kills;
mod outages;
mod registry;
mod scene;
mod small_server;
mod stops;
mod targets;
mod truth;
