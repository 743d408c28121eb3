//! Which modules the kernel has, read once.
//!
//! `/proc/modules` holds a line per module (kernel: `kernel/module/procfs.c`):
//!
//! ```text
//! NAME SIZE REFCNT USER,USER,|- Live|Loading|Unloading ADDRESS
//! ```
//!
//! Where there is no `/proc`, `/sys/module/NAME/initstate` answers for single
//! modules. A module that is still loading counts as not there: to load it
//! again makes the kernel wait for it.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::collect::Collect;
use crate::error::{Error, errno, is_gone};
use crate::files;
use crate::format::text::{lines, number, put, words};
use crate::large::Large;
use crate::name::ModuleName;
use crate::root::Root;

/// One loaded module.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its name.
    pub name: ModuleName,
    /// Its size in memory, in bytes.
    pub size: u64,
    /// How many users it has; `None` where the kernel cannot unload modules.
    pub refcnt: Option<i64>,
    /// The modules that use it.
    pub holders: Vec<ModuleName>,
    /// How far it is.
    pub phase: Phase,
}

/// How far a module is, as `initstate` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Loading.
    Coming,
    /// Loaded.
    Live,
    /// Unloading.
    Going,
}

impl Phase {
    /// The word of `/proc/modules`, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coming => "loading",
            Self::Live => "live",
            Self::Going => "unloading",
        }
    }
}

/// The kernel's list of its modules.
const LIST: &str = "/proc/modules";

/// The kernel's modules at one moment.
pub struct State {
    modules: Result<Vec<Loaded>, Errno>,
    sysfs: PathBuf,
    empty: bool,
    /// What was asked for, is there, and could not be read.
    unread: RefCell<Option<Error>>,
}

impl State {
    /// Reads the kernel's list.
    pub fn read(system: &Root) -> Self {
        let list = files::read(&system.join(LIST)).map_err(|error| errno(&error));
        Self {
            modules: list.map(|list| lines(&list).filter_map(parse).vec()),
            sysfs: system.join("/sys/module"),
            empty: false,
            unread: RefCell::default(),
        }
    }

    /// A kernel without any module, not even builtin ones: what
    /// `--show-depends` plans for.
    pub fn empty() -> Self {
        let (modules, sysfs) = (Ok(Vec::new()), PathBuf::new());
        Self { modules, sysfs, empty: true, unread: RefCell::default() }
    }

    /// Whether this is [`State::empty`].
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// All modules in the kernel's order; `None` where it has no list.
    pub fn modules(&self) -> Option<&[Loaded]> {
        self.modules.as_deref().ok()
    }

    /// Why there is no list.
    pub fn error(&self) -> Option<Error> {
        let errno = self.modules.as_ref().err()?;
        Some(Error::reading(Path::new(LIST), *errno))
    }

    /// The module `name`, in whatever state.
    pub fn get(&self, name: &ModuleName) -> Option<Loaded> {
        match &self.modules {
            Ok(modules) => modules.iter().find(|module| module.name == *name).cloned(),
            Err(errno) => {
                let found = self.ask_sysfs(name);
                // Nobody can say whether it is there.
                if found.is_none() && !self.sysfs.is_dir() {
                    self.pass_over(Path::new(LIST), *errno);
                }
                found
            }
        }
    }

    /// What could not be read since the last call, of that by which [`State::get`] answers: the
    /// answer may be wrong then.
    pub fn take_unread(&self) -> Option<Error> {
        self.unread.take()
    }

    /// Keeps in mind that `path` can't be read, unless it is not there.
    fn pass_over(&self, path: &Path, errno: Errno) {
        if !is_gone(errno) {
            self.unread.replace(Some(Error::reading(path, errno)));
        }
    }

    fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        self.kept(path, files::read(path))
    }

    fn kept<T>(&self, path: &Path, result: io::Result<T>) -> Option<T> {
        result.map_err(|error| self.pass_over(path, errno(&error))).ok()
    }

    /// Whether module `name` is loaded for good.
    pub fn is_live(&self, name: &ModuleName) -> bool {
        match &self.modules {
            Ok(modules) => {
                let mut modules = modules.iter();
                modules.any(|module| module.phase == Phase::Live && module.name == *name)
            }
            Err(_) => self.phase(name) == Some(Phase::Live),
        }
    }

    /// Whether module `name` is loaded for good at this moment, which may be a later one.
    pub fn is_live_now(&self, name: &ModuleName) -> bool {
        self.phase(name) == Some(Phase::Live)
    }

    /// Whether module `name` is in the kernel, loaded or built in, by what the kernel says
    /// itself: where no index knows of it, as in a container.
    pub fn has(&self, name: &ModuleName) -> bool {
        !self.empty && (self.is_live(name) || self.is_builtin(name))
    }

    /// Whether module `name` is built in, as far as `/sys` shows: it has a directory there if
    /// it has parameters or a version, and no `initstate` in it.
    pub fn is_builtin(&self, name: &ModuleName) -> bool {
        // A name is one directory's.
        let is_name = !matches!(name.as_bytes(), b"" | b"." | b"..");
        let directory = self.sysfs.join(OsStr::from_bytes(name.as_bytes()));
        is_name
            && !name.as_bytes().contains(&b'/')
            && directory.is_dir()
            && !directory.join("initstate").exists()
    }

    /// Takes the module `name` away, as the kernel does when it is removed.
    pub fn forget(&mut self, name: &ModuleName) {
        let Ok(modules) = &mut self.modules else { return };
        modules.retain(|module| module.name != *name);
        for module in modules.iter_mut().filter(|module| module.holders.contains(name)) {
            module.holders.retain(|holder| holder != name);
            module.refcnt = module.refcnt.map(|count| count - 1);
        }
    }

    /// How far the module `name` is as sysfs has it. Builtin modules have a directory there,
    /// too, but no `initstate`.
    fn phase(&self, name: &ModuleName) -> Option<Phase> {
        let mut path = Large::default();
        let directory = self.sysfs.as_os_str().as_bytes();
        put(&mut path.0, &[directory, b"/", name.as_bytes(), b"/initstate"]);
        let state = self.read_file(Path::new(OsStr::from_bytes(&path)))?;
        Some(match state.trim_ascii() {
            b"live" => Phase::Live,
            b"going" => Phase::Going,
            _ => Phase::Coming,
        })
    }

    fn ask_sysfs(&self, name: &ModuleName) -> Option<Loaded> {
        let directory = self.sysfs.join(OsStr::from_bytes(name.as_bytes()));
        let read = |file: &str| self.read_file(&directory.join(file));
        let phase = self.phase(name)?;
        let mut holders = Vec::new();
        let add = &mut |name: &[u8], _| holders.push(ModuleName::new(name));
        // None, if there is no such directory.
        let path = directory.join("holders");
        self.kept(&path, files::for_each_entry(&path, add));
        Some(Loaded {
            name: name.clone(),
            size: read("coresize").and_then(|text| number(text.trim_ascii(), 10)).unwrap_or(0),
            refcnt: read("refcnt").and_then(|text| count(text.trim_ascii())),
            holders,
            phase,
        })
    }
}

/// What there is to say where the kernel was built without modules.
pub const NO_SUPPORT: &str = "this kernel has no module support";

/// Whether the kernel has modules at all, as far as `/proc` tells.
pub fn has_module_support(system: &Root) -> bool {
    system.join("/proc/modules").exists() || !system.join("/proc/version").exists()
}

fn parse(line: &[u8]) -> Option<Loaded> {
    let mut words = words(line);
    let name = ModuleName::new(words.next()?);
    let size = number(words.next()?, 10)?;
    let refcnt = count(words.next()?);
    let holders = words.next().unwrap_or_default().split(|&c| c == b',');
    // The kernel marks a module that has no exit function as its own user.
    let is_name = |holder: &&[u8]| !matches!(*holder, b"" | b"-" | b"[permanent]");
    let holders = holders.filter(is_name).map(ModuleName::new).vec();
    let phase = match words.next() {
        Some(b"Live") => Phase::Live,
        Some(b"Unloading") => Phase::Going,
        _ => Phase::Coming,
    };
    Some(Loaded { name, size, refcnt, holders, phase })
}

fn count(word: &[u8]) -> Option<i64> {
    let (digits, sign) = match word.strip_prefix(b"-") {
        Some(digits) => (digits, -1),
        None => (word, 1),
    };
    Some(sign * i64::try_from(number(digits, 10)?).ok()?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn state(list: &str) -> State {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        fs::write(dir.path().join("proc/modules"), list).unwrap();
        State::read(&Root::new(dir.path()))
    }

    #[test]
    fn lines_of_proc_modules_are_read() {
        let state = state(
            "ext4 983040 1 - Live 0x0\njbd2 167936 1 ext4, Live 0x0 (E)\n\
             slow 1 2 a,b,[permanent], Loading 0x0\nno 5 - - Live 0x0\ngarbage\n\n",
        );
        let name = |name: &str| ModuleName::new(name.as_bytes());
        assert_eq!(state.modules().unwrap().len(), 4);
        assert!(state.is_live(&name("ext4")) && !state.is_live(&name("slow")));
        assert_eq!(state.get(&name("jbd2")).unwrap().holders, [name("ext4")]);
        assert_eq!(state.get(&name("slow")).unwrap().holders, [name("a"), name("b")]);
        assert_eq!(state.get(&name("no")).unwrap().refcnt, None);
        assert!(state.get(&name("garbage")).is_none());
        let mut state = state;
        state.forget(&name("ext4"));
        assert!(state.get(&name("ext4")).is_none());
        assert_eq!(state.get(&name("jbd2")).unwrap().refcnt, Some(0));
    }

    #[test]
    fn without_proc_sysfs_answers() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sys/module/loop")).unwrap();
        fs::write(dir.path().join("sys/module/loop/initstate"), "live\n").unwrap();
        let state = State::read(&Root::new(dir.path()));
        assert!(state.modules().is_none());
        assert!(state.is_live(&ModuleName::new(b"loop")));
        assert!(!state.is_live(&ModuleName::new(b"ext4")));
    }
}
