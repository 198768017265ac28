//! What a command sees of the world around the process.

use std::{
    ffi::OsString,
    io::{Read, Write},
};

/// The environment and the standard streams.
pub struct Process<'a> {
    /// The name under which the program was started.
    pub program: String,
    /// Environment variables.
    pub env: Vec<(OsString, OsString)>,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Standard output: answers only, so that they can be piped.
    pub stdout: &'a mut dyn Write,
    /// Standard error: everything that is said about an answer.
    pub stderr: &'a mut dyn Write,
}
