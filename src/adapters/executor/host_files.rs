//! The files of a host, below a root: read with a cap, and with errors that name the file.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Far more than any file that is read here has: the table of mounts of a host with thousands of containers has a few MiB.
const CAP: u64 = 64 << 20;
/// As many as the kernel follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// The files below a root.
#[derive(Debug, Clone)]
pub(super) struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a path of the host is. Paths are bytes, and need not be text.
    pub(super) fn path(&self, path: impl AsRef<[u8]>) -> PathBuf {
        let path = path.as_ref();
        let below = path.iter().position(|byte| *byte != b'/').map_or(&b""[..], |start| &path[start..]);
        self.root.join(OsStr::from_bytes(below))
    }

    /// Where a path of the host leads when all symbolic links are followed below the root, as the host follows them. What
    /// it leads to need not be there.
    pub(super) fn destination(&self, path: &str) -> Result<String, String> {
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut behind: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    behind.pop();
                    continue;
                }
                _ => behind.push(part),
            }
            // What is no link, or not there, leads nowhere else.
            let Ok(link) = fs::read_link(self.path(behind.join("/"))) else { continue };
            links += 1;
            if links > MAX_LINKS {
                return Err(format!("{path} leads through too many symbolic links"));
            }
            let link = link.into_os_string().into_string();
            let link = link.map_err(|_| format!("{path} leads through a symbolic link that is not UTF-8"))?;
            behind.pop();
            if link.starts_with('/') {
                behind.clear();
            }
            ahead.extend(link.rsplit('/').map(str::to_owned));
        }
        Ok(format!("/{}", behind.join("/")))
    }

    /// Whether the root is the one of this process.
    pub(super) fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// What is in a file.
    pub(super) fn read(&self, path: impl AsRef<[u8]>) -> Result<Vec<u8>, String> {
        let path = path.as_ref();
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", shown(path));
        let mut contents = Vec::new();
        File::open(self.path(path)).map_err(failed)?.take(CAP + 1).read_to_end(&mut contents).map_err(failed)?;
        if contents.len() as u64 > CAP {
            return Err(format!("{} is larger than {CAP} bytes", shown(path)));
        }
        Ok(contents)
    }

    /// The text of a file. A character stands in for what is no text, and so costs no more than its own line.
    pub(super) fn read_text(&self, path: &str) -> Result<String, String> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }
}

/// Bytes as text; those that are no text as `\xff`, so that different bytes look different.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_and_contents_are_bytes() {
        let root = tempfile::tempdir().expect("a directory");
        let files = HostFiles::new(root.path().to_owned());
        fs::write(root.path().join(OsStr::from_bytes(b"a\xff")), b"\xfe\nx").expect("written");
        assert_eq!(files.read(b"/a\xff").as_deref(), Ok(&b"\xfe\nx"[..]));
        let missing = files.read(b"/b\xfe").expect_err("not there");
        assert!(missing.starts_with("cannot read /b\\xfe: "), "{missing}");
        assert_eq!([shown(b"a\xff\xc3"), shown("ä".as_bytes())], ["a\\xff\\xc3", "ä"]);
    }

    #[test]
    fn links_are_followed_below_the_root_and_not_out_of_it() {
        let root = tempfile::tempdir().expect("a directory");
        let files = HostFiles::new(root.path().to_owned());
        fs::create_dir_all(root.path().join("etc/deep")).expect("made");
        for (link, to) in [
            ("etc/absolute", "/run/resolv.conf"),
            ("etc/relative", "deep/../other"),
            ("etc/outside", "../../../../outside"),
            ("etc/chain", "absolute"),
            ("link", "etc"),
            ("etc/loop", "loop"),
        ] {
            symlink(to, root.path().join(link)).expect("linked");
        }
        for (path, leads_to) in [
            ("/etc/plain", "/etc/plain"),
            ("/etc/absolute", "/run/resolv.conf"),
            ("/etc/relative", "/etc/other"),
            ("/etc/outside", "/outside"),
            ("/etc/chain", "/run/resolv.conf"),
            ("/link/chain", "/run/resolv.conf"),
            ("/../etc//./plain", "/etc/plain"),
        ] {
            assert_eq!(files.destination(path).as_deref(), Ok(leads_to), "{path}");
        }
        assert!(files.destination("/etc/loop").expect_err("a loop").contains("too many symbolic links"));
    }
}
