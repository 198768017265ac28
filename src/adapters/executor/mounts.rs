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
    point: Vec<u8>,
    filesystem: String,
    device: Vec<u8>,
    /// What of the filesystem is mounted.
    root: Vec<u8>,
}

/// A filesystem that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Where, the best place to name it by first: the whole of it comes before a part, and a short path before a long one.
    /// Paths are bytes, and need not be text.
    pub(super) points: Vec<Vec<u8>>,
    pub(super) filesystem: String,
}

impl Mounted {
    /// Whether its server may be silent.
    pub(super) fn is_remote(&self) -> bool {
        REMOTE.contains(&self.filesystem.as_str())
    }
}

/// What the table of mounts says.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// The real filesystems, ordered by their first mount point.
    pub(super) real: Vec<Mounted>,
    /// The numbers of the lines that are not understood; the others are.
    pub(super) not_understood: Vec<usize>,
}

/// Reads `mountinfo`. `filesystems` is `/proc/filesystems`.
pub(super) fn mounts(mountinfo: &[u8], filesystems: &[u8]) -> Mounts {
    let filesystems = String::from_utf8_lossy(filesystems);
    let without_device: HashSet<&str> =
        filesystems.lines().filter_map(|line| line.strip_prefix("nodev")).map(str::trim).collect();
    let mut visible: HashMap<Vec<u8>, Mount> = HashMap::new();
    let mut not_understood = Vec::new();
    for (place, line) in mountinfo.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match parse(line) {
            // A later mount hides an earlier one at the same point.
            Some(mount) => drop(visible.insert(mount.point.clone(), mount)),
            None => not_understood.push(place + 1),
        }
    }
    let is_real = |mount: &Mount| match mount.filesystem.as_str() {
        // Whatever it is made of: an overlay in a container, memory on a host that runs from memory. Elsewhere an overlay
        // shows a filesystem that is listed by itself.
        _ if mount.point == b"/" => true,
        "overlay" => false,
        name if WITHOUT_DEVICE.contains(&name) => true,
        name => !without_device.contains(name) && !name.starts_with("fuse."),
    };
    let mut mounts: Vec<Mount> = visible.into_values().filter(is_real).collect();
    mounts.sort_by(|one, other| {
        let key = |mount: &Mount| (mount.root != b"/", mount.point.len());
        key(one).cmp(&key(other)).then_with(|| one.point.cmp(&other.point))
    });
    let mut by_device: HashMap<Vec<u8>, Mounted> = HashMap::new();
    for Mount { point, filesystem, device, .. } in mounts {
        by_device.entry(device).or_insert(Mounted { points: Vec::new(), filesystem }).points.push(point);
    }
    let mut real: Vec<Mounted> = by_device.into_values().collect();
    real.sort_by(|one, other| one.points.cmp(&other.points));
    Mounts { real, not_understood }
}

/// `36 35 98:0 /sub /mnt rw,noatime master:1 - ext4 /dev/sda1 rw`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let (device, root, point) = (words.next()?, words.next()?, words.next()?);
    // Optional fields end at the hyphen.
    words.find(|word| *word == b"-")?;
    let filesystem = words.next().filter(|name| !name.is_empty())?;
    let filesystem = String::from_utf8_lossy(filesystem).into_owned();
    let is_path = |path: &[u8]| path.starts_with(b"/");
    is_path(point).then(|| Mount { point: unescape(point), filesystem, device: device.to_vec(), root: unescape(root) })
}

/// Blanks and backslashes are written as a backslash and three octal digits.
fn unescape(mut rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
        });
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILESYSTEMS: &str = "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\nnodev\tnfs4\n\text4\n\txfs\n";

    fn real(mountinfo: &str) -> Vec<Mounted> {
        mounts(mountinfo.as_bytes(), FILESYSTEMS.as_bytes()).real
    }

    fn points(mountinfo: &str) -> Vec<String> {
        let first = |mounted: Mounted| String::from_utf8(mounted.points[0].clone()).expect("UTF-8");
        real(mountinfo).into_iter().map(first).collect()
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
        let mounts = real(text);
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
        assert_eq!(unescape(br"/mnt/my\040disk\134x"), br"/mnt/my disk\x");
        assert_eq!(unescape(br"\9\04"), br"\9\04");
    }

    #[test]
    fn a_name_that_is_no_text_costs_nothing_and_a_line_that_is_not_understood_costs_itself() {
        let text = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /mnt/\xff\\040x rw shared:1 - xfs /dev/\xfe rw\n\
                     3 1 8:3\n4 1 8:4 / relative rw - xfs /dev/sdb rw\n5 1 8:5 / /no/kind rw -\n\
                     6 1 8:6 / /mnt/last rw - ext4 /dev/sdc rw\n";
        let found = mounts(text, FILESYSTEMS.as_bytes());
        let points: Vec<&[u8]> = found.real.iter().map(|mounted| mounted.points[0].as_slice()).collect();
        assert_eq!(points, [&b"/"[..], b"/mnt/last", b"/mnt/\xff x"]);
        assert_eq!(found.not_understood, [3, 4, 5]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text: Vec<u8>, line in "[ -~]{0,80}") {
            let _ = (mounts(&text, &text), unescape(&text), mounts(line.as_bytes(), b""));
        }

        #[test]
        fn an_escaped_name_reads_back(name in "[ -~]{1,40}") {
            let escaped: String =
                name.bytes().map(|byte| if b" \\".contains(&byte) { format!("\\{byte:03o}") } else { char::from(byte).to_string() }).collect();
            prop_assert_eq!(unescape(escaped.as_bytes()), name.as_bytes());
        }
    }
}
