//! The memory limit of this process's control group, in both versions (cgroups(7)).

use super::host_files::HostFiles;

/// The smallest limit on the way from this process's group to the root; none where nothing binds.
pub(super) fn memory_limit(files: &HostFiles) -> Option<u64> {
    let groups = files.read("/proc/self/cgroup").ok()?;
    // `0::/path` of version 2, `4:cpu,memory:/path` of version 1. The names of groups need not be text.
    let fields = |line: &'_ [u8]| {
        let mut fields = line.splitn(3, |byte| *byte == b':').map(<[u8]>::to_vec);
        Some((fields.next()?, fields.next()?, fields.next()?))
    };
    let groups: Vec<_> = groups.split(|byte| *byte == b'\n').filter_map(fields).collect();
    let unified = groups.iter().find(|(id, controllers, _)| id == b"0" && controllers.is_empty());
    let legacy = groups.iter().find(|(_, list, _)| list.split(|byte| *byte == b',').any(|name| name == b"memory"));
    let of_legacy =
        legacy.and_then(|group| smallest(files, "/sys/fs/cgroup/memory", &group.2, "memory.limit_in_bytes"));
    let of_unified = unified.and_then(|group| smallest(files, "/sys/fs/cgroup", &group.2, "memory.max"));
    of_legacy.into_iter().chain(of_unified).min()
}

/// Limits are hierarchical: every group on the way binds. In a container the path may lead nowhere, and its own group
/// is the root of what it sees.
fn smallest(files: &HostFiles, mount: &str, path: &[u8], file: &str) -> Option<u64> {
    let mut group = path.strip_suffix(b"/").unwrap_or(path);
    let mut limits = Vec::new();
    loop {
        let limit = files.read([mount.as_bytes(), group, b"/", file.as_bytes()].concat()).ok();
        // `max`, and a missing file, bind nothing.
        limits.extend(limit.and_then(|text| str::from_utf8(&text).ok()?.trim().parse::<u64>().ok()));
        match group.iter().rposition(|byte| *byte == b'/') {
            Some(parent) => group = &group[..parent],
            None => break limits.into_iter().min(),
        }
    }
}
