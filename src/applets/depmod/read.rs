//! What the indexes need of each module's file: aliases, soft and weak dependencies,
//! the symbols it exports and those it wants.
//!
//! Of a plain file only the sections that hold these are read. A compressed one has
//! to be unpacked whole.

use std::io;
use std::ops::Range;

use nix::errno::Errno;

use super::find::{Found, no_module};
use super::parallel::in_parallel;
use crate::collect::Collect;
use crate::error::{Cause, Error, errno};
use crate::files;
use crate::format::compression::{Decompressor, Kind};
use crate::format::elf::{INDEXED, ModuleElf, Symbol};
use crate::format::index::write::Refused;
use crate::format::parts::Parts;

/// Strings, each behind its length.
#[derive(Clone, Copy, Default)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (string, rest) = rest.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
        self.0 = rest;
        Some(string)
    }
}

fn push(strings: &mut Vec<u8>, string: &[u8]) {
    strings.extend_from_slice(&(string.len() as u32).to_ne_bytes());
    strings.extend_from_slice(string);
}

/// The lists of strings that are kept of a module.
#[derive(Clone, Copy)]
pub enum List {
    /// Values of `alias`.
    Aliases,
    /// Values of `softdep`.
    Softdeps,
    /// Values of `weakdep`.
    Weakdeps,
    /// Symbols that it exports.
    Exports,
    /// Symbols that it leaves to others to define.
    Undefined,
    /// Other symbols that it was built against.
    Versions,
}

const LISTS: usize = 6;

/// What a module's file says.
#[derive(Default)]
pub struct Contents {
    /// All lists, one behind another: in one piece, as there are thousands of them.
    strings: Box<[u8]>,
    ends: [usize; LISTS],
    /// What is known of the symbols besides.
    pub checks: Option<Box<Checks>>,
}

/// What is needed only where symbols are checked.
pub struct Checks {
    /// Checksums of the exported symbols.
    pub exports: Vec<u32>,
    /// Whether it can do without, for each of the undefined symbols.
    pub weak: Vec<bool>,
    /// Symbols that it was built against, sorted, with their checksums.
    pub versions: Vec<(Vec<u8>, u32)>,
}

impl Contents {
    /// The strings of `list`.
    pub fn list(&self, list: List) -> Strings<'_> {
        let number = list as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(number).copied().unwrap_or_default();
        Strings(self.strings.get(start.copied().unwrap_or_default()..end).unwrap_or_default())
    }

    /// The symbols that it wants from others.
    pub fn wanted(&self) -> impl Iterator<Item = &[u8]> {
        self.list(List::Undefined).chain(self.list(List::Versions))
    }
}

/// What became of the files.
#[derive(Default)]
pub struct Modules {
    /// The modules that could be read.
    pub files: Vec<Found>,
    /// What each of them says.
    pub contents: Vec<Contents>,
    /// Which files are plainly no modules.
    pub strays: Vec<Error>,
    /// Which ones are modules, and could not be read.
    pub damaged: Vec<Error>,
    /// Of which ones it could not be seen, for want of memory or open files.
    pub errors: Vec<Error>,
}

/// Why there is nothing of a file.
enum Trouble {
    Stray(&'static str),
    Damaged(Cause),
    Error(Cause),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match errno(&error) {
            Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE => Self::Error(error.into()),
            _ => Self::Damaged(error.into()),
        }
    }
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Damaged(what.into())
    }
}

/// Reads the modules in `files` on `jobs` threads, `with_checks` of their symbols. The
/// errors name the files.
pub fn read(files: Vec<Found>, jobs: usize, with_checks: bool) -> Modules {
    let limit = files::module_limit();
    let results = in_parallel(jobs, files.len(), |buffers: &mut Buffers, number| {
        Some(buffers.read(files.get(number)?, limit, with_checks))
    });
    let mut modules = Modules::default();
    for (result, file) in results.into_iter().flatten().zip(files) {
        let path = &file.path;
        match result {
            Ok(contents) => {
                modules.contents.push(contents);
                modules.files.push(file);
            }
            Err(Trouble::Stray(what)) => {
                modules.strays.push(no_module(path, what));
            }
            Err(Trouble::Damaged(cause)) => modules.damaged.push(Error::reading(path, cause)),
            Err(Trouble::Error(cause)) => modules.errors.push(Error::reading(path, cause)),
        }
    }
    modules
}

