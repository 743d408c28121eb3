//! What a module says of itself: its ELF header, the `key=value` strings of its
//! `.modinfo` section, and the symbols it imports and exports with their versions
//! (kernel: `include/linux/module.h`, `kernel/module/version.c`).
//!
//! ```text
//! .modinfo               key=value NUL …
//! __versions             word crc, char name[64 - word] …
//! __version_ext_crcs     u32 crc …            (Linux 6.14, names of any length)
//! __version_ext_names    name NUL …
//! .symtab                __crc_NAME: the CRC itself, or where it lies;
//!                        every NAME that is not defined
//! __ksymtab_strings      name NUL namespace NUL …   (before Linux 5.4, names alone)
//! ```
//!
//! Refused: what is no ELF file, or has its section table outside the file.

pub mod footprint;

use std::ffi::CStr;
use std::iter;
use std::ops::Range;

use goblin::container::{Container, Ctx};
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SHT_NOBITS, SectionHeader};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, st_bind, st_type};
use goblin::elf::{Elf, Header};

use super::pages::Source;
use super::parts::Parts;
use super::text::behind;
use crate::collect::Collect;
use crate::large::Large;

/// The parts of a module's ELF file that a loader speaks of.
pub struct ModuleElf<'a> {
    image: &'a [u8],
    context: Ctx,
    machine: u16,
    sections: Large<SectionHeader>,
    section_names: &'a [u8],
    /// Whether there are all sections.
    is_whole: bool,
}

/// What a module says of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// It leaves it to others to define.
    Wanted {
        /// Whether it can do without.
        weak: bool,
    },
    /// It offers it, with this checksum: 0 in a module that was not read whole.
    Offered {
        /// That of the symbol's type.
        crc: u32,
    },
}

/// The fields of an entry of `.symtab` that matter.
struct Entry {
    name: u32,
    info: u8,
    section: u16,
    /// The lower half, which is all that a checksum or an offset has.
    value: u32,
}

/// Undefined, and of no section.
const UNDEFINED: u16 = SHN_UNDEF as u16;
const ABSOLUTE: u16 = SHN_ABS as u16;

/// `e_machine` of the machines that Linux modules are built for, what they are
/// called, and how their names in `uname -m` start.
const MACHINES: [(u16, &str, &[&str]); 10] = [
    (3, "i386", &["i386", "i486", "i586", "i686"]),
    (8, "mips", &["mips"]),
    (21, "powerpc64", &["ppc64"]),
    (20, "powerpc", &["ppc"]),
    (22, "s390", &["s390"]),
    (62, "x86_64", &["x86_64"]),
    (183, "aarch64", &["aarch64"]),
    (40, "arm", &["arm"]),
    (243, "riscv", &["riscv"]),
    (258, "loongarch", &["loongarch"]),
];

/// Registers of a SPARC are symbols, too (`STT_REGISTER`).
const SPARCS: [u16; 3] = [2, 18, 43];
const REGISTER: u8 = 13;

/// More than any symbol's name and `__crc_` take: the kernel's end at 512 (`KSYM_NAME_LEN`),
/// and an index holds 4,096. Of a table without NULs not all is taken for each name.
const SYMBOL: usize = 4200;

/// More than the name of any section takes that is looked for here. Of a table without NULs, no
/// more is taken for each section.
const NAME: usize = 64;

/// What a record of `__versions` takes.
const VERSION: usize = 64;

/// Bytes between two parts of a file that are read as one rather than with another
/// system call.
const NEAR: u64 = 2048;

/// What is read first: the header, which takes 64 bytes at most, and mostly what identifies
/// the build, too.
const START: u64 = 128;

/// How an ELF file starts.
pub const MAGIC: &[u8] = b"\x7fELF";

/// The section with the kernel's own record of the module (`struct module`), in which the name
/// stands behind a number and two addresses; with `CONFIG_RANDSTRUCT`, anywhere.
const RECORD: &[u8] = b".gnu.linkonce.this_module";

/// The section that tells what a module is.
pub const MODINFO: &[u8] = b".modinfo";

/// The section that tells of which build a module is.
pub const BUILD_ID: &[u8] = b".note.gnu.build-id";
/// `NT_GNU_BUILD_ID`
const NOTE_BUILD_ID: u32 = 3;

