//! Tells the program which commit it is built from: `BUILD_REVISION` of the environment where it is set, else what git says
//! of this checkout, else `unknown`. Never fails: sources without git build as well.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the program is made of. A change there makes it another one than that of the commit.
const SOURCES: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    println!("cargo::rerun-if-env-changed=BUILD_REVISION");
    let given = env::var("BUILD_REVISION").ok().filter(|given| !given.is_empty());
    let revision = given.or_else(of_checkout).unwrap_or_else(|| "unknown".to_owned());
    // Without the prefix of configuration keys: cargo sets it for programs that it runs, too.
    println!("cargo::rustc-env=BUILT_REVISION={revision}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
}

/// The commit that is checked out here, and whether the sources differ from it.
fn of_checkout() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    // A copy of the sources inside of another repository is no checkout of this one.
    if fs::canonicalize(top).ok()? != fs::canonicalize(env::var_os("CARGO_MANIFEST_DIR")?).ok()? {
        return None;
    }
    // Written at every commit, checkout, merge and reset. Without it, a branch keeps its commit in a file of its own.
    let head = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| Path::new(path).exists());
    let head = head.or_else(|| git(&["rev-parse", "--git-path", "HEAD"]));
    if let Some(head) = head.map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", head.display());
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// What git prints; none where it fails or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    // A checkout that belongs to another user is read all the same; nothing of it is executed.
    let ran =
        Command::new("git").args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]).args(arguments).output();
    let ran = ran.ok().filter(|ran| ran.status.success())?;
    Some(String::from_utf8(ran.stdout).ok()?.trim().to_owned())
}
