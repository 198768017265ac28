//! `node.disk.get`: the real filesystems with the figures of df(1).

use std::{path::PathBuf, sync::mpsc, thread, time::Duration};

use rustix::{fs::StatVfs, io::Errno};

use super::{host_files::HostFiles, mounts::real};
use crate::domain::operation::node_disk_get::NodeDisk;

/// A server that does not answer within this time is named, and the others are not kept waiting.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn read(files: &HostFiles) -> Result<Vec<NodeDisk>, String> {
    let mounts = real(&files.read("/proc/self/mountinfo")?, &files.read("/proc/filesystems")?);
    let mut disks = Vec::with_capacity(mounts.len());
    for mount in mounts {
        let path = files.path(&mount.point);
        // Containers get single files mounted; a file is no filesystem.
        if path.is_file() {
            continue;
        }
        let figures = if mount.is_remote() { in_time(path) } else { rustix::fs::statvfs(&path) };
        match figures {
            Ok(figures) => disks.push(disk(mount.point, mount.filesystem, &figures)),
            // Outside of what this process can see.
            Err(Errno::NOENT | Errno::ACCESS | Errno::PERM) => {}
            Err(error) => return Err(format!("cannot read the space on {}: {error}", mount.point)),
        }
    }
    Ok(disks)
}

/// The figures of a filesystem whose server may be silent: then the thread waits for it, and nobody else.
fn in_time(path: PathBuf) -> rustix::io::Result<StatVfs> {
    let (answer, answered) = mpsc::channel();
    thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = answer.send(rustix::fs::statvfs(&path));
    });
    answered.recv_timeout(PATIENCE).unwrap_or(Err(Errno::TIMEDOUT))
}

/// What df(1) shows: what is reserved for root is neither used nor available.
fn disk(mount_point: String, filesystem: String, figures: &StatVfs) -> NodeDisk {
    let bytes = |blocks: u64| blocks.saturating_mul(figures.f_frsize);
    NodeDisk {
        mount_point,
        filesystem,
        total_bytes: bytes(figures.f_blocks),
        used_bytes: bytes(figures.f_blocks.saturating_sub(figures.f_bfree)),
        available_bytes: bytes(figures.f_bavail),
    }
}
