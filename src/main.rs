//! The `osapi` program: runs the command that its arguments name.

#![forbid(unsafe_code)]

use std::{io, process::ExitCode};

use osapi::app::cli::{Process, run};

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let env = std::env::vars_os().collect();
    let program = std::env::args().next().unwrap_or_else(|| "osapi".to_owned());
    let mut process = Process { program, env, stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
    run(std::env::args_os(), &mut process).into()
}
