//! `network.dns.get` and `network.dns.update` on hosts made of files, with a program in place of `resolvectl` that keeps
//! its settings in files too.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use super::{
    HostExecutor,
    fixture::{execute, executor, inside, program, write},
};
use crate::domain::{
    Failure, FailureKind, OperationKind, Output,
    operation::{
        network_dns_get::{DnsSettings, DnsSource},
        network_dns_update::ChangedDnsSettings,
    },
};

const RESOLV_CONF: &str = "# by hand\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch a.example\noptions edns0\n";

/// Prints and takes settings as systemd 252 does, and notes each call. The number of the interface is always 3.
const RESOLVECTL: &str = r#"
d=$(dirname "$0"); shift 2; verb=$1; link=$2; shift 2
echo "$verb $link $*" >>"$d/calls"
[ -e "$d/refuses" ] && { cat "$d/refuses" >&2; exit 1; }
[ $# -eq 0 ] && { echo "Link 3 ($link):$(cat "$d/$verb" 2>/dev/null)"; exit 0; }
[ -e "$d/refuses-$verb" ] && { echo "Failed to set: Interactive authentication required." >&2; exit 1; }
[ -e "$d/forgets" ] && exit 0
: >"$d/$verb"
for word; do [ -n "$word" ] && printf ' %s' "$word" >>"$d/$verb"; done
exit 0
"#;

/// A host with an interface and a file.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(root.path().join("sys/class/net/eth0")).expect("made");
    write(root.path(), "etc/resolv.conf", RESOLV_CONF);
    root
}

/// The same where systemd-resolved runs.
fn host_with_resolved() -> tempfile::TempDir {
    let root = host();
    fs::create_dir_all(root.path().join("run/systemd/resolve")).expect("made");
    program(root.path(), "usr/bin/resolvectl", RESOLVECTL);
    root
}

/// Puts a link in place of the file.
fn link(root: &Path, to: &str) {
    fs::remove_file(root.join("etc/resolv.conf")).expect("removed");
    symlink(to, root.join("etc/resolv.conf")).expect("linked");
}

async fn get(executor: &HostExecutor) -> Result<DnsSettings, Failure> {
    match execute(executor, OperationKind::NetworkDnsGet, r#"{"interface":"eth0"}"#).await? {
        Output::NetworkDnsGet(settings) => Ok(settings),
        other => panic!("{other:?}"),
    }
}

