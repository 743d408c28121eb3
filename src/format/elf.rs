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
//! __ksymtab_strings      name NUL …
//! ```
//!
//! Refused: what is no ELF file, or has its section table outside the file.

use std::ops::Range;

use goblin::container::{Container, Ctx};
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SectionHeader};
use goblin::elf::sym::{STB_WEAK, Sym, SymIterator, Symtab};
use goblin::elf::{Elf, Header};

use super::pages::Source;

/// The parts of a module's ELF file that a loader speaks of.
pub struct ModuleElf<'a> {
    image: &'a [u8],
    context: Ctx,
    machine: u16,
    sections: Vec<SectionHeader>,
    section_names: &'a [u8],
}

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

/// The largest header, that of a 64-bit file.
const HEADER: u64 = 64;

/// The sections that make up the indexes. What is in the others, nine tenths of a
/// file, need not be read for that.
pub const INDEXED: [&[u8]; 7] = [
    b".modinfo",
    b".symtab",
    b".strtab",
    b"__versions",
    b"__version_ext_crcs",
    b"__version_ext_names",
    b"__ksymtab_strings",
];

/// A file that is read in parts, one behind another in a buffer.
pub struct Parts<'b, S> {
    source: S,
    length: u64,
    /// Holds more than is used: it is kept from one file to the next.
    buffer: &'b mut Vec<u8>,
    used: usize,
}

impl<'b, S: Source> Parts<'b, S> {
    /// Parts of the first `length` bytes of `source`, which `buffer` will hold.
    pub fn new(source: S, length: u64, buffer: &'b mut Vec<u8>) -> Self {
        Self { source, length, buffer, used: 0 }
    }

    /// Where in the buffer the `count` bytes from `offset` on are; `None` where the
    /// file has fewer.
    fn read(&mut self, mut offset: u64, count: u64) -> Option<Range<usize>> {
        // A claim is not trusted with an allocation.
        offset.checked_add(count).filter(|end| *end <= self.length)?;
        let part = self.used..self.used + usize::try_from(count).ok()?;
        if self.buffer.len() < part.end {
            self.buffer.resize(part.end * 2, 0);
        }
        while self.used < part.end {
            let rest = self.buffer.get_mut(self.used..part.end)?;
            let count = self.source.read_at(rest, offset).ok().filter(|count| *count > 0)?;
            (self.used, offset) = (self.used + count, offset + count as u64);
        }
        Some(part)
    }
}

