//! The files of a host, below a root: read with a cap, and with errors that name the file.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// More than any file that is read here can have.
const CAP: u64 = 1 << 20;
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

    /// Where a path of the host is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
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
            let Ok(link) = fs::read_link(self.path(&behind.join("/"))) else { continue };
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

    /// The text of a file.
    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
        let mut text = Vec::new();
        File::open(self.path(path)).map_err(failed)?.take(CAP + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > CAP {
            return Err(format!("{path} is larger than {CAP} bytes"));
        }
        String::from_utf8(text).map_err(|_| format!("{path} is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

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
