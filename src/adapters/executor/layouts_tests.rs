//! Every operation on the layouts of several distributions, and on broken ones.

use std::{fs, path::Path};

use super::host_executor::{Host, run};
use crate::{
    adapters::executor::host_files::HostFiles,
    domain::{Labels, Operation, OperationKind, Output, operation::node_status_get::NodeStatus},
};

fn host(root: &Path) -> Host {
    Host {
        hostname: "web-1".parse().expect("a hostname"),
        labels: Labels::default(),
        files: HostFiles::new(root.to_owned()),
    }
}

fn operation(kind: OperationKind) -> Operation {
    Operation::deserialize(kind, &mut serde_json::Deserializer::from_str("{}")).expect("no input")
}

fn status(root: &Path) -> NodeStatus {
    match run(&host(root), &operation(OperationKind::NodeStatusGet)) {
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

const LAYOUTS: [Layout; 4] = [
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
];

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    fs::write(file, text).expect("written");
}

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
            &|file| fs::write(file, "x".repeat(2 << 20)).expect("written"),
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
fn a_single_operation_fails_with_the_name_of_its_file() {
    let nothing = tempfile::tempdir().expect("a directory");
    for kind in OperationKind::ALL.into_iter().filter(|kind| kind.name().starts_with("node.")) {
        let ran = run(&host(nothing.path()), &operation(kind));
        match kind {
            OperationKind::NodeHostnameGet | OperationKind::NodeStatusGet => assert!(ran.is_ok(), "{kind:?}"),
            _ => {
                let message = ran.expect_err("there is nothing").message;
                assert!(message.contains("cannot read /"), "{kind:?}: {message}");
            }
        }
    }
}
