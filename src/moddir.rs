//! The kernel's directory of modules, mostly `/lib/modules/RELEASE`, and the indexes
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

use nix::errno::Errno;

use crate::collect::Collect;
use crate::error::{Cause, Error, errno};
use crate::files;
use crate::format::index::Index;
use crate::format::pages::{Damage, Pages};
use crate::format::text::{self, Alias};
use crate::large::Large;
use crate::name::{ModuleName, fold_into, matches};
use crate::root::Root;

/// Where kernels keep their modules, with colons between: the first place that has a
/// kernel's is the one. Systems that keep them elsewhere build with another list.
pub const DIRECTORIES: &str = match option_env!("NANOMOD_MODULE_DIRS") {
    Some(directories) if !directories.is_empty() => directories,
    _ => "/lib/modules:/usr/lib/modules",
};

/// The same taken apart, which the compiler does, and would say if an index were beyond the
/// end.
#[allow(clippy::indexing_slicing)]
static PLACES: [&str; count(DIRECTORIES.as_bytes())] = {
    let mut places = [""; count(DIRECTORIES.as_bytes())];
    let mut rest = DIRECTORIES.as_bytes();
    let mut next = 0;
    while let Some((place, behind)) = rest.split_at_checked(first(rest)) {
        match std::str::from_utf8(place) {
            Ok(place) => places[next] = place,
            Err(_) => break,
        }
        next += 1;
        rest = match behind {
            [_, behind @ ..] => behind,
            [] => break,
        };
    }
    places
};

/// How long the first of `places` is; for the compiler alone, too.
#[allow(clippy::indexing_slicing)]
const fn first(places: &[u8]) -> usize {
    let mut end = 0;
    while end < places.len() && places[end] != b':' {
        end += 1;
    }
    end
}

/// How many `places` are.
const fn count(mut places: &[u8]) -> usize {
    let mut count = 1;
    while let [first, rest @ ..] = places {
        if *first == b':' {
            count += 1;
        }
        places = rest;
    }
    count
}

/// Which of these has the modules of kernel `release` below `root`; the first, if none has.
pub fn place(root: &Root, release: &[u8]) -> &'static str {
    for &place in &PLACES {
        if directory(root, place, release).exists() {
            return place;
        }
    }
    PLACES[0]
}

fn directory(root: &Root, place: &str, release: &[u8]) -> PathBuf {
    let mut path = root.join(place).into_os_string();
    path.push("/");
    path.push(OsStr::from_bytes(release));
    path.into()
}

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
    /// The line of `modules.dep` that was asked for last: who asks whether there is a
    /// module asks next what it needs.
    last: Cell<Line>,
    /// What text files go through, and values that nobody wants.
    buffer: Cell<Vec<u8>>,
    warnings: RefCell<Vec<Error>>,
    /// Whether an index could not be read in any form.
    is_partial: Cell<bool>,
}

#[derive(Default)]
struct Line {
    name: Vec<u8>,
    text: Vec<u8>,
}

/// An index: the `.bin` file or its text twin.
struct Table {
    bin: &'static str,
    text: &'static str,
    source: OnceCell<Source>,
    damaged: Cell<bool>,
    /// It was told that the text file can't be read.
    is_unreadable: Cell<bool>,
    /// The text file, if it can be read.
    fallback: OnceCell<Option<File>>,
}

enum Source {
    Bin(Index<File>),
    Text,
}

