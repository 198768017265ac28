//! The `osapi` program: runs the command that its arguments name.

#![forbid(unsafe_code)]

use std::{io, process::ExitCode};

use osapi::app::cli::{Process, run};

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let env = std::env::vars_os().collect();
    let mut process = Process { env, stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
    run(std::env::args_os(), &mut process).into()
}