/// The sections that make up the indexes. What is in the others, nine tenths of a
/// file, need not be read for that.
pub const INDEXED: [&[u8]; 7] = [
    MODINFO,
    b".symtab",
    b".strtab",
    b"__versions",
    b"__version_ext_crcs",
    b"__version_ext_names",
    b"__ksymtab_strings",
];

/// What comes before the sections' content: machine, kind of file, sections, and where
/// their names are.
type Table = (u16, Ctx, Large<SectionHeader>, Range<usize>);

/// A symbol's name and the checksum of its type.
pub type Version<'a> = (&'a [u8], u32);

/// The `key=value` entries of what a `.modinfo` holds, in its order.
pub fn entries(modinfo: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    strings(modinfo).filter(|entry| !entry.is_empty()).map(|entry| {
        let at = entry.iter().position(|&c| c == b'=').unwrap_or(entry.len());
        (entry.get(..at).unwrap_or_default(), entry.get(at + 1..).unwrap_or_default())
    })
}

/// What identifies the build, in notes (System V ABI, "Note Section"): `u32 name_length,
/// length, kind; name NUL …; content …`, each of the latter two up to a multiple of four.
pub fn build_id(mut notes: &[u8], is_little: bool) -> Option<&[u8]> {
    loop {
        let (head, rest) = notes.split_first_chunk::<12>()?;
        let number = |at| {
            let bytes = *head.get(at..)?.first_chunk()?;
            Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
        };
        let up = |length: u32| usize::try_from(length).ok()?.checked_next_multiple_of(4);
        let (name_length, length) = (number(0)?, number(4)?);
        let (name, rest) = rest.split_at_checked(up(name_length)?)?;
        // The last one's content may end with the section.
        let content = rest.get(..usize::try_from(length).ok()?)?;
        if number(8)? == NOTE_BUILD_ID && name == b"GNU\0" {
            return Some(content);
        }
        notes = rest.get(up(length)?..)?;
    }
}

impl<'a> ModuleElf<'a> {
    /// Reads `image`, an uncompressed module.
    pub fn parse(image: &'a [u8]) -> Result<Self, String> {
        let (header, context) = header(image)?;
        let sections = SectionHeader::parse(
            image,
            usize::try_from(header.e_shoff).unwrap_or(usize::MAX),
            usize::from(header.e_shnum),
            context,
        )
        .map_err(|_| no_table(&header))
        .map(Large)?;
        let names = names_of_all(&sections, &header);
        let section_names = names.and_then(|names| content(image, names)).ok_or(NO_NAMES)?;
        let machine = header.e_machine;
        Ok(Self { image, context, machine, sections, section_names, is_whole: true })
    }

    /// Reads of `file`, an uncompressed module, which sections there are, and nothing of
    /// what is in them.
    pub fn outline<S: Source>(file: &'a mut Parts<'_, S>) -> Result<Self, String> {
        let (machine, context, sections, names) = Self::table(file)?;
        let image = file.buffer();
        let section_names = image.get(names).unwrap_or_default();
        Ok(Self { image, context, machine, sections, section_names, is_whole: false })
    }

    /// The machine that `file` is for, its sections, and where in the buffer their names
    /// are.
    fn table<S: Source>(file: &mut Parts<'_, S>) -> Result<Table, String> {
        let start = file.part(0, START.min(file.len())).unwrap_or_default();
        let (header, context) = header(file.buffer().get(start).unwrap_or_default())?;
        let count = usize::from(header.e_shnum);
        let size = (SectionHeader::size(context) * count) as u64;
        // Sections' names are mostly there, too.
        let before = header.e_shoff.min(NEAR);
        file.part(header.e_shoff - before, before.saturating_add(size));
        let table = file.part(header.e_shoff, size).ok_or_else(|| no_table(&header))?;
        let sections = SectionHeader::parse(file.buffer(), table.start, count, context)
            .map_err(|_| no_table(&header))
            .map(Large)?;
        let names = names_of_all(&sections, &header);
        let names = names.and_then(|names| file.part(names.sh_offset, names.sh_size));
        Ok((header.e_machine, context, sections, names.ok_or(NO_NAMES)?))
    }

