//! Every operation on the layouts of several distributions, and on broken ones.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use super::fixture::{execute, executor, write};
use crate::domain::{Failure, OperationKind, Output, operation::node_status_get::NodeStatus};

/// Runs an operation without input.
fn run(root: &Path, kind: OperationKind) -> Result<Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(execute(&executor(root), kind, "{}"))
}

fn status(root: &Path) -> NodeStatus {
    match run(root, OperationKind::NodeStatusGet) {
        Ok(Output::NodeStatusGet(status)) => status,
        other => panic!("{other:?}"),
    }
}

/// A distribution's files, as much as is read.
struct Layout {
    release: (&'static str, &'static str),
    expected: (&'static str, &'static str),
    arch: bool,
    cgroup: &'static [(&'static str, &'static str)],
    limit: Option<u64>,
}

const LAYOUTS: [Layout; 6] = [
    // Debian, control groups version 2, no limit.
    Layout {
        release: ("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n"),
        expected: ("debian", "12"),
        arch: true,
        cgroup: &[
            ("proc/self/cgroup", "0::/system.slice/osapi.service\n"),
            ("sys/fs/cgroup/system.slice/osapi.service/memory.max", "max\n"),
        ],
        limit: None,
    },
    // Ubuntu, version 2, a limit on the slice above.
    Layout {
        release: ("usr/lib/os-release", "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\nID_LIKE=debian\n"),
        expected: ("ubuntu", "24.04"),
        arch: true,
        cgroup: &[
            ("proc/self/cgroup", "0::/system.slice/osapi.service\n"),
            ("sys/fs/cgroup/system.slice/osapi.service/memory.max", "3000000000\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "2000000000\n"),
        ],
        limit: Some(2_000_000_000),
    },
    // Alpine in a container: its own group is the root of what it sees.
    Layout {
        release: ("etc/os-release", "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n"),
        expected: ("alpine", "3.20.3"),
        arch: true,
        cgroup: &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "536870912\n")],
        limit: Some(536_870_912),
    },
    // Fedora with control groups version 1; the largest number means no limit.
    Layout {
        release: ("etc/os-release", "NAME='Fedora Linux'\nID=fedora\nVERSION_ID=41\n"),
        expected: ("fedora", "41"),
        arch: true,
        cgroup: &[
            ("proc/self/cgroup", "9:cpu,cpuacct:/user\n4:memory:/user/session\n1:name=systemd:/user\n"),
            ("sys/fs/cgroup/memory/user/session/memory.limit_in_bytes", "1073741824\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ],
        limit: Some(1 << 30),
    },
    // Version 1 in a container that shows its own group as the root of all: the path leads nowhere.
    Layout {
        release: ("etc/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"11\"\n"),
        expected: ("debian", "11"),
        arch: true,
        cgroup: &[
            ("proc/self/cgroup", "4:memory:/docker/0123456789ab\n0::/system.slice/docker.service\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"),
        ],
        limit: Some(1 << 28),
    },
    // Both versions at once; memory belongs to the first. A limit above what there is binds nothing.
    Layout {
        release: ("etc/os-release", "NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"20.04\"\n"),
        expected: ("ubuntu", "20.04"),
        arch: true,
        cgroup: &[
            ("proc/self/cgroup", "4:memory:/system.slice/osapi.service\n0::/system.slice/osapi.service\n"),
            ("sys/fs/cgroup/memory/system.slice/osapi.service/memory.limit_in_bytes", "8192000001\n"),
        ],
        limit: None,
    },
];

fn lay_out(layout: &Layout) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    write(root, layout.release.0, layout.release.1);
    write(root, "proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
    if layout.arch {
        write(root, "proc/sys/kernel/arch", "x86_64\n");
    }
    write(root, "proc/uptime", "86400.25 170000.00\n");
    write(root, "proc/loadavg", "0.50 1.25 2.00 1/234 5678\n");
    write(root, "sys/devices/system/cpu/online", "0-3\n");
    write(root, "proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 1000000 kB\nMemAvailable: 6000000 kB\n");
    write(root, "proc/filesystems", "nodev\tproc\nnodev\ttmpfs\n\text4\n");
    let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw - proc proc rw\n\
                  24 22 8:16 / /srv/my\\040data rw - ext4 /dev/sdb rw\n";
    write(root, "proc/self/mountinfo", mounts);
    fs::create_dir_all(root.join("srv/my data")).expect("made");
    for (path, text) in layout.cgroup {
        write(root, path, text);
    }
    directory
}

#[test]
fn every_layout_is_understood() {
    for layout in &LAYOUTS {
        let root = lay_out(layout);
        let status = status(root.path());
        let name = layout.expected.0;
        assert_eq!(status.errors, [], "{name}");
        let os = status.os.expect("there");
        assert_eq!((os.distribution.as_str(), os.version.as_str()), layout.expected);
        assert_eq!((os.kernel.as_str(), os.architecture.as_str()), ("6.1.0-28-amd64", "x86_64"));
        assert_eq!(status.uptime_seconds, Some(86_400.25));
        assert_eq!(status.load.map(|load| (load.load15, load.cpus)), Some((2.0, 4)));
        let memory = status.memory.expect("there");
        assert_eq!((memory.total_bytes, memory.used_bytes), (8_192_000_000, 2_048_000_000), "{name}");
        assert_eq!(memory.limit_bytes, layout.limit, "{name}");
        let points: Vec<String> = status.disks.expect("there").into_iter().map(|disk| disk.mount_point).collect();
        assert_eq!(points, ["/", "/srv/my data"]);
    }
}

#[test]
fn a_part_that_fails_is_named_and_hides_no_other() {
    for (file, part) in [
        ("etc/os-release", "os"),
        ("proc/uptime", "uptime"),
        ("proc/loadavg", "load"),
        ("proc/meminfo", "memory"),
        ("proc/self/mountinfo", "disks"),
    ] {
        let root = lay_out(&LAYOUTS[0]);
        let damage: [&dyn Fn(&Path); 3] = [
            &|file| fs::remove_file(file).expect("removed"),
            &|file| fs::write(file, [0xff, 0xfe, 0x00]).expect("written"),
            &|file| fs::write(file, "x".repeat(65 << 20)).expect("written"),
        ];
        for damage in damage {
            fs::write(root.path().join(file), "").expect("there");
            damage(&root.path().join(file));
            let status = status(root.path());
            let parts: Vec<&str> = status.errors.iter().map(|error| error.part.as_str()).collect();
            assert_eq!(parts, [part], "{file}");
            assert!(
                status.errors[0].message.contains(&format!("/{}", file.replace("etc/", ""))),
                "{:?}",
                status.errors
            );
            let there = [
                status.os.is_some(),
                status.uptime_seconds.is_some(),
                status.load.is_some(),
                status.memory.is_some(),
                status.disks.is_some(),
            ];
            assert_eq!(there.into_iter().filter(|there| *there).count(), 4);
        }
    }
}

#[test]
fn bytes_that_are_no_text_cost_their_own_line_only() {
    let root = lay_out(&LAYOUTS[1]);
    let add = |file: &str, line: &[u8]| {
        let before = fs::read(root.path().join(file)).expect("there");
        write(root.path(), file, [line, b"\n", &before].concat());
    };
    for file in ["usr/lib/os-release", "proc/meminfo", "proc/filesystems", "proc/self/cgroup"] {
        add(file, b"# \xff\xfe odd");
    }
    let name = std::ffi::OsStr::from_bytes(b"srv/\xff data");
    fs::create_dir(root.path().join(name)).expect("made");
    add("proc/self/mountinfo", b"40 22 8:80 / /srv/\xff\\040data rw - ext4 /dev/\xfe rw");
    write(root.path(), "proc/uptime", b"86400.25 \xff\n");
    write(root.path(), "proc/loadavg", b"0.50 1.25 2.00 \xff\n");
    let status = status(root.path());
    assert_eq!(status.errors, []);
    assert_eq!(status.os.expect("there").distribution, "ubuntu");
    assert_eq!(status.memory.expect("there").limit_bytes, Some(2_000_000_000));
    assert_eq!((status.uptime_seconds, status.load.map(|load| load.cpus)), (Some(86_400.25), Some(4)));
    let points: Vec<String> = status.disks.expect("there").into_iter().map(|disk| disk.mount_point).collect();
    assert_eq!(points, ["/", "/srv/my data", "/srv/\\xff data"]);
}

#[test]
fn a_mount_that_is_not_understood_is_named_and_hides_no_other() {
    let root = lay_out(&LAYOUTS[0]);
    let before = fs::read(root.path().join("proc/self/mountinfo")).expect("there");
    write(root.path(), "proc/self/mountinfo", [b"1 2 3\n", before.as_slice()].concat());
    let failure = run(root.path(), OperationKind::NodeDiskGet).expect_err("a line is missing");
    assert_eq!(failure.message, "line 1 of /proc/self/mountinfo is not understood");
    match failure.partial.as_deref() {
        Some(Output::NodeDiskGet(found)) => assert_eq!(found.disks.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_of_thousands_of_mounts_is_read() {
    let root = lay_out(&LAYOUTS[0]);
    let mut mounts = fs::read(root.path().join("proc/self/mountinfo")).expect("there");
    let layers = "l".repeat(2_000);
    for number in 0..5_000 {
        let line =
            format!("{} 22 0:{} / /c/{number} rw - overlay overlay rw,lowerdir={layers}\n", 100 + number, 100 + number);
        mounts.extend(line.into_bytes());
    }
    write(root.path(), "proc/self/mountinfo", mounts);
    let status = status(root.path());
    assert_eq!((status.errors.len(), status.disks.map(|disks| disks.len())), (0, Some(2)));
}

#[test]
fn a_filesystem_of_which_single_files_are_mounted_is_named_by_a_directory() {
    let root = lay_out(&LAYOUTS[0]);
    write(root.path(), "etc/hosts", "127.0.0.1 localhost\n");
    fs::create_dir_all(root.path().join("var/lib/volume")).expect("made");
    let mounts = "22 1 0:40 / / rw - overlay overlay rw\n23 22 8:1 /containers/1/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
                  24 22 8:1 /volumes/1 /var/lib/volume rw - ext4 /dev/sda1 rw\n";
    write(root.path(), "proc/self/mountinfo", mounts);
    let disks = status(root.path()).disks.expect("there");
    let points: Vec<&str> = disks.iter().map(|disk| disk.mount_point.as_str()).collect();
    assert_eq!(points, ["/", "/var/lib/volume"]);
}

#[test]
fn a_disk_that_cannot_be_read_is_named_and_hides_no_other() {
    let root = lay_out(&LAYOUTS[0]);
    // Below a file there is nothing to mount on, and a link to itself leads nowhere.
    write(root.path(), "srv/file", "");
    std::os::unix::fs::symlink("loop", root.path().join("srv/loop")).expect("linked");
    let mounts = fs::read_to_string(root.path().join("proc/self/mountinfo")).expect("reads")
        + "25 22 8:32 / /srv/file/broken rw - ext4 /dev/sdc rw\n26 22 8:48 / /srv/loop rw - xfs /dev/sdd rw\n\
           27 22 8:64 / /not/there rw - xfs /dev/sde rw\n28 22 0:99 / /srv/file/remote rw - nfs4 server:/x rw\n";
    write(root.path(), "proc/self/mountinfo", mounts);
    let points = |disks: &[crate::domain::operation::node_disk_get::NodeDisk]| -> Vec<String> {
        disks.iter().map(|disk| disk.mount_point.clone()).collect()
    };
    let broken = ["/srv/file/broken: ", "/srv/file/remote: ", "/srv/loop: "];

    let status = status(root.path());
    assert_eq!(points(&status.disks.expect("there")), ["/", "/srv/my data"]);
    assert_eq!(status.errors.len(), broken.len(), "{:?}", status.errors);
    for (error, place) in status.errors.iter().zip(broken) {
        assert!(error.part == "disks" && error.message.contains(place), "{error:?}");
    }

    let failure = run(root.path(), OperationKind::NodeDiskGet).expect_err("three disks are missing");
    assert!(broken.iter().all(|place| failure.message.contains(place)), "{}", failure.message);
    match failure.partial.as_deref() {
        Some(Output::NodeDiskGet(found)) => assert_eq!(points(&found.disks), ["/", "/srv/my data"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_single_operation_fails_with_the_name_of_its_file() {
    let nothing = tempfile::tempdir().expect("a directory");
    for kind in OperationKind::ALL.into_iter().filter(|kind| kind.name().starts_with("node.")) {
        let ran = run(nothing.path(), kind);
        match kind {
            OperationKind::NodeHostnameGet | OperationKind::NodeStatusGet => assert!(ran.is_ok(), "{kind:?}"),
            _ => {
                let message = ran.expect_err("there is nothing").message;
                assert!(message.contains("cannot read /"), "{kind:?}: {message}");
            }
        }
    }
}