async fn update(executor: &HostExecutor, change: &str) -> Result<ChangedDnsSettings, Failure> {
    let data = format!(r#"{{"interface":"eth0",{change}}}"#);
    match execute(executor, OperationKind::NetworkDnsUpdate, &data).await? {
        Output::NetworkDnsUpdate(changed) => Ok(changed),
        other => panic!("{other:?}"),
    }
}

fn settings(servers: &[&str], search_domains: &[&str], source: DnsSource) -> DnsSettings {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    DnsSettings { servers: strings(servers), search_domains: strings(search_domains), source }
}

fn of_file(servers: &[&str], search_domains: &[&str]) -> DnsSettings {
    settings(servers, search_domains, DnsSource::ResolvConf)
}

fn of_resolved(servers: &[&str], search_domains: &[&str]) -> DnsSettings {
    settings(servers, search_domains, DnsSource::Resolved)
}

fn changed(settings: DnsSettings, changed: bool) -> ChangedDnsSettings {
    ChangedDnsSettings { settings, changed }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(ran: Result<T, Failure>, words: &str) {
    let failure = ran.expect_err("it cannot work");
    assert_eq!(failure.kind, FailureKind::Operation);
    assert!(failure.message.contains(words), "{}", failure.message);
}

fn text(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).expect("it is there")
}

/// Everything below `etc`: names and contents.
fn everything(root: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(root.join("etc")).expect("reads").map(|entry| entry.expect("reads").path());
    let name = |path: &Path| path.file_name().expect("named").to_string_lossy().into_owned();
    let mut all: Vec<_> = entries.map(|path| (name(&path), fs::read(&path).unwrap_or_default())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_named_and_nothing_is_touched() {
    let root = host_with_resolved();
    let executor = executor(root.path());
    // Beside the interfaces there is a file of the bonding driver.
    write(root.path(), "sys/class/net/bonding_masters", "");
    for name in ["eth1", "bonding_masters", "...", "%s"] {
        let data = format!(r#"{{"interface":"{name}","servers":["192.0.2.9"]}}"#);
        let ran = execute(&executor, OperationKind::NetworkDnsUpdate, &data).await;
        assert_refused(ran, &format!("this host has no interface {name}"));
        let data = format!(r#"{{"interface":"{name}"}}"#);
        let ran = execute(&executor, OperationKind::NetworkDnsGet, &data).await;
        assert_refused(ran, &format!("this host has no interface {name}"));
    }
    assert_eq!(everything(root.path()), [("resolv.conf".to_owned(), RESOLV_CONF.into())]);
    assert!(!root.path().join("usr/bin/calls").exists());
}

#[tokio::test]
async fn a_change_of_the_file_keeps_all_else_and_what_it_was() {
    let root = host();
    let executor = executor(root.path());
    assert_eq!(get(&executor).await, Ok(of_file(&["192.0.2.1", "192.0.2.2"], &["a.example"])));

    let ran =
        update(&executor, r#""servers":["192.0.2.3","fe80::1"],"search_domains":["B.example","c.example."]"#).await;
    let expected = of_file(&["192.0.2.3", "fe80::1%eth0"], &["b.example", "c.example"]);
    assert_eq!(ran, Ok(changed(expected.clone(), true)));
    let written =
        "# by hand\nnameserver 192.0.2.3\nnameserver fe80::1%eth0\nsearch b.example c.example\noptions edns0\n";
    let files =
        [("resolv.conf".to_owned(), written.into()), ("resolv.conf.osapi-backup".to_owned(), RESOLV_CONF.into())];
    assert_eq!(everything(root.path()), files);
    assert_eq!(get(&executor).await, Ok(expected));

    // Only what is named is changed.
    let ran = update(&executor, r#""search_domains":[]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&["192.0.2.3", "fe80::1%eth0"], &[]), true)));
    let ran = update(&executor, r#""servers":["192.0.2.1"]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&["192.0.2.1"], &[]), true)));
}

#[tokio::test]
async fn a_second_identical_change_of_the_file_touches_nothing() {
    let root = host();
    let executor = executor(root.path());
    let change = r#""servers":["2001:DB8::1"],"search_domains":["A.example","b.example"]"#;
    let first = update(&executor, change).await.expect("it works");
    assert!(first.changed);
    let place = root.path().join("etc/resolv.conf");
    let looks = || {
        let file = fs::metadata(&place).expect("there");
        (file.ino(), file.mtime(), file.mtime_nsec(), file.ctime_nsec(), everything(root.path()))
    };
    let before = looks();
    assert_eq!(update(&executor, change).await, Ok(changed(first.settings, false)));
    assert_eq!(looks(), before);
}

#[tokio::test]
async fn domains_that_differ_in_case_alone_are_the_same() {
    let root = host();
    write(root.path(), "etc/resolv.conf", "search A.Example.\n");
    let ran = update(&executor(root.path()), r#""search_domains":["a.EXAMPLE"]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&[], &["A.Example"]), false)));
}

#[tokio::test]
async fn a_changed_file_keeps_its_mode_its_owner_and_its_attributes() {
    let root = host();
    let place = root.path().join("etc/resolv.conf");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).expect("set");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&place, Some(65_534), Some(65_533)).expect("set");
    }
    // Where the filesystem has such.
    let attribute = || {
        let mut value = [0; 16];
        rustix::fs::getxattr(&place, "user.label", &mut value[..]).map(|length| value[..length].to_vec())
    };
    let _ = rustix::fs::setxattr(&place, "user.label", b"net_conf_t", rustix::fs::XattrFlags::empty());
    let looks = || {
        let file = fs::metadata(&place).expect("there");
        (file.mode(), file.uid(), file.gid(), attribute())
    };
    let before = (looks(), fs::metadata(&place).expect("there").ino());
    update(&executor(root.path()), r#""servers":["192.0.2.9"]"#).await.expect("it works");
    assert_eq!(looks(), before.0);
    assert_ne!(fs::metadata(&place).expect("there").ino(), before.1, "it was replaced, not overwritten");
    let backup = fs::metadata(root.path().join("etc/resolv.conf.osapi-backup")).expect("there");
    assert_eq!((backup.mode(), backup.uid(), backup.gid()), (before.0.0, before.0.1, before.0.2));
}

#[tokio::test]
async fn a_host_without_the_file_gets_one() {
    let root = host();
    fs::remove_file(root.path().join("etc/resolv.conf")).expect("removed");
    let executor = executor(root.path());
    assert_eq!(get(&executor).await, Ok(of_file(&[], &[])));
    let ran = update(&executor, r#""servers":["192.0.2.9"],"search_domains":["lan"]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&["192.0.2.9"], &["lan"]), true)));
    assert_eq!(everything(root.path()), [("resolv.conf".to_owned(), b"nameserver 192.0.2.9\nsearch lan\n".to_vec())]);
    let mode = fs::metadata(root.path().join("etc/resolv.conf")).expect("there").mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[tokio::test]
async fn what_an_interrupted_change_left_does_not_stand_in_the_way() {
    let root = host();
    write(root.path(), "etc/resolv.conf.osapi-new", "half a fi");
    symlink("resolv.conf", root.path().join("etc/resolv.conf.osapi-backup")).expect("linked");
    update(&executor(root.path()), r#""servers":["192.0.2.9"]"#).await.expect("it works");
    let names: Vec<String> = everything(root.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["resolv.conf", "resolv.conf.osapi-backup"]);
    // A link that stood there was not written through.
    assert_eq!(text(root.path(), "etc/resolv.conf.osapi-backup"), RESOLV_CONF);
}

#[tokio::test]
async fn a_link_of_the_administrator_is_followed_and_stays_one() {
    for to in ["../srv/dns/resolv.conf", "/srv/dns/resolv.conf"] {
        let root = host();
        write(root.path(), "srv/dns/resolv.conf", RESOLV_CONF);
        link(root.path(), to);
        let ran = update(&executor(root.path()), r#""servers":["192.0.2.9"]"#).await.expect("it works");
        assert_eq!(ran.settings.servers, ["192.0.2.9"]);
        assert_eq!(fs::read_link(root.path().join("etc/resolv.conf")).expect("a link"), Path::new(to));
        assert!(text(root.path(), "srv/dns/resolv.conf").contains("nameserver 192.0.2.9\n"));
        assert_eq!(text(root.path(), "srv/dns/resolv.conf.osapi-backup"), RESOLV_CONF);
    }
}

#[tokio::test]
async fn what_belongs_to_another_program_is_read_and_not_written() {
    for to in [
        "../run/systemd/resolve/stub-resolv.conf",
        "/run/NetworkManager/resolv.conf",
        "../run/resolvconf/resolv.conf",
        "/var/run/netconfig/resolv.conf",
        "/usr/lib/systemd/resolv.conf",
    ] {
        let root = host();
        let place = to.trim_start_matches("..");
        write(root.path(), place.trim_start_matches('/'), "nameserver 127.0.0.53\noptions edns0\n");
        link(root.path(), to);
        let executor = executor(root.path());
        assert_eq!(get(&executor).await, Ok(of_file(&["127.0.0.53"], &[])));
        assert_refused(
            update(&executor, r#""servers":["192.0.2.9"]"#).await,
            &format!("leads to {place}, which belongs"),
        );
        // What is so already needs no writing.
        assert_eq!(update(&executor, r#""servers":["127.0.0.53"]"#).await.map(|ran| ran.changed), Ok(false));
        assert_eq!(text(root.path(), place.trim_start_matches('/')), "nameserver 127.0.0.53\noptions edns0\n");
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_not_waited_for() {
    let (loops, nowhere) =
        ("leads through too many symbolic links", "cannot read /run/gone, to which /etc/resolv.conf leads");
    for (to, words) in [("resolv.conf", loops), ("/run/gone", nowhere), ("/etc", "cannot read /etc, to which")] {
        let root = host();
        link(root.path(), to);
        let executor = executor(root.path());
        assert_refused(get(&executor).await, words);
        assert_refused(update(&executor, r#""servers":["192.0.2.9"]"#).await, words);
    }
    let root = host();
    let place = root.path().join("etc/resolv.conf");
    fs::remove_file(&place).expect("removed");
    assert!(Command::new("mkfifo").arg(&place).status().expect("it is there").success());
    assert_refused(get(&executor(root.path())).await, "cannot read /etc/resolv.conf: it is not a file");
    fs::remove_file(&place).expect("removed");
    write(root.path(), "etc/resolv.conf", "nameserver 192.0.2.1\n".repeat(60_000));
    assert_refused(get(&executor(root.path())).await, "it is larger than 1048576 bytes");
}

#[tokio::test]
async fn what_the_file_cannot_say_is_refused() {
    let root = host();
    let executor = executor(root.path());
    let four = r#""servers":["192.0.2.1","192.0.2.2","192.0.2.3","192.0.2.4"]"#;
    assert_refused(update(&executor, four).await, "/etc/resolv.conf takes at most 3 servers");
    let routing = r#""search_domains":["a.example","~b.example"]"#;
    assert_refused(update(&executor, routing).await, "need systemd-resolved, which does not run");
    assert_eq!(everything(root.path()), [("resolv.conf".to_owned(), RESOLV_CONF.into())]);
}

#[tokio::test]
async fn changes_at_the_same_time_do_not_undo_one_another() {
    let root = host();
    let executor = executor(root.path());
    for round in 0..20 {
        let servers = format!(r#""servers":["192.0.2.{}"]"#, 10 + round);
        let domains = format!(r#""search_domains":["d{round}.example"]"#);
        let (one, other) = tokio::join!(update(&executor, &servers), update(&executor, &domains));
        assert!(one.is_ok_and(|one| one.changed) && other.is_ok_and(|other| other.changed));
        let (server, domain) = (format!("192.0.2.{}", 10 + round), format!("d{round}.example"));
        assert_eq!(get(&executor).await, Ok(of_file(&[server.as_str()], &[domain.as_str()])));
    }
}

#[tokio::test]
async fn where_resolved_runs_it_is_asked_and_set_once() {
    let root = host_with_resolved();
    write(root.path(), "usr/bin/dns", " 192.0.2.1 fe80::1%3");
    let executor = executor(root.path());
    assert_eq!(get(&executor).await, Ok(of_resolved(&["192.0.2.1", "fe80::1%eth0"], &[])));

    let change = r#""servers":["192.0.2.9","fe80::2"],"search_domains":["a.example","~corp.example","~."]"#;
    let expected = of_resolved(&["192.0.2.9", "fe80::2%eth0"], &["a.example", "~corp.example", "~."]);
    assert_eq!(update(&executor, change).await, Ok(changed(expected.clone(), true)));
    assert_eq!(update(&executor, change).await, Ok(changed(expected, false)));
    let ran = update(&executor, r#""search_domains":[]"#).await;
    assert_eq!(ran, Ok(changed(of_resolved(&["192.0.2.9", "fe80::2%eth0"], &[]), true)));

    let calls = text(root.path(), "usr/bin/calls");
    let sets: Vec<&str> =
        calls.lines().filter(|call| call.trim_end().contains("eth0 ") || call.ends_with("eth0  ")).collect();
    let expected = ["dns eth0 192.0.2.9 fe80::2", "domain eth0 a.example ~corp.example ~."];
    assert_eq!(sets, expected);
    // The file is not this service's business.
    assert_eq!(everything(root.path()), [("resolv.conf".to_owned(), RESOLV_CONF.into())]);
}

#[tokio::test]
async fn more_than_three_servers_are_for_resolved() {
    let root = host_with_resolved();
    let addresses: Vec<String> = (1..=16).map(|number| format!("192.0.2.{number}")).collect();
    let change = format!(r#""servers":["{}"]"#, addresses.join("\",\""));
    let ran = update(&executor(root.path()), &change).await.expect("it works");
    assert_eq!((ran.settings.servers, ran.changed), (addresses, true));
}

#[tokio::test]
async fn resolved_that_does_not_run_leaves_the_host_to_its_file() {
    let root = host_with_resolved();
    write(
        root.path(),
        "usr/bin/refuses",
        "Failed to get link data for 3: Unit dbus-org.freedesktop.resolve1.service not found.\n",
    );
    let executor = executor(root.path());
    assert_eq!(get(&executor).await, Ok(of_file(&["192.0.2.1", "192.0.2.2"], &["a.example"])));
    let ran = update(&executor, r#""servers":["192.0.2.9"]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&["192.0.2.9"], &["a.example"]), true)));

    // Unless the file is its own.
    write(root.path(), "run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n");
    link(root.path(), "../run/systemd/resolve/stub-resolv.conf");
    assert_refused(get(&executor).await, "Failed to get link data for 3");
    assert_refused(update(&executor, r#""servers":["192.0.2.9"]"#).await, "Failed to get link data for 3");
    assert_eq!(text(root.path(), "run/systemd/resolve/stub-resolv.conf"), "nameserver 127.0.0.53\n");
}

#[tokio::test]
async fn a_tool_without_a_service_that_ever_ran_is_not_asked() {
    let root = host_with_resolved();
    fs::remove_dir(root.path().join("run/systemd/resolve")).expect("removed");
    assert_eq!(get(&executor(root.path())).await.map(|settings| settings.source), Ok(DnsSource::ResolvConf));
    assert!(!root.path().join("usr/bin/calls").exists());
}

#[tokio::test]
async fn a_server_that_is_not_understood_is_named_beside_the_others_and_keeps_a_change_away() {
    let root = host_with_resolved();
    let script =
        "case $3 in dns) echo 'Link 2 (eth0): 192.0.2.1 odd 192.0.2.2';; *) echo 'Link 2 (eth0): a.example';; esac";
    program(root.path(), "usr/bin/resolvectl", script);
    let executor = executor(root.path());
    let odd = "resolvectl printed words that are not understood: odd";
    let failure = execute(&executor, OperationKind::NetworkDnsGet, r#"{"interface":"eth0"}"#).await.expect_err("odd");
    assert_eq!(failure.message, odd);
    match failure.partial.as_deref() {
        Some(Output::NetworkDnsGet(settings)) => assert_eq!(settings.servers, ["192.0.2.1", "192.0.2.2"]),
        other => panic!("{other:?}"),
    }
    assert_refused(update(&executor, r#""servers":["192.0.2.9"]"#).await, odd);
}

#[tokio::test]
async fn a_tool_that_prints_nonsense_is_an_error_and_not_a_reason_to_write_elsewhere() {
    let root = host_with_resolved();
    program(root.path(), "usr/bin/resolvectl", "echo nonsense");
    let executor = executor(root.path());
    assert_refused(get(&executor).await, "resolvectl printed something unexpected");
    assert_refused(update(&executor, r#""servers":["192.0.2.9"]"#).await, "resolvectl printed something unexpected");
    assert_eq!(everything(root.path()), [("resolv.conf".to_owned(), RESOLV_CONF.into())]);
}

#[tokio::test]
async fn a_change_that_resolved_refuses_or_forgets_is_an_error_that_says_what_was_done() {
    let root = host_with_resolved();
    let executor = executor(root.path());
    write(root.path(), "usr/bin/refuses-domain", "");
    let both = r#""servers":["192.0.2.9"],"search_domains":["a.example"]"#;
    let words = "the servers were set, the search domains were not: resolvectl failed (exit status: 1): Failed to set: \
                 Interactive authentication required.";
    assert_refused(update(&executor, both).await, words);
    write(root.path(), "usr/bin/refuses-dns", "");
    assert_refused(update(&executor, r#""servers":["192.0.2.8"]"#).await, "resolvectl failed (exit status: 1)");
    for name in ["refuses-dns", "refuses-domain"] {
        fs::remove_file(root.path().join("usr/bin").join(name)).expect("removed");
    }
    write(root.path(), "usr/bin/forgets", "");
    assert_refused(update(&executor, both).await, "another program sets them too");
}

#[tokio::test]
async fn a_file_that_is_mounted_by_itself_is_overwritten_or_left_as_it_was() {
    let here = concat!(module_path!(), "::a_file_that_is_mounted_by_itself_is_overwritten_or_left_as_it_was");
    if !inside(here, &["--mount"], "", "") {
        return;
    }
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).status().expect("runs").success(), "{program} {arguments:?}");
    };
    let root = host();
    let at = |path: &str| root.path().join(path).to_str().expect("UTF-8").to_owned();
    // Room for one page and no more.
    fs::create_dir(at("outside")).expect("made");
    run("mount", &["-t", "tmpfs", "-o", "size=4k", "outside", &at("outside")]);
    write(root.path(), "outside/resolv.conf", RESOLV_CONF);
    run("mount", &["--bind", &at("outside/resolv.conf"), &at("etc/resolv.conf")]);
    let executor = executor(root.path());

    let inode = || fs::metadata(at("etc/resolv.conf")).expect("there").ino();
    let before = inode();
    let ran = update(&executor, r#""servers":["192.0.2.9"]"#).await;
    assert_eq!(ran, Ok(changed(of_file(&["192.0.2.9"], &["a.example"]), true)));
    assert_eq!(inode(), before);
    let written = RESOLV_CONF.replace("192.0.2.1\nnameserver 192.0.2.2", "192.0.2.9");
    assert_eq!(text(root.path(), "outside/resolv.conf"), written);
    assert_eq!(text(root.path(), "etc/resolv.conf.osapi-backup"), RESOLV_CONF);

    let long: Vec<String> = (10..42).map(|number| format!("{number}.{}", vec!["abcdefghi"; 23].join("."))).collect();
    let too_much = format!(r#""search_domains":["{}"]"#, long.join("\",\""));
    assert_refused(update(&executor, &too_much).await, "cannot overwrite /etc/resolv.conf: No space left on device");
    assert_eq!(text(root.path(), "outside/resolv.conf"), written);
    assert_eq!(text(root.path(), "etc/resolv.conf.osapi-backup"), written);
    assert!(!root.path().join("etc/resolv.conf.osapi-new").exists());
    run("umount", &[&at("etc/resolv.conf"), &at("outside")]);
}