impl ModuleDir {
    /// The modules of kernel `release` below `root`.
    pub fn new(root: &Root, release: &[u8]) -> Self {
        Self {
            path: directory(root, place(root, release), release),
            dependencies: Table::new("modules.dep.bin", "modules.dep"),
            aliases: Table::new("modules.alias.bin", "modules.alias"),
            symbols: Table::new("modules.symbols.bin", "modules.symbols"),
            builtin: Table::new("modules.builtin.bin", "modules.builtin"),
            builtin_aliases: Table::new("modules.builtin.alias.bin", "modules.builtin.modinfo"),
            last: Cell::default(),
            buffer: Cell::default(),
            warnings: RefCell::default(),
            is_partial: Cell::default(),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether something was looked up that nobody knows, as no form of its index can be read.
    pub fn is_partial(&self) -> bool {
        self.is_partial.get()
    }

    /// Damage met since the last call, for the log.
    pub fn take_warnings(&self) -> Vec<Error> {
        self.warnings.take()
    }

    /// Whether there is any list of modules at all.
    pub fn is_indexed(&self) -> bool {
        matches!(self.dependencies.open(self), Source::Bin(_))
            || self.dependencies.text(self).is_some()
            || self.dependencies.is_unreadable.get()
    }

    /// Whether there is a list of the symbols that modules export.
    pub fn has_symbols(&self) -> bool {
        let is_sound = matches!(self.symbols.open(self), Source::Bin(_));
        is_sound && !self.symbols.damaged.get() || self.symbols.text(self).is_some()
    }

    /// The file of module `name`, as it exists.
    pub fn module_file(&self, name: &ModuleName) -> Option<PathBuf> {
        let mut line = Large::default();
        self.line(name, &mut line.0);
        text::dependency(&line).map(|(path, _)| self.file(path))
    }

    /// Puts the line of `modules.dep` for module `name` behind what `lines` has, if there
    /// is one.
    pub fn line(&self, name: &ModuleName, lines: &mut Vec<u8>) {
        let last = self.find_line(name);
        lines.extend_from_slice(&last.text);
        self.last.set(last);
    }

    /// Whether `modules.dep` has module `name`.
    pub fn contains(&self, name: &ModuleName) -> bool {
        let last = self.find_line(name);
        let contains = !last.text.is_empty();
        self.last.set(last);
        contains
    }

    fn find_line(&self, name: &ModuleName) -> Line {
        let mut last = self.last.take();
        // No line is for the empty name.
        if last.name != name.as_bytes() {
            last.name.clear();
            last.name.extend_from_slice(name.as_bytes());
            let text = &mut last.text;
            let get = |index: &Index<File>| index.get(name.as_bytes(), text);
            let found = self.ask(&self.dependencies, get).unwrap_or_else(|| {
                self.scan(&self.dependencies, b'\n', &mut |line| {
                    let is_it = text::dependency(line).is_some_and(|(path, _)| name.is_of(path));
                    if is_it {
                        last.text.clear();
                        last.text.extend_from_slice(line);
                    }
                    is_it
                })
            });
            if !found {
                last.text.clear();
            }
        }
        last
    }

    /// The modules that have an alias matching `name`, best first.
    pub fn aliased(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.aliases, b'\n', text::alias, name)
    }

    /// The aliases and symbols of modules as lines `alias NAME MODULE`.
    pub fn alias_lines(&self) -> Vec<u8> {
        let (mut lines, mut folded) = (Vec::new(), Large::default());
        for table in [&self.aliases, &self.symbols] {
            let length = lines.len();
            let dump =
                |index: &Index<File>| index.dump(&mut |name, module| add(&mut lines, name, module));
            if self.ask(table, dump).is_none() {
                lines.truncate(length);
                // As the binary index would have them: folded, and without comments.
                self.scan(table, b'\n', &mut |line| {
                    if let Some((_, module)) =
                        text::alias(line).filter(|(pattern, _)| fold_into(&mut folded.0, pattern))
                    {
                        add(&mut lines, &folded, module);
                    }
                    false
                });
            }
        }
        lines
    }

    /// The modules that export the symbol of `name`, which is `symbol:SYMBOL`.
    pub fn exporting(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.symbols, b'\n', text::alias, name)
    }

    /// The builtin modules that have an alias matching `name`.
    pub fn builtin_aliased(&self, name: &[u8]) -> Vec<ModuleName> {
        self.patterns(&self.builtin_aliases, 0, text::builtin_alias, name)
    }

    /// What `modules.builtin.modinfo` has on module `name`, as a module's `.modinfo` would
    /// have it. It stands in several places, as since Linux 6.18 the aliases come behind the
    /// rest of all modules. Two builtins may have one name, and other files then: the first is
    /// meant.
    pub fn builtin_fields(&self, name: &ModuleName) -> Large<u8> {
        let (mut fields, mut file) = (Large::default(), None);
        // Of the place that is looked at: where its fields start, whether a file is named
        // there, and whether it is not that of the first.
        let (mut start, mut has_file, mut is_other) = (0, false, false);
        self.scan(&self.builtin_aliases, 0, &mut |entry| {
            let entry = text::builtin_entry(entry).filter(|(module, ..)| name.is_of(module));
            let Some((_, key, value)) = entry else {
                (start, has_file, is_other) = (fields.len(), false, false);
                return false;
            };
            if key == b"file" {
                is_other = file.get_or_insert_with(|| value.to_vec()) != value;
                if is_other && !has_file {
                    fields.0.truncate(start);
                }
                has_file = true;
            }
            if !is_other {
                text::put(&mut fields.0, &[key, b"=", value, b"\0"]);
            }
            false
        });
        fields
    }

    /// Whether the kernel has module `name` built in.
    pub fn is_builtin(&self, name: &ModuleName) -> bool {
        let get = |index: &Index<File>| {
            let mut value = self.buffer.take();
            let found = index.get(name.as_bytes(), &mut value);
            self.buffer.set(value);
            found
        };
        self.ask(&self.builtin, get).unwrap_or_else(|| {
            let is_it = |line: &[u8]| !line.is_empty() && name.is_of(line);
            self.scan(&self.builtin, b'\n', &mut |line| is_it(line))
        })
    }

    fn patterns(
        &self,
        table: &Table,
        end: u8,
        alias: fn(&[u8]) -> Alias<'_>,
        name: &[u8],
    ) -> Vec<ModuleName> {
        if let Some(values) = self.ask(table, |index| index.matching(name)) {
            return values.into_iter().map(|value| ModuleName::folded(value.bytes)).vec();
        }
        // The order of the file is that of priority.
        let (mut found, mut folded) = (Vec::new(), Large::default());
        self.scan(table, end, &mut |line| {
            let alias = alias(line).filter(|(pattern, _)| matches(pattern, name, &mut folded.0));
            found.extend(alias.map(|(_, module)| ModuleName::new(module)));
            false
        });
        found
    }