/// A symbol's name and the checksum of its type.
pub type Version<'a> = (&'a [u8], u32);

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
        .map_err(|_| no_table(&header))?;
        let names = sections.get(usize::from(header.e_shstrndx));
        let section_names = names.and_then(|names| content(image, names)).unwrap_or_default();
        Ok(Self { image, context, machine: header.e_machine, sections, section_names })
    }

    /// Reads of `file`, an uncompressed module, what is in the sections `wanted`. The
    /// others are there, and empty.
    pub fn gather<S: Source>(file: &'a mut Parts<'_, S>, wanted: &[&[u8]]) -> Result<Self, String> {
        let start = file.read(0, HEADER.min(file.length)).unwrap_or_default();
        let (header, context) = header(file.buffer.get(start).unwrap_or_default())?;
        let count = usize::from(header.e_shnum);
        let size = (SectionHeader::size(context) * count) as u64;
        let table = file.read(header.e_shoff, size).ok_or_else(|| no_table(&header))?;
        let mut sections = SectionHeader::parse(file.buffer, table.start, count, context)
            .map_err(|_| no_table(&header))?;
        let names = sections.get(usize::from(header.e_shstrndx));
        let names = names.and_then(|names| file.read(names.sh_offset, names.sh_size));
        let names = names.unwrap_or_default();
        for section in &mut sections {
            let name =
                file.buffer.get(names.clone()).and_then(|names| names.get(section.sh_name..));
            let name = strings(name.unwrap_or_default()).next().unwrap_or_default();
            let Some(name) = wanted.iter().find(|wanted| **wanted == name) else {
                (section.sh_offset, section.sh_size) = (0, 0);
                continue;
            };
            let content = file.read(section.sh_offset, section.sh_size);
            section.sh_offset = content.ok_or_else(|| not_there(name, section))?.start as u64;
        }
        let image = file.buffer.get(..file.used).unwrap_or_default();
        let section_names = image.get(names).unwrap_or_default();
        Ok(Self { image, context, machine: header.e_machine, sections, section_names })
    }

    /// Whether the sections `wanted`, where there are any, are in the file.
    pub fn check(&self, wanted: &[&[u8]]) -> Result<(), String> {
        let mut headers = wanted.iter().filter_map(|name| Some((name, self.header(name)?)));
        let missing = headers.find(|(_, section)| content(self.image, section).is_none());
        missing.map_or(Ok(()), |(name, section)| Err(not_there(name, section)))
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
        let order = if self.context.le.is_little() { "" } else { ", big-endian" };
        format!("{name} ({}-bit{order})", if self.is_64() { 64 } else { 32 })
    }

    /// Whether it is for what `uname -m` calls `machine`; `None` where that is
    /// not known.
    pub fn is_for(&self, machine: &str) -> Option<bool> {
        let is_64 = machine.contains("64") || machine == "s390x";
        let (number, ..) = MACHINES
            .iter()
            .find(|(_, _, names)| names.iter().any(|name| machine.starts_with(name)))?;
        Some(*number == self.machine && is_64 == self.is_64())
    }

    /// The `key=value` entries of `.modinfo` in file order.
    pub fn modinfo(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let section = self.section(b".modinfo").unwrap_or_default();
        section.split(|&c| c == 0).filter_map(|entry| {
            let at = entry.iter().position(|&c| c == b'=')?;
            Some((entry.get(..at)?, entry.get(at + 1..)?))
        })
    }

    /// The first value of `key`.
    pub fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.modinfo().find(|entry| entry.0 == key).map(|entry| entry.1)
    }

    /// The symbols that it wants, with the versions that it was built against;
    /// `None` where it has no versions.
    pub fn imports(&self) -> Option<Vec<Version<'a>>> {
        if let Some(crcs) = self.section(b"__version_ext_crcs") {
            let names = strings(self.section(b"__version_ext_names")?);
            let crcs = crcs.chunks_exact(4).map(|crc| self.u32(crc).unwrap_or(0));
            return Some(names.zip(crcs).collect());
        }
        let word = if self.is_64() { 8 } else { 4 };
        let versions = self.section(b"__versions").filter(|section| section.len() % 64 == 0)?;
        let versions = versions.chunks_exact(64).filter_map(|version| {
            let (crc, name) = version.split_at_checked(word)?;
            // The checksum is the lower half of the word.
            let crc = if self.context.le.is_little() { crc.get(..4) } else { crc.get(word - 4..) };
            let name = strings(name).next()?;
            // Functions of 64-bit PowerPC have a dot that no symbol has.
            Some((name.strip_prefix(b".").unwrap_or(name), self.u32(crc?)?))
        });
        Some(versions.collect())
    }

    /// The symbols that it offers, with their versions, which are 0 in a module
    /// that was built without.
    pub fn exports(&self) -> Vec<Version<'a>> {
        let versioned = self.checksums().unwrap_or_default();
        if !versioned.is_empty() {
            return versioned;
        }
        let names = self.section(b"__ksymtab_strings").unwrap_or_default();
        strings(names).filter(|name| !name.is_empty()).map(|name| (name, 0)).collect()
    }

    /// The symbols that it leaves to others to define, in the file's order, and
    /// whether it can do without.
    pub fn undefined(&self) -> impl Iterator<Item = (&'a [u8], bool)> {
        let is_sparc = SPARCS.contains(&self.machine);
        let is_wanted = move |symbol: &Sym| {
            symbol.st_shndx == SHN_UNDEF as usize && !(is_sparc && symbol.st_type() == REGISTER)
        };
        let (symbols, names) = self.symbols().unzip();
        let symbols = symbols.into_iter().flatten().skip(1).filter(is_wanted);
        symbols.filter_map(move |symbol| {
            let name = strings(names?.get(symbol.st_name..)?).next()?;
            (!name.is_empty()).then_some((name, symbol.st_bind() == STB_WEAK))
        })
    }

    fn symbols(&self) -> Option<(SymIterator<'a>, &'a [u8])> {
        let table = self.header(b".symtab")?;
        let size = usize::try_from(table.sh_size).ok()?;
        let entry = if self.is_64() { 24 } else { 16 };
        let start = usize::try_from(table.sh_offset).ok()?;
        let symbols = Symtab::parse(self.image, start, size / entry, self.context).ok()?;
        Some((symbols.iter(), self.section(b".strtab")?))
    }

    fn checksums(&self) -> Option<Vec<Version<'a>>> {
        let (symbols, names) = self.symbols()?;
        let checksum = |symbol: Sym| {
            let name = strings(names.get(symbol.st_name..)?).next()?.strip_prefix(b"__crc_")?;
            let index = u32::try_from(symbol.st_shndx).ok()?;
            let crc = if index == SHN_ABS || index == SHN_UNDEF {
                symbol.st_value as u32
            } else {
                let section = content(self.image, self.sections.get(symbol.st_shndx)?)?;
                let at = usize::try_from(symbol.st_value).ok()?;
                // A section that was left out has none.
                section.get(at..at.checked_add(4)?).map_or(Some(0), |crc| self.u32(crc))?
            };
            Some((name, crc))
        };
        Some(symbols.filter_map(checksum).collect())
    }

    fn u32(&self, bytes: &[u8]) -> Option<u32> {
        let bytes = bytes.first_chunk::<4>()?;
        let little = self.context.le.is_little();
        Some(if little { u32::from_le_bytes(*bytes) } else { u32::from_be_bytes(*bytes) })
    }

    fn header(&self, name: &[u8]) -> Option<&SectionHeader> {
        self.sections.iter().find(|section| {
            let rest = self.section_names.get(section.sh_name..).unwrap_or_default();
            rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
        })
    }

    fn section(&self, name: &[u8]) -> Option<&'a [u8]> {
        content(self.image, self.header(name)?)
    }
}

fn header(start: &[u8]) -> Result<(Header, Ctx), String> {
    let header = Elf::parse_header(start).map_err(|_| "not an ELF file".to_owned())?;
    let endianness = header.endianness().map_err(|_| "unknown ELF byte order".to_owned())?;
    let context = Ctx::new(header.container().unwrap_or_default(), endianness);
    Ok((header, context))
}

fn no_table(header: &Header) -> String {
    format!("section table at offset {} is not in the file", header.e_shoff)
}

fn not_there(name: &[u8], section: &SectionHeader) -> String {
    let name = String::from_utf8_lossy(name);
    format!("section {name} at offset {} is not in the file", section.sh_offset)
}

fn content<'a>(image: &'a [u8], section: &SectionHeader) -> Option<&'a [u8]> {
    let start = usize::try_from(section.sh_offset).ok()?;
    let end = start.checked_add(usize::try_from(section.sh_size).ok()?)?;
    image.get(start..end)
}

/// NUL-terminated strings, one after another.
fn strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&c| c == 0)
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
        assert_eq!(module.modinfo().count(), 3);
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
