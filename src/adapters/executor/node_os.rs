//! `node.os.get`: os-release(5), and what the kernel says of itself.

use super::host_files::HostFiles;
use crate::domain::operation::node_os_get::NodeOs;

pub(super) fn read(files: &HostFiles) -> Result<NodeOs, String> {
    let file = |path: &'static str| files.read_text(path).map(|text| (path, text));
    let (path, release) = file("/etc/os-release").or_else(|_| file("/usr/lib/os-release"))?;
    if !release.lines().any(|line| line.contains('=')) {
        return Err(format!("{path} assigns no value"));
    }
    let kernel = files.read_text("/proc/sys/kernel/osrelease")?.trim().to_owned();
    Ok(NodeOs {
        // The default of os-release(5).
        distribution: value(&release, "ID").unwrap_or_else(|| "linux".to_owned()),
        // Rolling releases have no version.
        version: value(&release, "VERSION_ID").unwrap_or_default(),
        kernel,
        architecture: architecture(files)?,
    })
}

/// The file is there since Linux 6.1.
fn architecture(files: &HostFiles) -> Result<String, String> {
    match files.read_text("/proc/sys/kernel/arch") {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) if files.is_this_machine() => Ok(rustix::system::uname().machine().to_string_lossy().into_owned()),
        Err(error) => Err(error),
    }
}

/// A value, without its quotes. The last assignment of a name counts, as in a shell.
fn value(text: &str, name: &str) -> Option<String> {
    let assigned = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    let quoted = ['"', '\''].into_iter().find_map(|quote| assigned.strip_prefix(quote)?.strip_suffix(quote));
    let mut plain = String::new();
    let mut letters = quoted.unwrap_or(assigned).chars();
    while let Some(letter) = letters.next() {
        // A backslash protects the next letter (os-release(5)).
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_unquoted() {
        let text = "# comment\nNAME=\"Some \\\"Linux\\\"\"\nID=debian\nVERSION_ID='12'\nID_LIKE=x\nEMPTY=\nID=ubuntu\n";
        assert_eq!(value(text, "NAME").as_deref(), Some("Some \"Linux\""));
        assert_eq!(value(text, "ID").as_deref(), Some("ubuntu"));
        assert_eq!(value(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(value(text, "EMPTY").as_deref(), Some(""));
        assert_eq!(value(text, "MISSING"), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(?s).*") {
            let _ = value(&text, "ID");
        }

        #[test]
        fn a_quoted_value_reads_back(plain in "[^\\n\\r\\\\\"]*") {
            prop_assert_eq!(value(&format!("ID=\"{plain}\""), "ID"), Some(plain));
        }
    }
}