    /// Reads of `file`, an uncompressed module, the sections `wanted`. Of the others
    /// nothing is known.
    pub fn gather<S: Source>(file: &'a mut Parts<'_, S>, wanted: &[&[u8]]) -> Result<Self, String> {
        let (machine, context, mut sections, names) = Self::table(file)?;
        let section_names = file.buffer().get(names.clone()).unwrap_or_default();
        sections.0.retain(|section| wanted.contains(&name(section_names, section)));

        let is_there = |section: &&SectionHeader| section.sh_type != SHT_NOBITS;
        // Read together with what is beyond the end, all the others would be read one by one,
        // and may have the same bytes.
        let is_beyond = |section: &&SectionHeader| {
            let end = section.sh_offset.checked_add(section.sh_size);
            end.is_none_or(|end| end > file.len())
        };
        if let Some(section) = sections.iter().filter(is_there).find(is_beyond) {
            return Err(not_there(name(section_names, section), section));
        }
        // Neighbours are read together.
        let mut ranges: Vec<(u64, u64)> = sections
            .iter()
            .filter(is_there)
            .map(|s| (s.sh_offset, s.sh_offset.saturating_add(s.sh_size)))
            .vec();
        ranges.sort();
        let mut ranges = ranges.into_iter().peekable();
        while let Some((start, mut end)) = ranges.next() {
            while let Some((_, next)) =
                ranges.next_if(|(next, _)| *next <= end.saturating_add(NEAR))
            {
                end = end.max(next);
            }
            file.part(start, end - start);
        }
        for section in sections.0.iter_mut().filter(|section| section.sh_type != SHT_NOBITS) {
            let content = file.part(section.sh_offset, section.sh_size);
            let section_names = file.buffer().get(names.clone()).unwrap_or_default();
            let content =
                content.ok_or_else(|| not_there(name(section_names, section), section))?;
            section.sh_offset = content.start as u64;
        }
        let image = file.buffer();
        let section_names = image.get(names).unwrap_or_default();
        Ok(Self { image, context, machine, sections, section_names, is_whole: false })
    }

    /// Whether the sections `wanted`, where there are any, are in the file.
    pub fn check(&self, wanted: &[&[u8]]) -> Result<(), String> {
        let mut headers = wanted.iter().filter_map(|name| Some((name, self.header(name)?)));
        let missing = headers.find(|(_, section)| content(self.image, section).is_none());
        missing.map_or(Ok(()), |(name, section)| Err(not_there(name, section)))
    }

    /// Whether what it says of itself was left out of the file, as where debug information
    /// alone is kept (`objcopy --only-keep-debug`).
    pub fn is_hollow(&self) -> bool {
        self.header(MODINFO).is_some_and(|section| section.sh_type == SHT_NOBITS)
    }

    /// Whether it is a 64-bit file.
    pub fn is_64(&self) -> bool {
        self.context.container == Container::Big
    }

    /// The machine it is for, in words.
    pub fn machine(&self) -> String {
        let name = match MACHINES.iter().find(|(number, ..)| *number == self.machine) {
            Some((_, name, _)) => (*name).to_owned(),
            None => format!("machine {}", self.machine),
        };
        let order = if self.is_little() { "" } else { ", big-endian" };
        format!("{name} ({}-bit{order})", if self.is_64() { 64 } else { 32 })
    }

    /// Whether it is for what `uname -m` calls `machine`; `None` where that is
    /// not known.
    pub fn is_for(&self, machine: &str) -> Option<bool> {
        let is_64 = behind(machine.as_bytes(), b"64").is_some() || machine == "s390x";
        let (number, ..) = MACHINES
            .iter()
            .find(|(_, _, names)| names.iter().any(|name| machine.starts_with(name)))?;
        Some(*number == self.machine && is_64 == self.is_64())
    }

    /// The `key=value` entries of `.modinfo` in file order.
    pub fn modinfo(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        entries(self.section(MODINFO).unwrap_or_default())
    }

    /// Calls `each` with all that the kernel may take for the module's name, until it has
    /// enough. An error where these sections take more than the file has: thousands may lie
    /// upon one another.
    pub fn names(&self, each: &mut dyn FnMut(&'a [u8]) -> bool) -> Result<(), String> {
        let at = if self.is_64() { 24 } else { 12 };
        let mut left = self.image.len();
        // There may be several sections of a name, of which the kernel takes one.
        for section in self.sections.iter() {
            let name = name(self.section_names, section);
            if !matches!(name, RECORD | MODINFO) {
                continue;
            }
            let bytes = content(self.image, section).unwrap_or_default();
            left = left.checked_sub(bytes.len()).ok_or("its sections lie upon one another")?;
            let has_enough = if name == MODINFO {
                entries(bytes).any(|(key, name)| key == b"name" && each(name))
            } else {
                let mut known = strings(bytes).chain(strings(bytes.get(at..).unwrap_or(&[])));
                known.any(|name| !name.is_empty() && each(name))
            };
            if has_enough {
                break;
            }
        }
        Ok(())
    }

    /// The first value of `key`.
    pub fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.modinfo().find(|entry| entry.0 == key).map(|entry| entry.1)
    }

