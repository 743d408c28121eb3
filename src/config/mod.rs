//! What the administrator and the boot loader say about modules: modprobe.d
//! directories, the kernel directory's `modules.softdep`, the kernel command
//! line (`modprobe.d(5)`).
//!
//! Files are read in the order of their base names over all directories; of
//! one base name the first directory's file counts, even an empty one, which
//! is how a vendor's file is masked.

mod cmdline;
mod modprobe_d;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Cause, Error};
use crate::files;
use crate::name::{ModuleName, glob};
use crate::root::Root;

/// Where modprobe.d lies, highest precedence first.
const DIRECTORIES: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// The merged configuration. Lists are in reading order.
#[derive(Default)]
pub struct Config {
    aliases: Vec<(Vec<u8>, ModuleName)>,
    options: Vec<(Vec<u8>, Vec<u8>)>,
    blacklist: Vec<ModuleName>,
    softdeps: Vec<(Vec<u8>, Softdep)>,
    /// What could not be read or understood, for the log.
    pub warnings: Vec<Error>,
}

/// Names, aliases or modaliases that should load before and after a module.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Softdep {
    /// To be loaded before the module, and removed after it.
    pub pre: Vec<Vec<u8>>,
    /// To be loaded after the module, and removed before it.
    pub post: Vec<Vec<u8>>,
}

impl Config {
    /// Reads `paths`, files or directories, in place of the usual directories
    /// where any are given, then the files of the kernel's directory `moddir`
    /// and the kernel command line.
    pub fn load(system: &Root, paths: &[OsString], moddir: &Path) -> Self {
        let mut config = Self::default();
        let mut files = Files::default();
        if paths.is_empty() {
            for directory in DIRECTORIES {
                // A directory that is not there is the usual case.
                let _ = files.add(&system.join(directory), &mut config.warnings);
            }
        }
        for path in paths {
            if let Err(error) = files.add(Path::new(path), &mut config.warnings) {
                let doing = format!("could not read configuration {}", path.to_string_lossy());
                config.warnings.push(Error::new(doing, error));
            }
        }
        files.insert(b"modules.softdep".to_vec(), moddir.join("modules.softdep"));
        for (_, path) in files.0 {
            match files::read(&path) {
                Ok(text) => modprobe_d::parse(&mut config, &path, &text),
                // A link to nothing masks a file, and not every kernel's modules
                // have soft dependencies.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let doing = format!("could not read {}", path.display());
                    config.warnings.push(Error::new(doing, error));
                }
            }
        }
        if let Ok(line) = files::read(&system.join("/proc/cmdline")) {
            cmdline::parse(&mut config, &line);
        }
        config
    }

    /// The modules of the aliases that match `name`, each with its pattern.
    pub fn aliased<'a>(
        &'a self,
        name: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a ModuleName)> {
        let aliases = self.aliases.iter().filter(move |(pattern, _)| glob(pattern, name));
        aliases.map(|(pattern, module)| (pattern.as_slice(), module))
    }

    /// The options of module `name`, found through `alias` if that is given:
    /// options may be set for either.
    pub fn options(&self, name: &ModuleName, alias: Option<&[u8]>) -> Vec<u8> {
        let mut texts = Vec::new();
        for (key, text) in &self.options {
            if key == name.as_bytes() || alias == Some(key) {
                texts.push(text.as_slice());
            }
        }
        texts.join(&b' ')
    }

    /// Whether a `blacklist` line names the module.
    pub fn is_blacklisted(&self, name: &ModuleName) -> bool {
        self.blacklist.contains(name)
    }

    /// The first soft dependency line for the module.
    pub fn softdep(&self, name: &ModuleName) -> Option<&Softdep> {
        let mut softdeps = self.softdeps.iter();
        softdeps.find(|(pattern, _)| glob(pattern, name.as_bytes())).map(|(_, softdep)| softdep)
    }
}

/// The files to read: base name and path, sorted, one per base name.
#[derive(Default)]
struct Files(Vec<(Vec<u8>, PathBuf)>);

impl Files {
    /// Adds a file of any name, or the `.conf` files of a directory.
    fn add(&mut self, path: &Path, warnings: &mut Vec<Error>) -> Result<(), Cause> {
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
                warnings.push(Error::new(path.display().to_string(), message));
                continue;
            }
            self.insert(name, path);
        }
        Ok(())
    }

    fn insert(&mut self, name: Vec<u8>, path: PathBuf) {
        if let Err(at) = self.0.binary_search_by(|(other, _)| other.as_slice().cmp(&name)) {
            self.0.insert(at, (name, path));
        }
    }
}

fn base_name(path: &Path) -> Vec<u8> {
    path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn files_sort_by_base_name_and_the_first_directory_masks() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "/etc/modprobe.d/b.conf", "options m etc_b=1\n");
        write(dir.path(), "/etc/modprobe.d/mask.conf", "");
        write(dir.path(), "/etc/modprobe.d/note.txt", "options m no=1\n");
        write(dir.path(), "/lib/modprobe.d/a.conf", "options m lib_a=1\n");
        write(dir.path(), "/lib/modprobe.d/b.conf", "options m lib_b=1\n");
        write(dir.path(), "/lib/modprobe.d/mask.conf", "options m mask=1\n");
        write(dir.path(), "/proc/cmdline", "quiet m.boot=1\n");
        let config = Config::load(&Root::new(dir.path()), &[], dir.path());
        assert_eq!(config.options(&ModuleName::new(b"m"), None), b"lib_a=1 etc_b=1 boot=1");
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn softdeps_of_modules_take_part_in_the_sort() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "modules.softdep", "softdep m pre: shipped\nsoftdep n pre: shipped\n");
        write(dir.path(), "/etc/modprobe.d/00-local.conf", "softdep m pre: local\n");
        write(dir.path(), "/etc/modprobe.d/z.conf", "softdep n pre: late\n");
        let config = Config::load(&Root::new(dir.path()), &[], dir.path());
        assert_eq!(config.softdep(&ModuleName::new(b"m")).unwrap().pre, [b"local"]);
        assert_eq!(config.softdep(&ModuleName::new(b"n")).unwrap().pre, [b"shipped"]);
    }
}
