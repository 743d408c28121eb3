//! What a module says of itself: its ELF header and its `.modinfo` section,
//! NUL-separated `key=value` strings (kernel: `include/linux/module.h`).
//!
//! Refused: what is no ELF file, or has its section table outside the file.

use goblin::container::{Container, Ctx};
use goblin::elf::{Elf, section_header::SectionHeader};

/// The parts of a module's ELF file that a loader speaks of.
pub struct ModuleElf<'a> {
    /// `e_machine`.
    pub machine: u16,
    /// Whether it is a 64-bit file.
    pub is_64: bool,
    /// Whether it is little-endian.
    pub little_endian: bool,
    modinfo: &'a [u8],
}

impl<'a> ModuleElf<'a> {
    /// Reads `image`, an uncompressed module.
    pub fn parse(image: &'a [u8]) -> Result<Self, String> {
        let header = Elf::parse_header(image).map_err(|_| "not an ELF file".to_owned())?;
        let context = header
            .endianness()
            .map(|endianness| {
                let is_64 = header.container().unwrap_or_default() == Container::Big;
                Ctx::new(if is_64 { Container::Big } else { Container::Little }, endianness)
            })
            .map_err(|_| "unknown ELF byte order".to_owned())?;
        let sections = SectionHeader::parse(
            image,
            usize::try_from(header.e_shoff).unwrap_or(usize::MAX),
            usize::from(header.e_shnum),
            context,
        )
        .map_err(|_| format!("section table at offset {} is not in the file", header.e_shoff))?;
        let content = |section: &SectionHeader| {
            let start = usize::try_from(section.sh_offset).ok()?;
            let end = start.checked_add(usize::try_from(section.sh_size).ok()?)?;
            image.get(start..end)
        };
        let names =
            sections.get(usize::from(header.e_shstrndx)).and_then(content).unwrap_or_default();
        let modinfo = sections
            .iter()
            .find(|section| {
                let name = names.get(section.sh_name..).unwrap_or_default();
                name.starts_with(b".modinfo\0")
            })
            .and_then(content)
            .unwrap_or_default();
        Ok(Self {
            machine: header.e_machine,
            is_64: context.container == Container::Big,
            little_endian: context.le == goblin::container::Endian::Little,
            modinfo,
        })
    }

    /// The `key=value` entries of `.modinfo` in file order.
    pub fn modinfo(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.modinfo.split(|&c| c == 0).filter_map(|entry| {
            let at = entry.iter().position(|&c| c == b'=')?;
            Some((entry.get(..at)?, entry.get(at + 1..)?))
        })
    }

    /// The first value of `key`.
    pub fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.modinfo().find(|entry| entry.0 == key).map(|entry| entry.1)
    }
}
