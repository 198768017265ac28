//! This very machine, compared with what its own tools say.

use std::{fs, process::Command};

use super::{host_files::HostFiles, node_disk, node_load, node_memory, node_os, node_uptime};

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
fn the_root_filesystem_is_that_of_df() {
    let disks = node_disk::read(&files()).expect("reads");
    let root = disks.iter().find(|disk| disk.mount_point == "/").expect("there is a root");
    let df = says("df", &["-B1", "--output=size,used,avail,fstype", "/"]);
    let line: Vec<&str> = df.lines().nth(1).expect("a line").split_whitespace().collect();
    assert_eq!((root.total_bytes.to_string().as_str(), root.filesystem.as_str()), (line[0], line[3]));
    let used: u64 = line[1].parse().expect("a number");
    assert!(root.used_bytes.abs_diff(used) < root.total_bytes / 10, "{root:?} {line:?}");
}
