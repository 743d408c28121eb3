//! What the administrator and the boot loader say about modules: modprobe.d
//! directories, the kernel directory's `modules.softdep` and `modules.weakdep`, the
//! kernel command line (`modprobe.d(5)`).
//!
//! Files are read in the order of their base names over all directories; of
//! one base name the first directory's file counts, even an empty one, which
//! is how a vendor's file is masked.

mod cmdline;
pub mod depmod_d;
mod find;
mod lines;
mod modprobe_d;
pub mod modules_load;
mod release;
pub mod show;
mod written;

use std::ffi::OsString;
use std::path::Path;

use find::Files;
use written::{NO_NAME, Place};

use crate::error::Error;
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

/// The merged configuration. Lists are in reading order; patterns match folded
/// names.
#[derive(Default)]
pub struct Config {
    /// Pattern and module of each `alias`.
    pub aliases: Vec<(Vec<u8>, ModuleName)>,
    /// Module or alias, and parameters, of each `options`, those of the kernel
    /// command line at the end.
    pub options: Vec<(Vec<u8>, Vec<u8>)>,
    /// Each `blacklist`.
    pub blacklist: Vec<ModuleName>,
    /// Each module that the kernel itself takes from nobody, as its command line says.
    pub refused: Vec<ModuleName>,
    /// Each `deny`.
    pub denials: Vec<Denial>,
    /// Pattern and shell command of each `install`.
    pub installs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Pattern and shell command of each `remove`.
    pub removes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Pattern and names of each `softdep`.
    pub softdeps: Vec<(Vec<u8>, Softdep)>,
    /// Pattern and names of each `weakdep`.
    pub weakdeps: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Patterns for which there are options, and where.
    patterns: Vec<Denial>,
    /// What could not be read or understood, for the log.
    pub errors: Vec<Error>,
    /// Whether something could not be read that is there.
    pub is_partial: bool,
    /// What is understood, but odd.
    pub warnings: Vec<Error>,
    /// The kernel command line, for who looks for something else there: at another look it may
    /// not be readable.
    #[cfg(feature = "coldplug")]
    pub command_line: Vec<u8>,
}

/// Names, aliases or modaliases that should load before and after a module.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub struct Softdep {
    /// To be loaded before the module, and removed after it.
    pub pre: Vec<Vec<u8>>,
    /// To be loaded after the module, and removed before it.
    pub post: Vec<Vec<u8>>,
}

/// Modules that must not be loaded, whatever wants them.
pub struct Denial {
    /// Which modules.
    pub pattern: Vec<u8>,
    /// Who says so: a file and line, or the kernel command line.
    pub place: String,
}

impl Config {
    /// Reads `paths`, files or directories, in place of the usual directories
    /// where any are given, then the files of the kernel's directory `moddir`
    /// and the kernel command line.
    pub fn load(system: &Root, paths: &[OsString], moddir: &Path) -> Self {
        let mut config = Self::default();
        let mut files = Files::list(system, &DIRECTORIES, paths, &mut config.errors);
        config.doubt(0, true);
        for name in ["modules.softdep", "modules.weakdep"] {
            files.insert(name.as_bytes().to_vec(), moddir.join(name));
        }
        for path in files.paths() {
            let told = config.errors.len();
            if let Some(text) = find::content(&path, &mut config.errors) {
                modprobe_d::parse(&mut config, &path, &text);
            } else {
                // depmod writes no denials.
                config.doubt(told, path.parent() != Some(moddir));
            }
        }
        config.check_options();
        config.add_command_line(system);
        config
    }

    /// What the kernel command line alone says.
    pub fn of_command_line(system: &Root) -> Self {
        let mut config = Self::default();
        config.add_command_line(system);
        config
    }

    fn add_command_line(&mut self, system: &Root) {
        let told = self.errors.len();
        if let Some(line) = find::content(&system.join("/proc/cmdline"), &mut self.errors) {
            cmdline::parse(self, &line);
            #[cfg(feature = "coldplug")]
            {
                self.command_line = line;
            }
        } else {
            self.doubt(told, true);
        }
    }

