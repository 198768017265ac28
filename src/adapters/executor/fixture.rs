//! What the tests of operations share: hosts made of a few files, programs that stand in for those of a host, and running
//! a test once more in namespaces of its own.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::sync::watch;

use super::{HostExecutor, HostExecutorConfig};
use crate::{
    domain::{Failure, Labels, Operation, OperationKind, Output},
    ports::driven::OperationExecutor,
};

/// Says which test runs in namespaces of its own.
const INSIDE: &str = "OSAPI_TEST_INSIDE";

/// The executor of the host below a directory.
pub(super) fn executor(root: &Path) -> HostExecutor {
    let hostname = "web-1".parse().expect("a hostname");
    HostExecutor::new(HostExecutorConfig {
        root: root.to_owned(),
        ..HostExecutorConfig::new(hostname, Labels::default())
    })
}

/// An operation as a request names it.
pub(super) fn operation(kind: OperationKind, data: &str) -> Operation {
    Operation::deserialize(kind, &mut serde_json::Deserializer::from_str(data)).expect("a valid input")
}

/// Runs an operation to its end.
pub(super) async fn execute(executor: &HostExecutor, kind: OperationKind, data: &str) -> Result<Output, Failure> {
    let (_keep, stop) = watch::channel(false);
    executor.execute(operation(kind, data), stop).await
}

/// Writes a file of a host.
pub(super) fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    fs::write(file, text).expect("written");
}

/// Makes a program of a host out of a shell script.
pub(super) fn program(root: &Path, path: &str, script: &str) -> PathBuf {
    let program = root.join(path);
    fs::create_dir_all(program.parent().expect("a folder")).expect("made");
    // Written by another process: a program that this one has open for writing cannot be started meanwhile, nor by any
    // process that another test is starting just then.
    let mut writer = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(&program)
        .stdin(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut input = writer.stdin.take().expect("piped");
    write!(input, "#!/bin/sh\n{script}\n").expect("written");
    drop(input);
    assert!(writer.wait().expect("it ends").success());
    program
}

/// Whether a process is gone, or only waits for somebody to hear of its end.
pub(super) fn ended(process: &str) -> bool {
    match fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

/// A set of capabilities of this process, as `/proc/self/status` names it.
pub(super) fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("reads");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("a line").trim();
    u64::from_str_radix(effective, 16).expect("a number") & (1 << number) != 0
}

/// Runs the test with this name once more as root of namespaces of its own, and says whether this is that run.
///
/// What such a test mounts it has made itself: whatever is seen below a temporary directory is removed with it, through
/// mounts too.
///
/// `prepare` are shell commands that run there first, and `through` is a program that starts the test.
///
/// # Panics
/// When the test fails there, and when a process that may make namespaces cannot.
pub(super) fn inside(test: &str, namespaces: &[&str], prepare: &str, through: &str) -> bool {
    const SYS_ADMIN: u32 = 21;
    let test = test.split_once("::").expect("below the crate").1;
    if env::var(INSIDE).is_ok_and(|inside| inside == test) {
        return true;
    }
    let as_root: &[&str] = if has_capability(SYS_ADMIN) { &[] } else { &["--user", "--map-root-user"] };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(as_root).args(namespaces);
        command
    };
    let may = unshare().arg("true").output().expect("there is unshare");
    if !may.status.success() {
        assert!(!has_capability(SYS_ADMIN), "cannot make namespaces: {}", String::from_utf8_lossy(&may.stderr));
        return false;
    }
    let script = format!("set -e\n{prepare}\nexec {through} \"$0\" --exact \"$1\" --nocapture");
    let program = env::current_exe().expect("known");
    let ran = unshare().args(["sh", "-c", &script]).arg(program).arg(test).env(INSIDE, test).output().expect("runs");
    let said = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.0.contains("1 passed"), "{}\n{}", said.0, said.1);
    false
}
