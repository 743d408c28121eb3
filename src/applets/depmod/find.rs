//! Which module files there are, and which of several with one name counts.
//!
//! Directories are read in the order of names and links are followed, but not around
//! in a circle. Of modules with one name an `override` counts, then the place that
//! `search` names first, then the first that is found: `build` and `source`, which
//! lead to the kernel's sources, and `exclude`d names are passed over. What is called like
//! a module and can be none is a stray: it is told of, and passed over as well.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::config::depmod_d::{DepmodConfig, Search};
use crate::error::{Error, errno};
use crate::files::{self, Entry, Kind};
use crate::moddir::stem;
use crate::name::ModuleName;

/// A module's file.
pub struct Found {
    /// Its name, by that of the file.
    pub name: ModuleName,
    /// Where it is.
    pub path: PathBuf,
    /// What `modules.dep` calls it: its path from the kernel's directory on, or the
    /// whole path where it is outside.
    pub listed: Vec<u8>,
}

impl Found {
    /// The module in the file `path`, where `directory` is the kernel's.
    pub fn new(path: PathBuf, directory: &Path) -> Self {
        let whole = path.as_os_str().as_bytes();
        let inside = whole.strip_prefix(directory.as_os_str().as_bytes());
        let listed = inside.and_then(|path| path.strip_prefix(b"/")).unwrap_or(whole).to_vec();
        Self { name: ModuleName::from_path(&listed), path, listed }
    }

    /// What it is listed as, without the suffix of a compression.
    pub fn uncompressed(&self) -> &[u8] {
        let end = stem(&self.listed).map(|stem| stem.len() + b".ko".len());
        end.and_then(|end| self.listed.get(..end)).unwrap_or(&self.listed)
    }
}

/// Files, sorted by the names of their modules, and what went wrong.
#[derive(Default)]
pub struct Files {
    /// The files that count.
    pub found: Vec<Found>,
    /// What could not be read.
    pub errors: Vec<Error>,
    /// What is called like a module, and is plainly none.
    pub strays: Vec<Error>,
    /// What is odd.
    pub warnings: Vec<Error>,
    /// When a module or a directory with modules was changed last: seconds, and
    /// nanoseconds.
    pub newest: (i64, i64),
}

/// The modules in the files `paths` alone; `directory` is the kernel's.
pub fn named(directory: &Path, paths: &[OsString]) -> Files {
    let mut files = Files::default();
    for path in paths.iter().map(Path::new) {
        if !path.is_absolute() {
            files.errors.push(Error::said(format!("{}: not absolute path.", path.display())));
            continue;
        }
        if let Err(error) = fs::metadata(path) {
            files.errors.push(Error::reading(path, error));
        }
        let module = Found::new(path.to_owned(), directory);
        if let Some(known) = files.found.iter().find(|known| known.name == module.name) {
            let (path, known) = (path.display(), known.path.display());
            files.errors.push(Error::said(format!("{path}: has the name of {known}")));
        }
        files.found.push(module);
    }
    files.found.sort_by(by_name);
    files
}

/// All modules in `directory`, the kernel's, and in those outside that `config` names;
/// with their times if `with_times` says so.
pub fn find(directory: &Path, config: &DepmodConfig, with_times: bool) -> io::Result<Files> {
    let mut walk = Walk { directory, config, with_times, files: Files::default() };
    walk.enter(directory)?;
    for external in config.externals.iter().rev() {
        let external = Path::new(OsStr::from_bytes(external));
        match walk.enter(external) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let doing = format!("could not open directory {}", external.display());
                walk.files.warnings.push(Error::new(doing, error));
            }
            Err(error) => walk.files.errors.push(Error::reading(external, error)),
            Ok(()) => {}
        }
    }
    walk.choose();
    Ok(walk.files)
}

fn by_name(a: &Found, b: &Found) -> Ordering {
    a.name.cmp(&b.name)
}

struct Walk<'a> {
    directory: &'a Path,
    config: &'a DepmodConfig,
    with_times: bool,
    files: Files,
}