/// What a file starts with that stands for one that git-lfs keeps elsewhere.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What the file that starts so is, if that is plainly no module.
fn stray(start: &[u8]) -> Option<&'static str> {
    match start {
        [] => Some("an empty file"),
        start if start.starts_with(POINTER) => {
            Some("a pointer of git-lfs, and not what it points to")
        }
        _ => None,
    }
}

/// The same, of one that has been read.
fn hollow(elf: &ModuleElf<'_>) -> Option<&'static str> {
    elf.is_hollow().then_some("its sections have no content")
}

/// Room for a file, kept from one to the next.
#[derive(Default)]
struct Buffers {
    file: Vec<u8>,
    parts: Vec<u8>,
    decompressor: Decompressor,
    lists: [Vec<u8>; LISTS],
    /// Where the undefined symbols are in their list.
    undefined: Vec<Range<usize>>,
}

impl Buffers {
    fn read(&mut self, module: &Found, limit: u64, with_checks: bool) -> Result<Contents, Trouble> {
        if !module.name.as_bytes().is_ascii() {
            return Err(Refused::Key.to_string().into());
        }
        let file = files::open(&module.path)?;
        let mut start = [0; POINTER.len()];
        let length = files::read_at(&file, &mut start, 0)?;
        let start = start.get(..length).unwrap_or_default();
        if let Some(what) = stray(start) {
            return Err(Trouble::Stray(what));
        }
        let kind = Kind::of(start);
        if kind == Kind::Plain && !with_checks {
            let length = file.metadata()?.len();
            let mut parts = Parts::new(file, length, &mut self.parts);
            return match ModuleElf::gather(&mut parts, &INDEXED) {
                Ok(elf) => match hollow(&elf) {
                    Some(what) => Err(Trouble::Stray(what)),
                    None => Ok(contents(&elf, &mut self.lists, &mut self.undefined, with_checks)),
                },
                Err(what) => Err(parts.error().map_or(what.into(), Trouble::from)),
            };
        }
        let length = files::read_into(&file, &mut self.file)?;
        let content = self.file.get(..length).unwrap_or_default();
        let image = match kind {
            Kind::Plain => content,
            kind => {
                let image = self.decompressor.decompress(kind, content, limit);
                image.map_err(|failure| failure.to_string())?
            }
        };
        let elf = ModuleElf::parse(image)?;
        if let Some(what) = hollow(&elf) {
            return Err(Trouble::Stray(what));
        }
        elf.check(&INDEXED)?;
        Ok(contents(&elf, &mut self.lists, &mut self.undefined, with_checks))
    }
}

/// How far apart a symbol may stand in `.symtab` and in `__versions`.
const NEAR: usize = 4;

/// What is kept of `elf`, put together in `lists` and `places`.
fn contents(
    elf: &ModuleElf<'_>,
    lists: &mut [Vec<u8>; LISTS],
    places: &mut Vec<Range<usize>>,
    with_checks: bool,
) -> Contents {
    lists.iter_mut().for_each(Vec::clear);
    places.clear();
    let [aliases, softdeps, weakdeps, exports, undefined, versions] = lists;
    for (key, value) in elf.modinfo() {
        match key {
            b"alias" => push(aliases, value),
            b"softdep" => push(softdeps, value),
            b"weakdep" => push(weakdeps, value),
            _ => {}
        }
    }
    for (name, symbol) in elf.symbols() {
        match symbol {
            Symbol::Offered { .. } => push(exports, name),
            Symbol::Wanted { .. } => {
                push(undefined, name);
                places.push(undefined.len() - name.len()..undefined.len());
            }
        }
    }
    if exports.is_empty() {
        elf.unversioned().for_each(|name| push(exports, name));
    }
    for (at, (name, _)) in elf.imports().enumerate() {
        // The two lists have nearly one order; what comes twice does no harm.
        let near = places.iter().skip(at.saturating_sub(NEAR)).take(2 * NEAR);
        if !near.into_iter().any(|place| undefined.get(place.clone()) == Some(name)) {
            push(versions, name);
        }
    }
    let checks = with_checks.then(|| {
        let mut versions = elf.imports().map(|(name, crc)| (name.to_vec(), crc)).vec();
        versions.sort();
        Box::new(Checks {
            exports: elf.exports().map(|(_, crc)| crc).vec(),
            weak: elf
                .symbols()
                .filter_map(|(_, symbol)| match symbol {
                    Symbol::Wanted { weak } => Some(weak),
                    Symbol::Offered { .. } => None,
                })
                .vec(),
            versions,
        })
    });
    let mut end = 0;
    let ends = lists.each_ref().map(|list| {
        end += list.len();
        end
    });
    Contents { strings: lists.concat().into(), ends, checks }
}
