//! The order in which a process prepares itself.

use std::{
    ffi::{CString, OsString},
    io::{self, Read},
    process,
};

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::set_name,
};

use super::{first_process, inherited::Inherited, own_program, secrets};
use crate::app::config::{SECRETS_ON_STDIN, secret_variables};

/// The process cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct BootError {
    what: &'static str,
    source: io::Error,
}

impl BootError {
    fn of<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self { what, source: source.into() }
    }
}

/// Prepares this process, which must have one thread. `env` is its environment, and has its secrets afterwards; the
/// environment that the kernel shows has them no more.
///
/// The process is replaced by itself on the way when there are secrets. The first process of a container or of another
/// process namespace does not return from here: it starts the program once more, and ends with it.
///
/// # Errors
/// When the operating system refuses a step; the process must end then.
pub fn boot(env: &mut Vec<(OsString, OsString)>, stdin: &mut dyn Read) -> Result<Inherited, BootError> {
    // From here on only root can read its memory and its environment, and trace it (prctl(2), PR_SET_DUMPABLE).
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(BootError::of("hide the memory of the process"))?;
    let handed_over = secrets::are_on_stdin(env);
    if !handed_over {
        let found = secrets::of(env, &secret_variables());
        if !found.is_empty() {
            return Err(BootError::of("take the secrets out of the environment")(secrets::hand_over(&found)));
        }
    }
    // Started through /proc, it has lost its name.
    if let Some(name) = own_program::name().and_then(|name| CString::new(name).ok()) {
        let _ = set_name(&name);
    }
    if process::id() == 1 {
        let ended = first_process::supervise().map_err(BootError::of("start the program below the first process"))?;
        process::exit(ended);
    }
    if handed_over {
        secrets::take(env, stdin).map_err(BootError::of("read the secrets that the environment had"))?;
    }
    env.retain(|(name, _)| name != SECRETS_ON_STDIN);
    secrets::leave_stdin().map_err(BootError::of("replace standard input"))?;
    Ok(Inherited::replace())
}
