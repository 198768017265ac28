//! Takes secrets out of the environment, where the kernel shows them in `/proc/PID/environ` for as long as a program runs.
//!
//! The block that the kernel shows is that of the start, and cannot be changed from within. So the program starts itself
//! once more, as the same process, without the secrets in its environment, and reads them from its standard input, which
//! is a pipe that was filled before. A variable says that it was; it holds the id of the process, so that a process which
//! inherits the variable by accident does not believe it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, PipeReader, Read, Write, pipe},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        process::CommandExt,
    },
    process::id,
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::getppid,
    stdio::dup2_stdin,
};

use super::own_program::again;
use crate::app::config::SECRETS_ON_STDIN;

type Variable = (OsString, OsString);

/// Whether the secrets of this process, or of the first process that started it, wait on standard input.
pub(super) fn are_on_stdin(env: &[Variable]) -> bool {
    let marked = env.iter().find(|(name, _)| name == SECRETS_ON_STDIN).and_then(|(_, value)| value.to_str());
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().to_string());
    marked.is_some_and(|marked| {
        marked == id().to_string() || parent.is_some_and(|parent| parent == "1" && marked == parent)
    })
}

/// The variables that hold secrets.
pub(super) fn of<'a>(env: &'a [Variable], names: &[String]) -> Vec<&'a Variable> {
    let is_secret = |name: &OsStr| names.iter().any(|secret| name == secret.as_str());
    env.iter().filter(|(name, value)| is_secret(name) && !value.is_empty()).collect()
}

/// Starts the program again without these variables. Returns only when that fails, and then the process must end: its
/// standard input is no longer what it was.
pub(super) fn hand_over(secrets: &[&Variable]) -> io::Error {
    let filled = match filled_pipe(secrets) {
        Ok(pipe) => pipe,
        Err(error) => return error,
    };
    let mut command = again();
    for (name, _) in secrets {
        command.env_remove(name);
    }
    command.env(SECRETS_ON_STDIN, id().to_string()).stdin(filled).exec()
}

fn filled_pipe(secrets: &[&Variable]) -> io::Result<PipeReader> {
    let (reader, mut writer) = pipe()?;
    // The reader begins when all is written, so that what does not fit would never be.
    fcntl_setfl(&writer, OFlags::NONBLOCK)?;
    writer.write_all(&encode(secrets)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other("they are longer than a pipe takes"),
        _ => error,
    })?;
    Ok(reader)
}

/// Puts the secrets that wait on `stdin` into `env`.
pub(super) fn take(env: &mut Vec<Variable>, stdin: &mut dyn Read) -> io::Result<()> {
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes)?;
    env.extend(decode(&bytes));
    Ok(())
}

/// Nothing that a process of the service does reads its standard input, and no terminal shall be there.
pub(super) fn leave_stdin() -> io::Result<()> {
    Ok(dup2_stdin(File::open("/dev/null")?)?)
}

/// As the kernel keeps an environment: `NAME=VALUE`, each with a zero byte behind it.
fn encode(variables: &[&Variable]) -> Vec<u8> {
    let encoded = variables.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    encoded.collect::<Vec<_>>().concat()
}

fn decode(bytes: &[u8]) -> impl Iterator<Item = Variable> {
    bytes.split(|byte| *byte == 0).filter_map(|variable| {
        let name = variable.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&variable[..name]), text(&variable[name + 1..])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &[u8]) -> Variable {
        (OsString::from(name), OsString::from_vec(value.to_vec()))
    }

    #[test]
    fn secrets_are_taken_over_byte_for_byte() {
        let secrets = [variable("A", b"one\n=two"), variable("B", b"\xff\xfe")];
        let mut pipe = filled_pipe(&secrets.iter().collect::<Vec<_>>()).expect("filled");
        let mut env = vec![variable("C", b"three")];
        take(&mut env, &mut pipe).expect("taken");
        assert_eq!(env, [variable("C", b"three"), secrets[0].clone(), secrets[1].clone()]);
    }

    #[test]
    fn secrets_that_do_not_fit_are_refused_instead_of_waiting_for_a_reader() {
        let secret = variable("A", &vec![b'x'; 4 << 20]);
        assert!(filled_pipe(&[&secret]).expect_err("too long").to_string().contains("longer than a pipe takes"));
    }

    #[test]
    fn only_variables_with_a_value_are_secrets() {
        let env = [variable("KEY", b"x"), variable("PASSWORD", b""), variable("OTHER", b"y")];
        let names = ["KEY".to_owned(), "PASSWORD".to_owned()];
        assert_eq!(of(&env, &names), [&env[0]]);
    }

    #[test]
    fn a_mark_that_another_process_left_is_not_believed() {
        let own = id().to_string();
        assert!(are_on_stdin(&[variable(SECRETS_ON_STDIN, own.as_bytes())]));
        for other in ["", "0", "x", &format!("{own}0")] {
            assert!(!are_on_stdin(&[variable(SECRETS_ON_STDIN, other.as_bytes())]), "{other}");
        }
        assert!(!are_on_stdin(&[]));
    }
}
