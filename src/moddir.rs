//! The kernel's directory of modules, `/lib/modules/RELEASE`, and the indexes
//! in it, each opened when a lookup first needs it.
//!
//! An index is read from its `.bin` file. Where that is missing, empty or
//! damaged, the text file beside it answers; damage is told in a warning.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::collect::Collect;
use crate::error::{Cause, Error};
use crate::files;
use crate::format::index::Index;
use crate::format::modinfo::Field;
use crate::format::pages::{Damage, Pages};
use crate::format::text;
use crate::name::ModuleName;
use crate::root::Root;

/// Where kernels keep their modules.
const DIRECTORY: &str = "/lib/modules/";

/// Suffixes of module files. `modules.dep` may name one and the tree hold
/// another, when files were compressed or unpacked after depmod ran.
const SUFFIXES: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];

/// `path` without its suffix, if it is called like a module's file.
pub fn stem(path: &[u8]) -> Option<&[u8]> {
    SUFFIXES.iter().find_map(|suffix| path.strip_suffix(*suffix))
}

/// One kernel's modules.
pub struct ModuleDir {
    path: PathBuf,
    dependencies: Table,
    aliases: Table,
    symbols: Table,
    builtin: Table,
    builtin_aliases: Table,
    warnings: RefCell<Vec<Error>>,
}

/// What `modules.dep` says of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The module's file, as it exists.
    pub path: PathBuf,
    /// The files that it depends on, directly or not. The last loads first.
    pub dependencies: Vec<PathBuf>,
}

/// An index: the `.bin` file or its text twin.
struct Table {
    bin: &'static str,
    text: &'static str,
    source: OnceCell<Source>,
    damaged: Cell<bool>,
    fallback: OnceCell<Option<Vec<u8>>>,
}

enum Source {
    Bin(Index<File>),
    Text,
}

impl ModuleDir {
    /// The modules of kernel `release` below `root`.
    pub fn new(root: &Root, release: &[u8]) -> Self {
        let mut path = root.join(DIRECTORY).into_os_string();
        path.push(OsStr::from_bytes(release));
        Self {
            path: path.into(),
            dependencies: Table::new("modules.dep.bin", "modules.dep"),
            aliases: Table::new("modules.alias.bin", "modules.alias"),
            symbols: Table::new("modules.symbols.bin", "modules.symbols"),
            builtin: Table::new("modules.builtin.bin", "modules.builtin"),
            builtin_aliases: Table::new("modules.builtin.alias.bin", "modules.builtin.modinfo"),
            warnings: RefCell::default(),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Damage met since the last call, for the log.
    pub fn take_warnings(&self) -> Vec<Error> {
        self.warnings.take()
    }

    /// Whether there is any list of modules at all.
    pub fn is_indexed(&self) -> bool {
        matches!(self.dependencies.open(self), Source::Bin(_))
            || self.dependencies.text(self).is_some()
    }

    /// Whether there is a list of the symbols that modules export.
    pub fn has_symbols(&self) -> bool {
        let is_sound = matches!(self.symbols.open(self), Source::Bin(_));
        is_sound && !self.symbols.damaged.get() || self.symbols.text(self).is_some()
    }

    /// The file and the dependencies of module `name`.
    pub fn entry(&self, name: &ModuleName) -> Option<Entry> {
        let line = self.dependency_line(name)?;
        let colon = line.iter().position(|&c| c == b':')?;
        let (path, dependencies) = line.split_at_checked(colon)?;
        Some(Entry {
            path: self.file(path),
            dependencies: text::words(dependencies.get(1..)?).map(|word| self.file(word)).vec(),
        })
    }

    /// The modules that module `name` depends on, directly or not, wherever their files
    /// are.
    pub fn dependencies(&self, name: &ModuleName) -> Vec<ModuleName> {
        let line = self.dependency_line(name).unwrap_or_default();
        let paths = line.split(|&c| c == b':').nth(1).unwrap_or_default();
        text::words(paths).map(ModuleName::from_path).vec()
    }

    /// Whether `modules.dep` has module `name`.
    pub fn contains(&self, name: &ModuleName) -> bool {
        self.dependency_line(name).is_some()
    }

    /// The modules that have an alias matching `name`, best first.
    pub fn aliased(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.aliases, name, text::aliased)
    }

    /// The aliases and symbols of modules as lines `alias NAME MODULE`.
    pub fn alias_lines(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for table in [&self.aliases, &self.symbols] {
            let dumped = self.lookup(
                table,
                |index| {
                    let mut lines = Vec::new();
                    index.dump(&mut |key, value| {
                        lines.extend_from_slice(&[b"alias ", key, b" ", value, b"\n"].concat());
                    })?;
                    Ok(Some(lines))
                },
                |text| Some(text::alias_lines(text)),
            );
            lines.extend_from_slice(&dumped.unwrap_or_default());
        }
        lines
    }

    /// The modules that export the symbol of `name`, which is `symbol:SYMBOL`.
    pub fn exporting(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.symbols, name, text::aliased)
    }

