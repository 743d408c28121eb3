//! Puts a set of files into a directory: all of them, or none.
//!
//! They are written under names of their own first and brought to the disk, so that
//! a full disk or a kill leaves what was there. Then they are renamed one by one.
//! Who reads in between finds old files and new ones: what both sets know is known
//! in any mixture of them, as each lookup ends in `modules.dep`. That comes last, so
//! that `depmod --quick`, which looks at its time, does not take a set for finished
//! that is not.
//!
//! Others that want to write there wait.

use std::fs;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::write;
use crate::error::Error;
use crate::files;

/// Saves `files` in `directory`, which is made where it is missing. They are renamed
/// in the order that they have.
pub fn save(directory: &Path, files: &[write::File]) -> Result<(), Error> {
    let failed = |error: io::Error| {
        let doing = format!("could not write to directory {}", directory.display());
        Error::new(doing, error)
    };
    fs::create_dir_all(directory).map_err(failed)?;
    let handle = files::open(directory).map_err(failed)?;
    // Where there are no locks, nobody waits. The end of the process gives it back: nix would
    // panic where that fails.
    let lock = Flock::lock(handle, FlockArg::LockExclusive).map(ManuallyDrop::new);
    let saved = write_all(directory, files).and_then(|()| rename_all(directory, files));
    if saved.is_err() {
        for (name, _) in files {
            let _ = fs::remove_file(temporary(directory, name));
        }
    }
    saved?;
    // The files are there whether or not the directory can be told to stay.
    if let Ok(directory) = lock {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Fixed, so that what a kill leaves is replaced by the next run.
fn temporary(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}.new"))
}

fn write_all(directory: &Path, files: &[write::File]) -> Result<(), Error> {
    let mut open = Vec::new();
    for (name, content) in files {
        let path = temporary(directory, name);
        let file = files::write_new(&path, content);
        open.push(file.map_err(|error| refused(directory, name, error))?);
    }
    for (file, (name, _)) in open.iter().zip(files) {
        file.sync_data().map_err(|error| refused(directory, name, error))?;
    }
    Ok(())
}

fn rename_all(directory: &Path, files: &[write::File]) -> Result<(), Error> {
    for (name, _) in files {
        fs::rename(temporary(directory, name), directory.join(name))
            .map_err(|error| refused(directory, name, error))?;
    }
    Ok(())
}

fn refused(directory: &Path, name: &str, error: io::Error) -> Error {
    Error::new(format!("could not write {}", directory.join(name).display()), error)
}
