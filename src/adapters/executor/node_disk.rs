//! `node.disk.get`: the real filesystems with the figures of df(1).

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{fs::StatVfs, io::Errno};

use super::{host_executor::Host, host_files::shown, mounts::mounts, silent_servers::Asked};
use crate::domain::{
    Failure, FailureKind, Output,
    operation::node_disk_get::{NodeDisk, NodeDisks},
};

const MOUNTINFO: &str = "/proc/self/mountinfo";
/// Servers that do not answer within this time are named, and the others are not kept waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// The filesystems of a host, as far as they can be read.
#[derive(Debug)]
pub(super) struct Disks {
    pub(super) disks: Vec<NodeDisk>,
    /// What could not be read, each with its mount point.
    pub(super) errors: Vec<String>,
}

impl Disks {
    /// A disk that cannot be read fails the operation, and hides no other.
    pub(super) fn whole(self) -> Result<Output, Failure> {
        let disks = Output::NodeDiskGet(NodeDisks { disks: self.disks });
        if self.errors.is_empty() {
            return Ok(disks);
        }
        let message = self.errors.join("; ");
        Err(Failure { kind: FailureKind::Operation, message, partial: Some(Box::new(disks)) })
    }
}

pub(super) fn read(host: &Host) -> Result<Disks, String> {
    let files = &host.files;
    let mounts = mounts(&files.read(MOUNTINFO)?, &files.read("/proc/filesystems")?);
    if mounts.real.is_empty() && !mounts.not_understood.is_empty() {
        return Err(format!("nothing in {MOUNTINFO} is understood"));
    }
    let until = Instant::now() + PATIENCE;
    // All servers are asked before anybody waits for one.
    let asked = mounts.real.into_iter().map(|mounted| {
        let paths: Vec<PathBuf> = mounted.points.iter().map(|point| files.path(point)).collect();
        let question = move || figures(&paths);
        if mounted.is_remote() {
            let answer = host.silent_servers.ask(&shown(&mounted.points[0]), question);
            (mounted, Figures::Asked(answer))
        } else {
            (mounted, Figures::Read(question()))
        }
    });
    let odd = mounts.not_understood.iter().map(|line| format!("line {line} of {MOUNTINFO} is not understood"));
    let mut found = Disks { disks: Vec::new(), errors: odd.collect() };
    for (mounted, figures) in asked.collect::<Vec<_>>() {
        let figures = match figures {
            Figures::Asked(asked) => asked.answer(until).and_then(|figures| figures.map_err(|error| error.to_string())),
            Figures::Read(figures) => figures.map_err(|error| error.to_string()),
        };
        match figures {
            Ok(figures) => found.disks.extend(
                figures.map(|(place, figures)| disk(shown(&mounted.points[place]), mounted.filesystem, &figures)),
            ),
            Err(error) => found.errors.push(format!("cannot read the space on {}: {error}", shown(&mounted.points[0]))),
        }
    }
    Ok(found)
}

/// The figures of a filesystem and the mount point that gave them; none where there is nothing to show.
type Found = rustix::io::Result<Option<(usize, StatVfs)>>;

enum Figures {
    Read(Found),
    Asked(Asked<Found>),
}

/// The figures at the first mount point that shows them.
fn figures(paths: &[PathBuf]) -> Found {
    let mut failed = None;
    for (place, path) in paths.iter().enumerate() {
        // Containers get single files mounted; a file is no filesystem.
        if path.is_file() {
            continue;
        }
        match rustix::fs::statvfs(path) {
            // Nothing can be kept there (df(1) leaves it out too).
            Ok(figures) if figures.f_blocks == 0 => {}
            Ok(figures) => return Ok(Some((place, figures))),
            // Outside of what this process can see.
            Err(Errno::NOENT | Errno::ACCESS | Errno::PERM) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), Err)
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
