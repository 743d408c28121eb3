//! Which configuration files are read, and in which order.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{Cause, Error, errno};
use crate::files::{self, Kind};
use crate::root::Root;

/// The files to read: base name and path, sorted, one per base name.
#[derive(Default)]
pub struct Files(Vec<(Vec<u8>, PathBuf)>);

impl Files {
    /// The files of `directories` below `system`, the best first, or those of `paths`,
    /// files or directories, where any are given.
    pub fn list(
        system: &Root,
        directories: &[&str],
        paths: &[OsString],
        errors: &mut Vec<Error>,
    ) -> Self {
        let mut files = Self::default();
        if paths.is_empty() {
            for directory in directories {
                match files.add(&system.join(directory), errors) {
                    Ok(()) | Err(Cause::Errno(Errno::ENOENT)) => {}
                    Err(cause) => {
                        errors.push(Error::new(format!("could not read {directory}"), cause));
                    }
                }
            }
        }
        for path in paths {
            if let Err(error) = files.add(Path::new(path), errors) {
                let doing = format!("could not read configuration {}", path.to_string_lossy());
                errors.push(Error::new(doing, error));
            }
        }
        files
    }

    /// Adds a file of any name, or the `.conf` files of a directory.
    fn add(&mut self, path: &Path, errors: &mut Vec<Error>) -> Result<(), Cause> {
        let is_read = files::for_each_entry(path, &mut |name, kind| {
            if name.starts_with(b".") || !name.ends_with(b".conf") {
                return;
            }
            let path = path.join(OsStr::from_bytes(name));
            let is_directory = match kind {
                Some(kind) => kind == Kind::Directory,
                None => fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()),
            };
            if is_directory {
                let message = "directories inside directories are not supported";
                errors.push(Error::new(path.to_string_lossy().into_owned(), message));
            } else {
                self.insert(name.to_vec(), path);
            }
        });
        match is_read {
            Err(error) if errno(&error) == Errno::ENOTDIR => {
                self.insert(base_name(path), path.to_owned());
                Ok(())
            }
            is_read => Ok(is_read?),
        }
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

/// What is in a file. A link to nothing masks a file, and not every kernel has each
/// file that is read.
pub fn content(path: &Path, errors: &mut Vec<Error>) -> Option<Vec<u8>> {
    match files::read(path) {
        Ok(content) => Some(content),
        Err(error) if errno(&error) == Errno::ENOENT => None,
        Err(error) => {
            errors.push(Error::reading(path, error));
            None
        }
    }
}

fn base_name(path: &Path) -> Vec<u8> {
    path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec()
}
