//! Which mounts are real filesystems, each of them once: `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::collections::{HashMap, HashSet};

/// Without a device of their own, yet a place where data is kept.
const WITHOUT_DEVICE: [&str; 12] =
    ["9p", "afs", "bcachefs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "virtiofs", "zfs"];
/// The ones whose server may be silent: another host, or a process.
const REMOTE: [&str; 11] =
    ["9p", "afs", "ceph", "cifs", "fuseblk", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "virtiofs"];

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: String,
    filesystem: String,
    device: String,
    /// What of the filesystem is mounted.
    root: String,
}

/// A filesystem that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Where, the best place to name it by first: the whole of it comes before a part, and a short path before a long one.
    pub(super) points: Vec<String>,
    pub(super) filesystem: String,
}

impl Mounted {
    /// Whether its server may be silent.
    pub(super) fn is_remote(&self) -> bool {
        REMOTE.contains(&self.filesystem.as_str())
    }
}

/// The real filesystems, ordered by their first mount point. `filesystems` is `/proc/filesystems`.
pub(super) fn real(mountinfo: &str, filesystems: &str) -> Vec<Mounted> {
    let without_device: HashSet<&str> =
        filesystems.lines().filter_map(|line| line.strip_prefix("nodev")).map(str::trim).collect();
    let mut visible: HashMap<String, Mount> = HashMap::new();
    for mount in mountinfo.lines().filter_map(parse) {
        // A later mount hides an earlier one at the same point.
        visible.insert(mount.point.clone(), mount);
    }
    let is_real = |mount: &Mount| match mount.filesystem.as_str() {
        // Whatever it is made of: an overlay in a container, memory on a host that runs from memory. Elsewhere an overlay
        // shows a filesystem that is listed by itself.
        _ if mount.point == "/" => true,
        "overlay" => false,
        name if WITHOUT_DEVICE.contains(&name) => true,
        name => !without_device.contains(name) && !name.starts_with("fuse."),
    };
    let mut mounts: Vec<Mount> = visible.into_values().filter(is_real).collect();
    mounts.sort_by(|one, other| {
        let key = |mount: &Mount| (mount.root != "/", mount.point.len());
        key(one).cmp(&key(other)).then_with(|| one.point.cmp(&other.point))
    });
    let mut by_device: HashMap<String, Mounted> = HashMap::new();
    for Mount { point, filesystem, device, .. } in mounts {
        by_device.entry(device).or_insert(Mounted { points: Vec::new(), filesystem }).points.push(point);
    }
    let mut mounted: Vec<Mounted> = by_device.into_values().collect();
    mounted.sort_by(|one, other| one.points.cmp(&other.points));
    mounted
}

/// `36 35 98:0 /sub /mnt rw,noatime master:1 - ext4 /dev/sda1 rw`
fn parse(line: &str) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(2);
    let (device, root, point) = (place.next()?, place.next()?, place.next()?);
    let filesystem = kind.split(' ').next()?.to_owned();
    Some(Mount { point: unescape(point), filesystem, device: device.to_owned(), root: unescape(root) })
}

/// Blanks and backslashes are written as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
        });
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILESYSTEMS: &str = "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\nnodev\tnfs4\n\text4\n\txfs\n";

    fn points(mountinfo: &str) -> Vec<String> {
        real(mountinfo, FILESYSTEMS).into_iter().map(|mounted| mounted.points[0].clone()).collect()
    }

    #[test]
    fn pseudo_filesystems_are_left_out_and_remote_ones_are_not() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /proc rw - proc proc rw\n\
                    3 1 0:6 / /run rw - tmpfs tmpfs rw\n4 1 0:7 / /mnt/share rw - nfs4 server:/x rw\n\
                    5 1 0:8 / /var/lib/docker/merged rw - overlay overlay rw\n6 1 0:9 / /mnt/s rw - fuse.sshfs h: rw\n";
        assert_eq!(points(text), ["/", "/mnt/share"]);
    }

    #[test]
    fn a_bind_mount_is_the_same_filesystem() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 /data /srv rw - xfs /dev/sda2 rw\n\
                    3 1 8:2 / /mnt/whole rw - xfs /dev/sda2 rw\n4 1 8:1 /home /x rw - ext4 /dev/sda1 rw\n";
        assert_eq!(points(text), ["/", "/mnt/whole"]);
    }

    #[test]
    fn what_is_mounted_over_is_hidden() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /mnt rw - ext4 /dev/sda2 rw\n\
                    3 2 8:3 / /mnt rw - xfs /dev/sda3 rw\n";
        let mounts = real(text, FILESYSTEMS);
        assert_eq!((mounts.len(), mounts[1].filesystem.as_str()), (2, "xfs"));
    }

    #[test]
    fn the_root_counts_whatever_it_is_made_of() {
        for filesystem in ["overlay", "tmpfs", "fuse.something", "ext4"] {
            let text = format!("1 0 0:40 / / rw - {filesystem} x rw\n2 1 0:41 / /run rw - tmpfs tmpfs rw\n");
            assert_eq!(points(&text), ["/"], "{filesystem}");
        }
    }

    #[test]
    fn the_subvolumes_of_a_filesystem_are_one() {
        let text = "1 0 0:35 /root / rw - btrfs /dev/vda3 rw\n2 1 0:35 /home /home rw - btrfs /dev/vda3 rw\n\
                    3 1 259:2 / /boot rw - ext4 /dev/vda2 rw\n";
        assert_eq!(points(text), ["/", "/boot"]);
    }

    #[test]
    fn blanks_in_names_are_unescaped() {
        assert_eq!(unescape(r"/mnt/my\040disk\134x"), r"/mnt/my disk\x");
        assert_eq!(unescape(r"\9\04"), r"\9\04");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(?s).*") {
            let _ = (real(&text, &text), unescape(&text));
        }

        #[test]
        fn an_escaped_name_reads_back(name in "[ -~]{1,40}") {
            let escaped: String =
                name.bytes().map(|byte| if b" \\".contains(&byte) { format!("\\{byte:03o}") } else { char::from(byte).to_string() }).collect();
            prop_assert_eq!(unescape(&escaped), name);
        }
    }
}