    /// The builtin modules that have an alias matching `name`.
    pub fn builtin_aliased(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.builtin_aliases, name, text::builtin_aliased)
    }

    /// What `modules.builtin.modinfo` has on module `name`.
    pub fn builtin_fields(&self, name: &ModuleName) -> Vec<Field> {
        let text = self.builtin_aliases.text(self).unwrap_or_default();
        text::builtin_fields(text, name)
    }

    /// Whether the kernel has module `name` built in.
    pub fn is_builtin(&self, name: &ModuleName) -> bool {
        self.lookup(
            &self.builtin,
            |index| Ok(index.get(name.as_bytes())?.map(|_| true)),
            |text| Some(text::is_builtin(text, name)),
        )
        .unwrap_or(false)
    }

    fn dependency_line(&self, name: &ModuleName) -> Option<Vec<u8>> {
        self.lookup(
            &self.dependencies,
            |index| index.get(name.as_bytes()),
            |text| text::dependency_line(text, name).map(<[u8]>::to_vec),
        )
    }

    fn patterns(
        &self,
        table: &Table,
        name: &[u8],
        search: fn(&[u8], &[u8]) -> Vec<Vec<u8>>,
    ) -> Vec<ModuleName> {
        let values = self.lookup(
            table,
            |index| Ok(Some(index.matching(name)?.into_iter().map(|v| v.bytes).vec())),
            |text| Some(search(text, name)),
        );
        values.unwrap_or_default().iter().map(|value| ModuleName::new(value)).vec()
    }

    /// Asks the binary index, and the text where that can't answer.
    fn lookup<T>(
        &self,
        table: &Table,
        ask_index: impl FnOnce(&Index<File>) -> Result<Option<T>, Damage>,
        ask_text: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        match table.open(self) {
            Source::Bin(index) if !table.damaged.get() => match ask_index(index) {
                Ok(answer) => return answer,
                Err(damage) => table.warn(self, damage.to_string()),
            },
            _ => {}
        }
        ask_text(table.text(self)?)
    }

    /// The file that `path` of `modules.dep` means: relative to the directory,
    /// and where it does not exist, its twin of another compression.
    fn file(&self, path: &[u8]) -> PathBuf {
        let path = self.path.join(OsStr::from_bytes(path));
        if path.exists() {
            return path;
        }
        let bytes = path.as_os_str().as_bytes();
        let twin = stem(bytes).and_then(|stem| {
            let twin = |suffix: &&[u8]| PathBuf::from(OsString::from_vec([stem, suffix].concat()));
            SUFFIXES.iter().map(twin).find(|twin| twin.exists())
        });
        twin.unwrap_or(path)
    }
}

impl Table {
    fn new(bin: &'static str, text: &'static str) -> Self {
        Self {
            bin,
            text,
            source: OnceCell::new(),
            damaged: Cell::new(false),
            fallback: OnceCell::new(),
        }
    }

    fn open(&self, dir: &ModuleDir) -> &Source {
        self.source.get_or_init(|| match self.open_bin(dir) {
            Ok(Some(index)) => Source::Bin(index),
            Ok(None) => Source::Text,
            Err(cause) => {
                self.warn(dir, cause.to_string());
                Source::Text
            }
        })
    }

    /// The binary index; `None` where it is missing or empty.
    fn open_bin(&self, dir: &ModuleDir) -> Result<Option<Index<File>>, Cause> {
        let file = match files::open(&dir.path.join(self.bin)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        match file.metadata()?.len() {
            0 => Ok(None),
            // Offsets in it are of 28 bits.
            length => match Index::open(Pages::new(file, length.min(1 << 28))) {
                Ok(index) => Ok(Some(index)),
                Err(damage) => Err(damage.to_string().into()),
            },
        }
    }

    fn text(&self, dir: &ModuleDir) -> Option<&[u8]> {
        self.fallback.get_or_init(|| files::read(&dir.path.join(self.text)).ok()).as_deref()
    }

    fn warn(&self, dir: &ModuleDir, what: String) {
        self.damaged.set(true);
        let doing = format!("could not use {}", dir.path.join(self.bin).display());
        let error = Error::new(doing, what);
        let warning = match self.text(dir) {
            Some(_) => error.note(format!("reading {} instead", self.text)),
            None => error,
        };
        dir.warnings.borrow_mut().push(warning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree() -> (tempfile::TempDir, ModuleDir) {
        let dir = tempfile::tempdir().unwrap();
        let modules = dir.path().join("lib/modules/6.6");
        fs::create_dir_all(modules.join("kernel")).unwrap();
        fs::write(modules.join("modules.dep"), "kernel/a-b.ko.xz: kernel/c.ko\nkernel/c.ko:\n")
            .unwrap();
        fs::write(modules.join("modules.alias"), "alias fs-x a_b\n").unwrap();
        fs::write(modules.join("modules.builtin"), "kernel/built-in.ko\n").unwrap();
        fs::write(modules.join("kernel/a-b.ko"), "").unwrap();
        let moddir = ModuleDir::new(&Root::new(dir.path()), b"6.6");
        (dir, moddir)
    }

    #[test]
    fn a_tree_of_text_alone_answers() {
        let (dir, moddir) = tree();
        let entry = moddir.entry(&ModuleName::new(b"a-b")).unwrap();
        let kernel = dir.path().join("lib/modules/6.6/kernel");
        assert_eq!(entry.path, kernel.join("a-b.ko"), "the twin that exists");
        assert_eq!(entry.dependencies, [kernel.join("c.ko")]);
        assert_eq!(moddir.aliased(b"fs_x"), [ModuleName::new(b"a_b")]);
        assert!(moddir.is_builtin(&ModuleName::new(b"built-in")));
        assert!(moddir.take_warnings().is_empty());
    }

    #[test]
    fn a_damaged_index_is_told_and_passed_over() {
        let (dir, moddir) = tree();
        fs::write(dir.path().join("lib/modules/6.6/modules.dep.bin"), "garbage").unwrap();
        assert!(moddir.entry(&ModuleName::new(b"c")).is_some());
        let warnings = moddir.take_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].to_string().contains("modules.dep.bin: not a module index at offset 0")
        );
    }
}
