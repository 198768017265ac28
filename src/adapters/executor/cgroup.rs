//! The memory limit of this process's control group, in both versions (cgroups(7)).

use super::host_files::HostFiles;

/// The smallest limit on the way from this process's group to the root; none where nothing binds.
pub(super) fn memory_limit(files: &HostFiles) -> Option<u64> {
    let groups = files.read("/proc/self/cgroup").ok()?;
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let legacy = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|controller| controller == "memory").then_some(path)
    });
    let of_legacy = legacy.and_then(|path| smallest(files, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    let of_unified = unified.and_then(|path| smallest(files, "/sys/fs/cgroup", path, "memory.max"));
    of_legacy.into_iter().chain(of_unified).min()
}

/// Limits are hierarchical: every group on the way binds. In a container the path may lead nowhere, and its own group
/// is the root of what it sees.
fn smallest(files: &HostFiles, mount: &str, path: &str, file: &str) -> Option<u64> {
    let mut group = path.trim_end_matches('/').to_owned();
    let mut limits = Vec::new();
    loop {
        // `max`, and a missing file, bind nothing.
        limits.extend(
            files.read(&format!("{mount}{group}/{file}")).ok().and_then(|text| text.trim().parse::<u64>().ok()),
        );
        match group.rfind('/') {
            Some(parent) => group.truncate(parent),
            None => break limits.into_iter().min(),
        }
    }
}