    /// The symbols that it was built against, with their versions, if it has any.
    pub fn imports(&self) -> impl Iterator<Item = Version<'a>> {
        let extended = self.section(b"__version_ext_crcs").map(|crcs| {
            let names = strings(self.section(b"__version_ext_names").unwrap_or_default());
            names.zip(crcs.chunks_exact(4).map(|crc| self.u32(crc).unwrap_or(0)))
        });
        let word = if self.is_64() { 8 } else { 4 };
        let is_extended = extended.is_some();
        let versions = self.section(b"__versions").unwrap_or_default();
        let is_sound = !is_extended && versions.len() % VERSION == 0;
        let versions = if is_sound { versions } else { &[] };
        let versions = versions.chunks_exact(VERSION).filter_map(move |version| {
            let (crc, name) = version.split_at_checked(word)?;
            // The checksum is the lower half of the word.
            let crc = if self.is_little() { crc.get(..4) } else { crc.get(word - 4..) };
            let name = strings(name).next()?;
            // Functions of 64-bit PowerPC have a dot that no symbol has.
            Some((name.strip_prefix(b".").unwrap_or(name), self.u32(crc?)?))
        });
        extended.into_iter().flatten().chain(versions)
    }

    /// The symbols that it offers, with their versions, which are 0 in a module that
    /// was built without.
    pub fn exports(&self) -> impl Iterator<Item = Version<'a>> {
        let mut versioned = self.symbols().filter_map(|(name, symbol)| match symbol {
            Symbol::Offered { crc } => Some((name, crc)),
            Symbol::Wanted { .. } => None,
        });
        let first = versioned.next();
        let unversioned = first.is_none().then(|| self.unversioned().map(|name| (name, 0)));
        first.into_iter().chain(versioned).chain(unversioned.into_iter().flatten())
    }

    /// The symbols that a module without versions offers, and any other, too.
    ///
    /// Namespaces stand among their names. A symbol is what the module defines for others;
    /// where all of that was stripped, nothing tells one from the other.
    pub fn unversioned(&self) -> impl Iterator<Item = &'a [u8]> {
        let names = strings(self.section(b"__ksymtab_strings").unwrap_or_default());
        let mut names = names.filter(|name| !name.is_empty()).vec();
        if !names.is_empty() {
            let is_global =
                |entry: &Entry| entry.section != UNDEFINED && st_bind(entry.info) != STB_LOCAL;
            let global = self.symbol_table().filter(|(entry, _)| is_global(entry));
            let mut defined = global.filter_map(|(_, name)| strings(name).next()).vec();
            defined.sort_unstable();
            let is_defined = |name: &&[u8]| defined.binary_search(name).is_ok();
            if names.iter().any(is_defined) {
                names.retain(is_defined);
            }
        }
        names.into_iter()
    }

    /// The entries of its `.symtab`, each with what starts with its name.
    fn symbol_table(&self) -> impl Iterator<Item = (Entry, &'a [u8])> {
        let names = self.section(b".strtab").unwrap_or_default();
        let table = self.section(b".symtab").unwrap_or_default();
        let entries = table.chunks_exact(if self.is_64() { 24 } else { 16 }).skip(1);
        entries.filter_map(move |entry| {
            let entry = self.entry(entry)?;
            let name = names.get(entry.name as usize..)?;
            Some((entry, name.get(..SYMBOL).unwrap_or(name)))
        })
    }

    /// What its `.symtab` has of symbols that cross its border, in the file's order.
    pub fn symbols(&self) -> impl Iterator<Item = (&'a [u8], Symbol)> {
        self.symbol_table().filter_map(move |(entry, name)| {
            if let Some(name) = name.strip_prefix(b"__crc_") {
                let crc = self.crc(&entry).unwrap_or_default();
                return Some((strings(name).next()?, Symbol::Offered { crc }));
            }
            if entry.section != UNDEFINED {
                return None;
            }
            let name = strings(name).next()?;
            let is_register = st_type(entry.info) == REGISTER && SPARCS.contains(&self.machine);
            let weak = st_bind(entry.info) == STB_WEAK;
            (!name.is_empty() && !is_register).then_some((name, Symbol::Wanted { weak }))
        })
    }

    fn entry(&self, bytes: &[u8]) -> Option<Entry> {
        Some(match *bytes {
            [a, b, c, d, info, _, e, f, g, h, i, j, k, l, m, n, ..] if self.is_64() => {
                let value = if self.is_little() { [g, h, i, j] } else { [k, l, m, n] };
                let (section, value) = (self.half([e, f]), self.word(value));
                Entry { name: self.word([a, b, c, d]), info, section, value }
            }
            [a, b, c, d, e, f, g, h, _, _, _, _, info, _, i, j, ..] => {
                let (section, value) = (self.half([i, j]), self.word([e, f, g, h]));
                Entry { name: self.word([a, b, c, d]), info, section, value }
            }
            _ => return None,
        })
    }

    /// The checksum that the symbol `__crc_…` stands for.
    fn crc(&self, symbol: &Entry) -> Option<u32> {
        if matches!(symbol.section, ABSOLUTE | UNDEFINED) {
            return Some(symbol.value);
        }
        let section = self.sections.get(usize::from(symbol.section)).filter(|_| self.is_whole)?;
        let at = usize::try_from(symbol.value).ok()?;
        self.u32(content(self.image, section)?.get(at..at.checked_add(4)?)?)
    }

    fn half(&self, bytes: [u8; 2]) -> u16 {
        if self.is_little() { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.is_little() { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    fn u32(&self, bytes: &[u8]) -> Option<u32> {
        bytes.first_chunk().map(|bytes| self.word(*bytes))
    }

    fn header(&self, wanted: &[u8]) -> Option<&SectionHeader> {
        self.sections.iter().find(|section| name(self.section_names, section) == wanted)
    }

    /// Where in the file the section `name` is, and how long: as it says itself.
    pub fn place(&self, name: &[u8]) -> Option<(u64, u64)> {
        self.header(name).map(|section| (section.sh_offset, section.sh_size))
    }

    /// Whether its numbers have their lowest byte first.
    pub fn is_little(&self) -> bool {
        self.context.le.is_little()
    }

    /// What the section `name` holds, if that has been read.
    pub fn section(&self, name: &[u8]) -> Option<&'a [u8]> {
        content(self.image, self.header(name)?)
    }
}

/// The section's name, where `names` holds those of all.
fn name<'n>(names: &'n [u8], section: &SectionHeader) -> &'n [u8] {
    let name = names.get(section.sh_name..).unwrap_or_default();
    let name = name.get(..NAME).unwrap_or(name);
    name.split(|&c| c == 0).next().unwrap_or_default()
}