impl Walk<'_> {
    fn enter(&mut self, directory: &Path) -> io::Result<()> {
        let mut entries = files::entries(directory)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for Entry { name, kind } in entries {
            if self.is_excluded(name.as_bytes()) {
                continue;
            }
            let is_module = stem(name.as_bytes()).is_some_and(|stem| !stem.is_empty());
            if !is_module && kind == Some(Kind::File) {
                continue;
            }
            let what = foreign(name.as_bytes(), is_module && kind != Some(Kind::Directory));
            let path = directory.join(name);
            if let Some(what) = what {
                self.files.strays.push(no_module(&path, what));
            } else if let Err(error) = self.look_at(&path, kind, is_module) {
                let list = match kind.is_none() && is_lost(&path, &error) {
                    true => &mut self.files.strays,
                    false => &mut self.files.errors,
                };
                list.push(Error::reading(&path, error));
            }
        }
        Ok(())
    }

    fn look_at(&mut self, path: &Path, kind: Option<Kind>, is_module: bool) -> io::Result<()> {
        let mut kind = kind;
        if kind.is_none() || self.with_times {
            let metadata = match fs::metadata(path) {
                // A link to nothing is no module that could be missed.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !is_module => {
                    return Ok(());
                }
                metadata => metadata?,
            };
            if kind.is_none() && metadata.is_dir() && leads_back(path, &metadata) {
                let warning = format!("{} leads back to where it is, not followed", path.display());
                self.files.warnings.push(Error::said(warning));
                return Ok(());
            }
            if is_module || metadata.is_dir() {
                self.files.newest =
                    self.files.newest.max((metadata.mtime(), metadata.mtime_nsec()));
            }
            kind = match (metadata.is_file(), metadata.is_dir()) {
                (true, _) => Some(Kind::File),
                (_, true) => Some(Kind::Directory),
                _ => None,
            };
        }
        match kind {
            Some(Kind::Directory) => return self.enter(path),
            Some(Kind::File) if is_module => {
                self.files.found.push(Found::new(path.to_owned(), self.directory));
            }
            _ if is_module => {
                self.files.strays.push(no_module(path, "not a regular file"));
            }
            _ => {}
        }
        Ok(())
    }

    fn is_excluded(&self, name: &[u8]) -> bool {
        matches!(name, b"build" | b"source") || self.config.excludes.iter().any(|e| e == name)
    }

    /// Keeps one file of each name: the one that counts most, and of equal ones the first.
    fn choose(&mut self) {
        let mut all = std::mem::take(&mut self.files.found);
        all.sort_by(by_name);
        let mut kept: Vec<Found> = Vec::new();
        for new in all {
            match kept.last_mut() {
                Some(known) if known.name == new.name => {
                    if self.rank(&new) > self.rank(known) {
                        *known = new;
                    }
                }
                _ => kept.push(new),
            }
        }
        self.files.found = kept;
    }

    /// How much a file counts beside others of its name: first by override, then by
    /// place. What is named first in a list is the highest.
    fn rank(&self, file: &Found) -> (Option<usize>, Option<usize>) {
        let is_inside = !file.listed.starts_with(b"/");
        let stem = stem(&file.listed).filter(|_| is_inside);
        let overrides = &self.config.overrides;
        // Of two overrides for one module the later counts.
        let by_override = overrides.iter().rposition(|path| Some(path.as_slice()) == stem);
        let (mut next, mut builtin, mut place) = (0, None, None);
        for search in self.config.searches.iter().rev() {
            match search {
                Search::Builtin => builtin = Some(next),
                Search::Directory(directory) if is_inside && is_below(&file.listed, directory) => {
                    place = Some(next);
                }
                Search::Directory(_) => {}
                Search::External => {
                    for external in self.config.externals.iter().rev() {
                        if is_below(file.path.as_os_str().as_bytes(), external) {
                            place = Some(next);
                        }
                        next += 1;
                    }
                }
            }
            next += 1;
        }
        (by_override, place.or(builtin))
    }
}

/// That the file at `path` is called like a module, and is none, being `what`.
pub fn no_module(path: &Path, what: &str) -> Error {
    Error::new(format!("{} is no module", path.display()), what)
}

/// Why what is called `name` is not looked at: others than the kernel's build put it there.
fn foreign(name: &[u8], is_module: bool) -> Option<&'static str> {
    if name == b".debug" {
        return Some("its name is that of a directory for debug information");
    }
    let starts = [
        (&b".wh."[..], "its name is that of a mark in a container's layer"),
        (b"._", "its name is what macOS gives to what it keeps of another file"),
    ];
    starts.into_iter().find(|(start, _)| is_module && name.starts_with(start)).map(|found| found.1)
}

/// Whether the link at `path` leads nowhere, or to where nothing may be read.
fn is_lost(path: &Path, error: &io::Error) -> bool {
    let lost = [Errno::ENOENT, Errno::ELOOP, Errno::ENOTDIR, Errno::EACCES, Errno::ENAMETOOLONG];
    lost.contains(&errno(error))
        && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Whether the directory at `path` is one of those that lead there.
fn leads_back(path: &Path, directory: &Metadata) -> bool {
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let mut above = path.ancestors().skip(1).filter_map(|above| fs::metadata(above).ok());
    above.any(|above| identity(&above) == identity(directory))
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}
