//! What a module says of itself: its ELF header, the `key=value` strings of its
//! `.modinfo` section, and the symbols it imports and exports with their versions
//! (kernel: `include/linux/module.h`, `kernel/module/version.c`).
//!
//! ```text
//! .modinfo               key=value NUL …
//! __versions             word crc, char name[64 - word] …
//! __version_ext_crcs     u32 crc …            (Linux 6.14, names of any length)
//! __version_ext_names    name NUL …
//! .symtab                __crc_NAME: the CRC itself, or where it lies
//! __ksymtab_strings      name NUL …
//! ```
//!
//! Refused: what is no ELF file, or has its section table outside the file.

use goblin::container::{Container, Ctx};
use goblin::elf::section_header::{SHN_ABS, SHN_UNDEF, SectionHeader};
use goblin::elf::{Elf, Symtab};

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

/// A symbol's name and the checksum of its type.
pub type Version<'a> = (&'a [u8], u32);

impl<'a> ModuleElf<'a> {
    /// Reads `image`, an uncompressed module.
    pub fn parse(image: &'a [u8]) -> Result<Self, String> {
        let header = Elf::parse_header(image).map_err(|_| "not an ELF file".to_owned())?;
        let endianness = header.endianness().map_err(|_| "unknown ELF byte order".to_owned())?;
        let context = Ctx::new(header.container().unwrap_or_default(), endianness);
        let sections = SectionHeader::parse(
            image,
            usize::try_from(header.e_shoff).unwrap_or(usize::MAX),
            usize::from(header.e_shnum),
            context,
        )
        .map_err(|_| format!("section table at offset {} is not in the file", header.e_shoff))?;
        let names = sections.get(usize::from(header.e_shstrndx));
        let section_names = names.and_then(|names| content(image, names)).unwrap_or_default();
        Ok(Self { image, context, machine: header.e_machine, sections, section_names })
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

    fn checksums(&self) -> Option<Vec<Version<'a>>> {
        let table = self.header(b".symtab")?;
        let size = usize::try_from(table.sh_size).ok()?;
        let entry = if self.is_64() { 24 } else { 16 };
        let start = usize::try_from(table.sh_offset).ok()?;
        let symbols = Symtab::parse(self.image, start, size / entry, self.context).ok()?;
        let names = self.section(b".strtab")?;
        let checksum = |symbol: goblin::elf::Sym| {
            let name = strings(names.get(symbol.st_name..)?).next()?.strip_prefix(b"__crc_")?;
            let index = u32::try_from(symbol.st_shndx).ok()?;
            let crc = if index == SHN_ABS || index == SHN_UNDEF {
                symbol.st_value as u32
            } else {
                let section = content(self.image, self.sections.get(symbol.st_shndx)?)?;
                let at = usize::try_from(symbol.st_value).ok()?;
                self.u32(section.get(at..at.checked_add(4)?)?)?
            };
            Some((name, crc))
        };
        Some(symbols.iter().filter_map(checksum).collect())
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