fn header(start: &[u8]) -> Result<(Header, Ctx), String> {
    let header = Elf::parse_header(start).map_err(|_| "not an ELF file".to_owned())?;
    let endianness = header.endianness().map_err(|_| "unknown ELF byte order".to_owned())?;
    let context = Ctx::new(header.container().unwrap_or_default(), endianness);
    Ok((header, context))
}

/// The section that has the names of all, if that has anything.
fn names_of_all<'s>(sections: &'s [SectionHeader], header: &Header) -> Option<&'s SectionHeader> {
    let section = sections.get(usize::from(header.e_shstrndx))?;
    (section.sh_type != SHT_NOBITS).then_some(section)
}

const NO_NAMES: &str = "names of sections are not in the file";

fn no_table(header: &Header) -> String {
    format!("section table at offset {} is not in the file", header.e_shoff)
}

fn not_there(name: &[u8], section: &SectionHeader) -> String {
    let name = String::from_utf8_lossy(name);
    format!("section {name} at offset {} is not in the file", section.sh_offset)
}

fn content<'a>(image: &'a [u8], section: &SectionHeader) -> Option<&'a [u8]> {
    if section.sh_type == SHT_NOBITS {
        return Some(&[]);
    }
    let start = usize::try_from(section.sh_offset).ok()?;
    let end = start.checked_add(usize::try_from(section.sh_size).ok()?)?;
    image.get(start..end)
}

