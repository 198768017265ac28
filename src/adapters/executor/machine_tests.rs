//! This very machine, compared with what its own tools say.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path, process::Command};

use super::{
    fixture::{execute, executor, inside},
    host_files::HostFiles,
    node_load, node_memory, node_os, node_uptime,
};
use crate::domain::{OperationKind, Output, operation::node_disk_get::NodeDisk};

fn files() -> HostFiles {
    HostFiles::new("/".into())
}

fn says(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().expect("the tool is there");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_system_is_what_uname_says() {
    let os = node_os::read(&files()).expect("reads");
    assert_eq!(os.kernel, says("uname", &["-r"]).trim());
    assert_eq!(os.architecture, says("uname", &["-m"]).trim());
    assert!(says("cat", &["/etc/os-release"]).contains(&os.distribution));
}

#[test]
fn the_uptime_lies_between_two_readings() {
    let direct = || {
        let text = fs::read_to_string("/proc/uptime").expect("reads");
        text.split(' ').next().expect("a number").parse::<f64>().expect("seconds")
    };
    let before = direct();
    let uptime = node_uptime::read(&files()).expect("reads");
    assert!(before <= uptime && uptime <= direct(), "{before} {uptime}");
}

#[test]
fn the_processors_are_those_of_nproc() {
    let load = node_load::read(&files()).expect("reads");
    assert_eq!(load.cpus.to_string(), says("nproc", &["--all"]).trim());
}

#[test]
fn the_memory_is_that_of_free() {
    let memory = node_memory::read(&files()).expect("reads");
    let free = says("free", &["-b"]);
    let numbers = |name: &str| -> Vec<u64> {
        let line = free.lines().find(|line| line.starts_with(name)).expect("a line");
        line.split_whitespace().skip(1).map(|number| number.parse().expect("a number")).collect()
    };
    assert_eq!((memory.total_bytes, memory.swap_total_bytes), (numbers("Mem:")[0], numbers("Swap:")[0]));
    // Others use memory meanwhile: a tenth of it would be another figure.
    let near = |ours: u64, theirs: u64| ours.abs_diff(theirs) < memory.total_bytes / 10;
    assert!(near(memory.available_bytes, numbers("Mem:")[5]) && near(memory.free_bytes, numbers("Mem:")[2]));
}

#[test]
fn the_load_is_that_of_uptime() {
    let averages = |text: String| text.rsplit_once("load average: ").expect("it is told").1.trim().to_owned();
    let before = averages(says("uptime", &[]));
    let load = node_load::read(&files()).expect("reads");
    let ours = format!("{:.2}, {:.2}, {:.2}", load.load1, load.load5, load.load15);
    // The kernel computes them anew every 5 s, which may be just now.
    assert!([before, averages(says("uptime", &[]))].contains(&ours), "{ours}");
}

fn disks() -> Vec<NodeDisk> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match runtime.block_on(execute(&executor(Path::new("/")), OperationKind::NodeDiskGet, "{}")) {
        Ok(Output::NodeDiskGet(found)) => found.disks,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_root_filesystem_is_that_of_df() {
    let disks = disks();
    let root = disks.iter().find(|disk| disk.mount_point == "/").expect("there is a root");
    let df = says("df", &["-B1", "--output=size,used,avail,fstype", "/"]);
    let line: Vec<&str> = df.lines().nth(1).expect("a line").split_whitespace().collect();
    assert_eq!((root.total_bytes.to_string().as_str(), root.filesystem.as_str()), (line[0], line[3]));
    // Others write meanwhile: a tenth of it would be another figure.
    let near = |ours: u64, theirs: &str| ours.abs_diff(theirs.parse().expect("a number")) < root.total_bytes / 10;
    assert!(near(root.used_bytes, line[1]) && near(root.available_bytes, line[2]), "{root:?} {line:?}");
}

#[test]
fn the_filesystems_on_devices_are_those_of_df() {
    let device = |point: &str| fs::metadata(point).expect("it is mounted").dev();
    let ours = disks();
    let devices: BTreeSet<u64> = ours.iter().map(|disk| device(&disk.mount_point)).collect();
    assert_eq!(devices.len(), ours.len(), "one of them is there twice: {ours:?}");
    let df = says("df", &["--output=source,target"]);
    let lines = df.lines().skip(1).filter(|line| line.starts_with("/dev/"));
    let targets = lines.filter_map(|line| line.split_once(' ')).map(|(_, target)| target.trim());
    // A container has single files of other filesystems.
    for target in targets.filter(|target| Path::new(target).is_dir()) {
        assert!(devices.contains(&device(target)), "{target} is missing: {ours:?}");
    }
}

#[test]
fn a_directory_mounted_twice_and_a_filesystem_in_memory_add_no_disk() {
    let here = concat!(module_path!(), "::a_directory_mounted_twice_and_a_filesystem_in_memory_add_no_disk");
    if !inside(here, &["--mount"], "", "") {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let points = || disks().into_iter().map(|disk| disk.mount_point).collect::<Vec<_>>();
    let before = points();
    for name in ["source", "bound", "bound-again", "memory"] {
        fs::create_dir(place.path().join(name)).expect("made");
    }
    let at = |name: &str| place.path().join(name).to_str().expect("UTF-8").to_owned();
    // Only what the test made itself: the directory is removed with all that is seen below it.
    says("mount", &["--bind", &at("source"), &at("bound")]);
    says("mount", &["--bind", &at("bound"), &at("bound-again")]);
    says("mount", &["-t", "tmpfs", "memory", &at("memory")]);
    let mounted = says("findmnt", &["--noheadings", "--raw", "--output", "TARGET"]);
    assert_eq!(mounted.lines().filter(|target| target.starts_with(&at(""))).count(), 3);
    assert_eq!(points(), before);
    for name in ["memory", "bound-again", "bound"] {
        says("umount", &[&at(name)]);
    }
}
