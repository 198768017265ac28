//! `command.exec` on real processes: what a program gets, how it ends, what is kept of its output, and what is left.
//!
//! Programs tell the test where they are through a fifo, so nothing here waits for a time.

mod ending;
mod output;
mod scene;
mod starting;
mod worker;