/// NUL-terminated strings, one after another.
fn strings(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        // Looks for the NUL in words, not in bytes.
        let string = CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes);
        (!bytes.is_empty()).then(|| {
            bytes = bytes.get(string.len() + 1..).unwrap_or_default();
            string
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a null section, `.modinfo` and the names of sections.
    pub fn module(machine: u16, modinfo: &[u8]) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let table = 64 + names.len() + modinfo.len();
        file.extend([1u16, machine].iter().flat_map(|half| half.to_le_bytes()));
        file.extend(1u32.to_le_bytes());
        file.extend([0u64, 0, table as u64].iter().flat_map(|word| word.to_le_bytes()));
        file.extend(0u32.to_le_bytes());
        file.extend([64u16, 0, 0, 64, 3, 2].iter().flat_map(|half| half.to_le_bytes()));
        file.extend(names);
        file.extend(modinfo);
        for (name, offset, size) in
            [(0u32, 0, 0), (1, 64 + names.len(), modinfo.len()), (10, 64, names.len())]
        {
            file.extend(name.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend([0, 0, offset as u64, size as u64].iter().flat_map(|w| w.to_le_bytes()));
            file.extend([0; 24]);
        }
        file
    }

    #[test]
    fn modinfo_is_read() {
        let file = module(62, b"name=x\0\0\0vermagic=6.6 SMP \0parm=a=b\0junk\0");
        let module = ModuleElf::parse(&file).unwrap();
        assert_eq!(module.machine(), "x86_64 (64-bit)");
        assert_eq!(module.is_for("x86_64"), Some(true));
        assert_eq!(module.is_for("aarch64"), Some(false));
        assert_eq!(module.is_for("i686"), Some(false));
        assert_eq!(module.is_for("vax"), None);
        assert_eq!(module.value(b"vermagic").unwrap(), b"6.6 SMP ");
        assert_eq!(module.value(b"parm").unwrap(), b"a=b");
        assert_eq!(module.modinfo().last().unwrap(), (&b"junk"[..], &b""[..]));
    }

    /// `file` with so many more of its last section but one, `.modinfo`, each of `size` bytes.
    fn crowded(mut file: Vec<u8>, count: u16, size: u64) -> Vec<u8> {
        let at = file.len() - 128;
        let mut modinfo = file[at..at + 64].to_vec();
        modinfo[32..40].copy_from_slice(&size.to_le_bytes());
        file.extend(modinfo.repeat(usize::from(count)));
        file[60..62].copy_from_slice(&(3 + count).to_le_bytes());
        file
    }

    #[test]
    fn sections_upon_one_another_are_read_once() {
        struct Counted(Vec<u8>, std::rc::Rc<std::cell::Cell<usize>>);
        impl Source for Counted {
            fn read_at(&self, block: &mut [u8], offset: u64) -> std::io::Result<usize> {
                self.1.set(self.1.get() + block.len());
                self.0.read_at(block, offset)
            }
        }
        let sound = module(62, &b"name=x\0".repeat(1000));
        for (size, is_there) in [(7000, true), (1 << 40, false), (u64::MAX, false)] {
            let file = crowded(sound.clone(), 500, size);
            let (length, read) = (file.len(), std::rc::Rc::default());
            let mut buffer = Vec::new();
            let counted = Counted(file.clone(), std::rc::Rc::clone(&read));
            let mut parts = Parts::new(counted, length as u64, &mut buffer);
            let gathered = ModuleElf::gather(&mut parts, &INDEXED);
            assert_eq!(gathered.err().is_none(), is_there);
            assert!(read.get() < 3 * length);
            let mut names = 0;
            let all = ModuleElf::parse(&file).unwrap().names(&mut |_| {
                names += 1;
                false
            });
            assert_eq!(all.is_err(), is_there, "none of the others has anything");
            assert!(names <= length / 7);
        }
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let file = module(62, b"name=x\0");
        assert!(ModuleElf::parse(b"").is_err() && ModuleElf::parse(b"\x7fELF").is_err());
        for length in 0..file.len() {
            let _ = ModuleElf::parse(&file[..length]).map(|module| module.modinfo().count());
        }
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let _ = ModuleElf::parse(&flipped).map(|module| module.modinfo().count());
            }
        }
    }
}
