//! The key that signs tokens, when the configuration names none: made once, kept where only its owner can read it.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Bytes of a key that is made here.
const LENGTH: usize = 32;
/// Different bytes that a key must have. Random ones have far more, also when they are written as decimal digits.
const FEWEST_DIFFERENT_BYTES: usize = 8;

/// The key cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the signing key {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("the signing key {} can be read by others: make it readable by its owner only (chmod 600)", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no signing key {}", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It can be guessed.
    #[error("the signing key {} can be guessed, it has few different bytes: remove it to make a new one", .path.display())]
    Weak {
        /// The file.
        path: PathBuf,
    },
    /// It is not what this program writes.
    #[error("the signing key {} is not whole: {LENGTH} bytes in hexadecimal are expected; remove it to make a new one", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Whether a key is made of so few different bytes that it cannot be a secret, such as one byte repeated.
#[must_use]
pub fn is_weak(key: &[u8]) -> bool {
    key.iter().collect::<BTreeSet<_>>().len() < FEWEST_DIFFERENT_BYTES
}

/// Where the key of a data directory is.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("signing.key")
}

/// The key of a data directory; makes the directory and the key when they are not there.
///
/// # Errors
/// When the key cannot be read or made, is not whole, or can be read by others.
pub fn load_or_create(data_dir: &Path) -> Result<Vec<u8>, SigningKeyError> {
    match load(data_dir) {
        Err(SigningKeyError::Missing { path }) => {
            let made = create(data_dir, &path).map_err(|source| SigningKeyError::File { path, source })?;
            // Of two processes that make one at the same time, the file of the first is the key.
            made.map_or_else(|| load(data_dir), Ok)
        }
        loaded => loaded,
    }
}

/// The key of a data directory that has one.
///
/// # Errors
/// When the key is not there, cannot be read, is not whole, or can be read by others.
pub fn load(data_dir: &Path) -> Result<Vec<u8>, SigningKeyError> {
    let path = path(data_dir);
    let failed = |source| SigningKeyError::File { path: path.clone(), source };
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SigningKeyError::Missing { path }),
        text => text.map_err(failed)?,
    };
    if fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(SigningKeyError::Exposed { path });
    }
    match parse(&text) {
        None => Err(SigningKeyError::Malformed { path }),
        Some(key) if is_weak(&key) => Err(SigningKeyError::Weak { path }),
        Some(key) => Ok(key),
    }
}

fn parse(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end();
    if text.len() != 2 * LENGTH || !text.is_ascii() {
        return None;
    }
    (0..LENGTH).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()).collect()
}

/// Makes a key under another name first, so that a key under the right name is always whole. None when there is one.
fn create(data_dir: &Path, path: &Path) -> io::Result<Option<Vec<u8>>> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let mut key = vec![0; LENGTH];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let text = key.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let new = data_dir.join(format!("signing.key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    let made = fs::hard_link(&new, path);
    fs::remove_file(&new)?;
    match made {
        Ok(()) => {
            File::open(data_dir)?.sync_all()?;
            Ok(Some(key))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let home = tempfile::tempdir().expect("a directory");
        let data_dir = home.path().join("data");
        let key = load_or_create(&data_dir).expect("makes one");
        assert_eq!(load_or_create(&data_dir).expect("reads it"), key);
        assert_eq!(key.len(), LENGTH);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path(&data_dir)), mode(&data_dir)), (0o600, 0o700));
        assert_eq!(fs::read_dir(&data_dir).expect("reads").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_that_is_exposed_or_cut_is_refused_by_name() {
        let home = tempfile::tempdir().expect("a directory");
        load_or_create(home.path()).expect("makes one");
        let file = path(home.path());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("changes");
        let refused = load_or_create(home.path()).expect_err("others can read it").to_string();
        assert!(refused.contains("signing.key") && refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changes");
        fs::write(&file, "0f".repeat(LENGTH)).expect("writes");
        assert!(matches!(load_or_create(home.path()), Err(SigningKeyError::Weak { .. })));
        for text in ["", "00ff", &"zz".repeat(LENGTH)] {
            fs::write(&file, text).expect("writes");
            assert!(matches!(load_or_create(home.path()), Err(SigningKeyError::Malformed { .. })), "{text}");
        }
    }
}
