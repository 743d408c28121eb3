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

    /// The machine it is for, in words.
    pub fn machine(&self) -> String {
        let name = match self.machine {
            3 => "i386",
            8 => "mips",
            20 => "powerpc",
            21 => "powerpc64",
            22 => "s390",
            40 => "arm",
            62 => "x86_64",
            183 => "aarch64",
            243 => "riscv",
            258 => "loongarch",
            other => return format!("machine {other}"),
        };
        let order = if self.little_endian { "" } else { ", big-endian" };
        format!("{name} ({}-bit{order})", if self.is_64 { 64 } else { 32 })
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
