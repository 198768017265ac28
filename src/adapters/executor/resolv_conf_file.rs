//! Where a host's `/etc/resolv.conf` is, and changing it there. What it says is not understood here.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
};

use rustix::fs::OFlags;

use super::{file_replacement::replace, host_files::HostFiles};

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Far larger than what is written by hand or by program.
const CAP: u64 = 1 << 20;
/// What is written to these places belongs to the programs that write there, and is lost with the next start of the
/// host or of the program.
const MANAGED: [&str; 8] = ["/run/", "/var/run/", "/usr/", "/lib/", "/proc/", "/sys/", "/dev/", "/tmp/"];
/// Of these, the ones of systemd-resolved.
const RESOLVED: [&str; 4] =
    ["/run/systemd/resolve/", "/var/run/systemd/resolve/", "/usr/lib/systemd/", "/lib/systemd/"];

/// The file that `/etc/resolv.conf` is, or leads to.
#[derive(Debug)]
pub(super) struct ResolvConfFile {
    files: HostFiles,
    /// Its place on the host, with no link on the way.
    place: String,
    /// What is in it; none when it is not there.
    contents: Option<Vec<u8>>,
}

impl ResolvConfFile {
    /// Finds and reads it.
    pub(super) fn find(files: &HostFiles) -> Result<Self, String> {
        let place = files.destination(RESOLV_CONF)?;
        let contents = match read(files, &place) {
            Ok(contents) => Some(contents),
            // Without the file the C library asks a server on this host.
            Err(error) if error.kind() == ErrorKind::NotFound && place == RESOLV_CONF => None,
            Err(error) if place == RESOLV_CONF => return Err(format!("cannot read {RESOLV_CONF}: {error}")),
            Err(error) => return Err(format!("cannot read {place}, to which {RESOLV_CONF} leads: {error}")),
        };
        Ok(Self { files: files.clone(), place, contents })
    }

    pub(super) fn contents(&self) -> &[u8] {
        self.contents.as_deref().unwrap_or_default()
    }

    /// Whether systemd-resolved writes it.
    pub(super) fn is_of_resolved(&self) -> bool {
        RESOLVED.iter().any(|place| self.place.starts_with(place))
    }

    /// Changes it, and keeps what it was beside it.
    pub(super) fn write(&self, contents: &[u8]) -> Result<(), String> {
        if MANAGED.iter().any(|place| self.place.starts_with(place)) {
            return Err(format!(
                "{RESOLV_CONF} leads to {}, which belongs to another program: change it there, or make {RESOLV_CONF} a \
                 file of its own",
                self.place
            ));
        }
        replace(&self.files.path(&self.place), &self.place, self.contents.as_deref(), contents)
    }
}

fn read(files: &HostFiles, place: &str) -> io::Result<Vec<u8>> {
    // Not waiting for the writer of a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(files.path(place))?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut contents = Vec::new();
    file.take(CAP + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > CAP {
        Err(io::Error::other(format!("it is larger than {CAP} bytes")))
    } else {
        Ok(contents)
    }
}
