//! Which commit a program says that it was built from.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::server::Home;

/// The revision that the program names, which must be one word in parentheses behind its version.
pub(crate) fn named_by_the_program() -> String {
    let said = Home::new().run(&["--version"]).stdout;
    let said = String::from_utf8(said).unwrap();
    let revision = said.trim().strip_prefix("osapi 0.1.0 (").and_then(|rest| rest.strip_suffix(')'));
    revision.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn git(directory: &Path, arguments: &[&str]) -> Output {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "safe.directory=*"];
    Command::new("git").current_dir(directory).args(identity).args(arguments).output().unwrap()
}

fn commit_of(directory: &Path) -> Option<String> {
    let said = git(directory, &["rev-parse", "--short=12", "HEAD"]);
    said.status.success().then(|| String::from_utf8(said.stdout).unwrap().trim().to_owned())
}

#[test]
fn the_program_names_the_commit_that_is_checked_out() {
    let named = named_by_the_program();
    let commit = commit_of(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|| "unknown".to_owned());
    assert_eq!(named.strip_suffix("-dirty").unwrap_or(&named), commit);
}

/// What the build script tells cargo in a directory: the revision, and the files whose change makes it run again.
fn told(script: &Path, directory: &Path, given: Option<&str>) -> (String, String) {
    let mut command = Command::new(script);
    command.current_dir(directory).env("CARGO_MANIFEST_DIR", directory).env_remove("BUILD_REVISION");
    command.envs(given.map(|given| ("BUILD_REVISION", given)));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).unwrap();
    let revision = said.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=BUILT_REVISION=")).unwrap();
    (revision.to_owned(), said.clone())
}

#[test]
fn every_kind_of_checkout_is_named_and_sources_without_one_build_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let (script, checkout) = (directory.path().join("build"), directory.path().join("checkout"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new("rustc")
        .args(["--edition", "2024", "-o"])
        .args([&script, &root.join("build.rs")])
        .current_dir(root)
        .status();
    assert!(built.unwrap().success());

    fs::create_dir_all(checkout.join("src")).unwrap();
    fs::write(checkout.join("src/main.rs"), "fn main() {}").unwrap();
    assert_eq!(told(&script, &checkout, None).0, "unknown");
    assert_eq!(told(&script, &checkout, Some("v1")).0, "v1");

    assert!(git(&checkout, &["init", "--quiet"]).status.success());
    assert_eq!(told(&script, &checkout, None).0, "unknown", "there is no commit yet");
    for words in [&["add", "."][..], &["commit", "--quiet", "-m", "one"]] {
        assert!(git(&checkout, words).status.success());
    }
    let commit = commit_of(&checkout).unwrap();
    let (revision, said) = told(&script, &checkout, None);
    assert_eq!(revision, commit);
    assert!(said.contains("cargo::rerun-if-changed=.git/logs/HEAD\n"), "it runs again when the commit changes: {said}");
    fs::write(checkout.join("notes"), "not a part of the program").unwrap();
    assert_eq!(told(&script, &checkout, None).0, commit);
    fs::write(checkout.join("src/new.rs"), "").unwrap();
    assert_eq!(told(&script, &checkout, None).0, format!("{commit}-dirty"));
    assert_eq!(told(&script, &checkout, Some("v1")).0, "v1");
    fs::remove_file(checkout.join("src/new.rs")).unwrap();

    // Another checkout of the same repository keeps its commit elsewhere.
    let second = directory.path().join("second");
    assert!(git(&checkout, &["worktree", "add", "--quiet", second.to_str().unwrap()]).status.success());
    let (revision, said) = told(&script, &second, None);
    assert_eq!(revision, commit);
    assert!(said.contains("/worktrees/second/logs/HEAD\n"), "{said}");

    // A copy of the sources inside of another repository has no commit of its own.
    let copy = checkout.join("vendor/osapi");
    fs::create_dir_all(copy.join("src")).unwrap();
    assert_eq!(told(&script, &copy, None).0, "unknown");
}
