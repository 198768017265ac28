//! `node.memory.get`: `/proc/meminfo` (`proc_meminfo(5)`) in the way of free(1), and the limit of a control group.

use super::{cgroup, host_files::HostFiles};
use crate::domain::operation::node_memory_get::NodeMemory;

pub(super) fn read(files: &HostFiles) -> Result<NodeMemory, String> {
    let memory = parse(&files.read_text("/proc/meminfo")?)?;
    Ok(NodeMemory { limit_bytes: cgroup::memory_limit(files).filter(|limit| *limit < memory.total_bytes), ..memory })
}

fn parse(text: &str) -> Result<NodeMemory, String> {
    let optional = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        // All sizes are in KiB, which the file calls kB.
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let needed = |name: &str| optional(name).ok_or_else(|| format!("/proc/meminfo has no {name} in kB"));
    let (total_bytes, free_bytes) = (needed("MemTotal")?, needed("MemFree")?);
    let of = |name: &str| optional(name).unwrap_or_default();
    let cached_bytes = of("Cached").saturating_add(of("SReclaimable"));
    // Kernels before 3.14 do not estimate it; what is free or cached less what is shared comes close.
    let estimate = || free_bytes.saturating_add(of("Buffers")).saturating_add(cached_bytes).saturating_sub(of("Shmem"));
    let available_bytes = optional("MemAvailable").unwrap_or_else(estimate).min(total_bytes);
    let swap_total_bytes = of("SwapTotal");
    Ok(NodeMemory {
        total_bytes,
        limit_bytes: None,
        available_bytes,
        used_bytes: total_bytes - available_bytes,
        free_bytes,
        cached_bytes,
        swap_total_bytes,
        swap_used_bytes: swap_total_bytes.saturating_sub(of("SwapFree")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 600 kB\nBuffers: 50 kB\nCached: 300 kB\n\
                        SReclaimable: 25 kB\nShmem: 10 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB\n";

    #[test]
    fn figures_are_those_of_free() {
        let memory = parse(TEXT).expect("whole");
        let kib = |bytes: u64| bytes / 1024;
        assert_eq!((kib(memory.total_bytes), kib(memory.used_bytes), kib(memory.free_bytes)), (1000, 400, 200));
        assert_eq!((kib(memory.cached_bytes), kib(memory.swap_used_bytes)), (325, 60));
    }

    #[test]
    fn an_old_kernel_gets_an_estimate() {
        let old = parse(&TEXT.replace("MemAvailable", "Nothing")).expect("whole");
        assert_eq!(old.available_bytes / 1024, 200 + 50 + 325 - 10);
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = parse(&TEXT.replace("MemTotal", "Nothing")).expect_err("no total");
        assert!(refused.contains("MemTotal"), "{refused}");
        assert!(parse("MemTotal: 99999999999999999999 kB\nMemFree: 1 kB\n").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(?s).*", total: u64, free: u64, available: u64) {
            let _ = parse(&text);
            let _ = parse(&format!("MemTotal: {total} kB\nMemFree: {free} kB\nMemAvailable: {available} kB\n"));
        }
    }
}
