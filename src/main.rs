//! The `osapi` program: runs the command that its arguments name, or becomes a command of a job.

#![forbid(unsafe_code)]

use std::{io, process::ExitCode};

use osapi::{
    adapters::executor::launched,
    app::cli::{Process, run},
};

fn main() -> ExitCode {
    if let Some(code) = launched(std::env::args_os()) {
        return code.into();
    }
    let (mut stdin, mut stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let env = std::env::vars_os().collect();
    let program = std::env::args_os().next().map_or("osapi".into(), |name| name.to_string_lossy().into_owned());
    let mut process = Process { program, env, stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
    run(std::env::args_os(), &mut process).into()
}