    /// Keeps that something could not be read, if an error from the `told`th on says so. Where
    /// it `may_deny` modules, nobody knows which: all are. What is not there denies nothing.
    fn doubt(&mut self, told: usize, may_deny: bool) {
        let errors = self.errors.get(told..).unwrap_or_default();
        let Some(error) = errors.iter().find(|error| error.is_unread()) else { return };
        self.is_partial = true;
        if may_deny {
            let place = format!("default: {error}");
            self.denials.push(Denial { pattern: b"*".to_vec(), place });
        }
    }

    /// Tells of options for a pattern that is none of an alias: there they count for the
    /// text of the pattern alone.
    fn check_options(&mut self) {
        for Denial { pattern, place } in std::mem::take(&mut self.patterns) {
            if !self.aliases.iter().any(|(alias, _)| *alias == pattern) {
                let place = Place { source: Path::new(&place), line: 0 };
                self.errors.push(place.tell(NO_NAME, &pattern));
            }
        }
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

    /// Whether options are set for anything that is no module's name.
    pub fn has_options_of_aliases(&self) -> bool {
        let is_alias = |c: &u8| matches!(c, b':' | b'*' | b'?' | b'[');
        self.options.iter().any(|(key, _)| key.iter().any(is_alias))
    }

    /// Whether a `blacklist` line names the module.
    pub fn is_blacklisted(&self, name: &ModuleName) -> bool {
        self.blacklist.contains(name)
    }

    /// Whether the kernel itself refuses the module, as `module_blacklist=` on its command
    /// line says.
    pub fn is_refused_by_kernel(&self, name: &ModuleName) -> bool {
        self.refused.contains(name)
    }

    /// Who denies the module, if anyone does.
    pub fn denial(&self, name: &ModuleName) -> Option<&str> {
        let mut denials = self.denials.iter();
        denials.find(|denial| glob(&denial.pattern, name.as_bytes())).map(|denial| &*denial.place)
    }

    /// The shell command to run in place of inserting the module: the first.
    pub fn install_command(&self, name: &ModuleName) -> Option<&[u8]> {
        command(&self.installs, name)
    }

    /// The shell command to run in place of removing the module: the first.
    pub fn remove_command(&self, name: &ModuleName) -> Option<&[u8]> {
        command(&self.removes, name)
    }

    /// Whether there is a command for the module called exactly `name`.
    pub fn has_command(&self, name: &[u8]) -> bool {
        self.installs.iter().chain(&self.removes).any(|(pattern, _)| pattern == name)
    }

    /// The soft dependencies of the module: those of all its lines together.
    pub fn softdep(&self, name: &ModuleName) -> Softdep {
        let mut all = Softdep::default();
        for (pattern, softdep) in &self.softdeps {
            if glob(pattern, name.as_bytes()) {
                all.pre.extend_from_slice(&softdep.pre);
                all.post.extend_from_slice(&softdep.post);
            }
        }
        all
    }
}

fn command<'a>(commands: &'a [(Vec<u8>, Vec<u8>)], name: &ModuleName) -> Option<&'a [u8]> {
    let mut commands = commands.iter();
    commands.find(|(pattern, _)| glob(pattern, name.as_bytes())).map(|(_, command)| &**command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
        assert!(config.errors.is_empty());
    }

    #[test]
    fn a_command_line_that_cant_be_read_is_told_as_it_may_deny_modules() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::of_command_line(&Root::new(dir.path()));
        assert!(config.errors.is_empty(), "without /proc there is none");
        fs::create_dir_all(dir.path().join("proc/cmdline")).unwrap();
        let config = Config::of_command_line(&Root::new(dir.path()));
        let told = config.errors[0].to_string();
        assert!(told.ends_with("proc/cmdline: Is a directory"), "{told}");
    }

    #[test]
    fn softdeps_of_modules_take_part_in_the_sort() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "modules.softdep", "softdep m pre: shipped\nsoftdep n pre: shipped\n");
        write(dir.path(), "/etc/modprobe.d/00-local.conf", "softdep m pre: local\n");
        write(dir.path(), "/etc/modprobe.d/z.conf", "softdep n pre: late\n");
        let config = Config::load(&Root::new(dir.path()), &[], dir.path());
        let pre = |name: &[u8]| config.softdep(&ModuleName::new(name)).pre;
        assert_eq!(pre(b"m"), [&b"local"[..], b"shipped"], "all lines count");
        assert_eq!(pre(b"n"), [&b"shipped"[..], b"late"]);
    }
}
