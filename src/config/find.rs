//! Which configuration files are read, and in which order.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Cause, Error};

/// The files to read: base name and path, sorted, one per base name.
#[derive(Default)]
pub struct Files(Vec<(Vec<u8>, PathBuf)>);

impl Files {
    /// Adds a file of any name, or the `.conf` files of a directory.
    pub fn add(&mut self, path: &Path, errors: &mut Vec<Error>) -> Result<(), Cause> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                self.insert(base_name(path), path.to_owned());
                return Ok(());
            }
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().as_bytes().to_vec();
            if name.starts_with(b".") || !name.ends_with(b".conf") {
                continue;
            }
            let path = entry.path();
            let is_directory = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()),
            };
            if is_directory {
                let message = "directories inside directories are not supported";
                errors.push(Error::new(path.display().to_string(), message));
                continue;
            }
            self.insert(name, path);
        }
        Ok(())
    }

    /// The files in reading order.
    pub fn paths(self) -> impl Iterator<Item = PathBuf> {
        self.0.into_iter().map(|(_, path)| path)
    }

    /// Adds the file `path` under the base name `name`, unless that is taken.
    pub fn insert(&mut self, name: Vec<u8>, path: PathBuf) {
        if let Err(at) = self.0.binary_search_by(|(other, _)| other.as_slice().cmp(&name)) {
            self.0.insert(at, (name, path));
        }
    }
}

fn base_name(path: &Path) -> Vec<u8> {
    path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec()
}