    /// What the binary index of `table` says; `None` where the text has to answer.
    fn ask<T>(
        &self,
        table: &Table,
        ask: impl FnOnce(&Index<File>) -> Result<T, Damage>,
    ) -> Option<T> {
        match table.open(self) {
            Source::Bin(index) if !table.damaged.get() => match ask(index) {
                Ok(answer) => Some(answer),
                Err(damage) => {
                    table.warn(self, damage.to_string());
                    None
                }
            },
            _ => None,
        }
    }

    /// Shows `each` the lines of the text of `table`, which `end` ends, until it has
    /// enough, which is the result.
    fn scan(&self, table: &Table, end: u8, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let Some(file) = table.text(self) else { return false };
        let mut buffer = self.buffer.take();
        let enough = files::scan(file, end, &mut buffer, each);
        self.buffer.set(buffer);
        enough.unwrap_or_else(|error| table.unreadable(self, error))
    }

    /// The file that `path` of `modules.dep` means: relative to the directory,
    /// and where it does not exist, its twin of another compression.
    pub fn file(&self, path: &[u8]) -> PathBuf {
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
            is_unreadable: Cell::new(false),
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
            Err(error) if errno(&error) == Errno::ENOENT => return Ok(None),
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

    fn text(&self, dir: &ModuleDir) -> Option<&File> {
        let open = || {
            let file = files::open(&dir.path.join(self.text)).and_then(|file| {
                // A directory can be opened, too.
                files::read_at(&file, &mut [0], 0).map(|_| file)
            });
            match file {
                Ok(file) => Some(file),
                Err(error) if errno(&error) == Errno::ENOENT => None,
                Err(error) => {
                    self.unreadable(dir, error);
                    None
                }
            }
        };
        self.fallback.get_or_init(open).as_ref()
    }

    /// Warns that what the text file has is not known, once; never enough.
    fn unreadable(&self, dir: &ModuleDir, error: io::Error) -> bool {
        if !self.is_unreadable.replace(true) {
            let error = Error::reading(&dir.path.join(self.text), error);
            dir.warnings.borrow_mut().push(error);
            dir.is_partial.set(true);
        }
        false
    }

    fn warn(&self, dir: &ModuleDir, what: String) {
        self.damaged.set(true);
        let doing = format!("could not use {}", dir.path.join(self.bin).to_string_lossy());
        let error = Error::new(doing, what);
        let warning = match self.text(dir) {
            Some(_) => error.note(format!("reading {} instead", self.text)),
            None => error,
        };
        dir.warnings.borrow_mut().push(warning);
    }
}

fn add(lines: &mut Vec<u8>, name: &[u8], module: &[u8]) {
    text::put(lines, &[b"alias ", name, b" ", module, b"\n"]);
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
        let a_b = ModuleName::new(b"a-b");
        let file = dir.path().join("lib/modules/6.6/kernel/a-b.ko");
        assert_eq!(moddir.module_file(&a_b), Some(file), "the twin that exists");
        let mut lines = b"before ".to_vec();
        moddir.line(&a_b, &mut lines);
        moddir.line(&ModuleName::new(b"no"), &mut lines);
        assert_eq!(lines, b"before kernel/a-b.ko.xz: kernel/c.ko");
        assert!(moddir.contains(&a_b) && !moddir.contains(&ModuleName::new(b"no")));
        assert_eq!(moddir.aliased(b"fs_x"), [ModuleName::new(b"a_b")]);
        assert!(moddir.is_builtin(&ModuleName::new(b"built-in")));
        assert!(!moddir.is_builtin(&ModuleName::new(b"")));
        assert!(moddir.take_warnings().is_empty());
    }

    #[test]
    fn a_kernels_modules_are_where_they_are_first() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let path = || ModuleDir::new(&root, b"6.6").path().strip_prefix(&dir).unwrap().to_owned();
        let [first, second] = ["lib/modules/6.6", "usr/lib/modules/6.6"].map(Path::new);
        assert_eq!(path(), first);
        fs::create_dir_all(dir.path().join(second)).unwrap();
        assert_eq!(path(), second);
        fs::create_dir_all(dir.path().join("lib/modules/6.7")).unwrap();
        assert_eq!(path(), second);
        fs::create_dir_all(dir.path().join(first)).unwrap();
        assert_eq!(path(), first);
    }

    #[test]
    fn a_damaged_index_is_told_and_passed_over() {
        let (dir, moddir) = tree();
        fs::write(dir.path().join("lib/modules/6.6/modules.dep.bin"), "garbage").unwrap();
        assert!(moddir.contains(&ModuleName::new(b"c")));
        let warnings = moddir.take_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].to_string().contains("modules.dep.bin: not a module index at offset 0")
        );
    }
}
