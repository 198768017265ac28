//! What operators see: precedence, every key from every origin, what is said about wrong values, and the documentation.

mod documentation;
mod precedence;
mod refusals;
mod system;
