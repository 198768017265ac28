//! Changing a file so that every reader sees either what it was or what it shall be, also after a power failure.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{OFlags, XattrFlags, fgetxattr, flistxattr, fsetxattr},
    io::Errno,
};

/// Behind the name of a file: what it was before its latest change.
const BACKUP: &str = ".osapi-backup";
/// Behind the name of a file: what it shall be, until it is complete.
const DRAFT: &str = ".osapi-new";
/// Of a file that was not there.
const MODE: u32 = 0o644;

/// Puts `contents` in the place of a file that holds `former`; `name` is what errors call it. The file keeps its mode,
/// owner and extended attributes (access lists and labels are such), and the former contents stay beside it.
///
/// A file that is mounted by itself, as containers have it, cannot be replaced: it is overwritten, and gets its former
/// contents again if that fails.
pub(super) fn replace(file: &Path, name: &str, former: Option<&[u8]>, contents: &[u8]) -> Result<(), String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("cannot {what} {name}: {error}")
    };
    let like = match former {
        Some(former) => {
            let like = open_as_it_is(file, OpenOptions::new().read(true)).map_err(failed("open"))?;
            put(&beside(file, BACKUP), former, Some(&like)).map_err(failed("keep a backup of"))?;
            Some(like)
        }
        None => None,
    };
    match put(file, contents, like.as_ref()) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            tracing::warn!(file = name, "the file is mounted by itself; overwriting it in its place");
            overwrite(file, former.unwrap_or_default(), contents).map_err(failed("overwrite"))
        }
        put => put.map_err(failed("replace")),
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

fn open_as_it_is(file: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(file)
}

/// Writes a draft, then gives it the name.
fn put(file: &Path, contents: &[u8], like: Option<&File>) -> io::Result<()> {
    let draft = beside(file, DRAFT);
    // What an interrupted change left.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let put = write_draft(&draft, contents, like).and_then(|()| fs::rename(&draft, file)).and_then(|()| {
        let folder = file.parent().unwrap_or(Path::new("/"));
        File::open(folder)?.sync_all()
    });
    put.inspect_err(|_| {
        // It may have its name already, or may never have been there.
        let _ = fs::remove_file(&draft);
    })
}

fn write_draft(draft: &Path, contents: &[u8], like: Option<&File>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(contents)?;
    let mode = match like {
        Some(like) => {
            let (wanted, is) = (like.metadata()?, file.metadata()?);
            let owner = |metadata: &Metadata| (metadata.uid(), metadata.gid());
            if owner(&wanted) != owner(&is) {
                fchown(&file, Some(wanted.uid()), Some(wanted.gid()))?;
            }
            copy_attributes(like, &file)?;
            wanted.mode() & 0o7777
        }
        None => MODE,
    };
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Without its label a file may not be readable to the services of a host that labels files.
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0; 64 << 10];
    let length = match flistxattr(from, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut value = vec![0; 64 << 10];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = fgetxattr(from, name, &mut value[..])?;
        let mut there = vec![0; length];
        let same = fgetxattr(to, name, &mut there[..])
            .is_ok_and(|there_length| there_length == length && there == value[..length]);
        if !same {
            fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
        }
    }
    Ok(())
}

fn overwrite(file: &Path, former: &[u8], contents: &[u8]) -> io::Result<()> {
    let file = open_as_it_is(file, OpenOptions::new().write(true))?;
    fill(&file, contents).map_err(|error| match fill(&file, former) {
        Ok(()) => error,
        Err(again) => io::Error::other(format!("{error}; its backup was not put back either: {again}")),
    })
}

fn fill(mut file: &File, contents: &[u8]) -> io::Result<()> {
    io::Seek::rewind(&mut file)?;
    file.write_all(contents)?;
    file.set_len(contents.len() as u64)?;
    file.sync_all()
}
