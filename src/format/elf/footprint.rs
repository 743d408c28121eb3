//! What a module takes of the kernel's memory.
//!
//! The kernel lays the sections that it keeps into four parts, code, constants, what is
//! constant after the start, and data, each on pages of its own, as their rights differ;
//! sections whose names start with `.init` are given back after the start (kernel:
//! `layout_sections` of `kernel/module/main.c`).

use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE};

use super::{ModuleElf, name};

/// Bytes of memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// What the start needs, and nothing after it.
    pub init: u64,
    /// What is in the last pages of the parts that stay, and is nothing's.
    pub wasted: u64,
}

/// Sections that the kernel reads and does not keep, or keeps elsewhere.
const ELSEWHERE: [&[u8]; 5] =
    [b".modinfo", b"__versions", b"__version_ext_crcs", b"__version_ext_names", b".data..percpu"];

/// What is written to at the start alone.
const CONSTANT_LATER: [&[u8]; 2] = [b".data..ro_after_init", b"__jump_table"];

impl ModuleElf<'_> {
    /// What the module takes, on pages of `page` bytes.
    pub fn footprint(&self, page: u64) -> Footprint {
        let mut init = 0_u64;
        let mut parts = [0_u64; 4];
        for section in self.sections.iter() {
            let name = name(self.section_names, section);
            let flags = section.sh_flags as u32;
            if flags & SHF_ALLOC == 0 || ELSEWHERE.contains(&name) {
                continue;
            }
            let part = match flags & (SHF_EXECINSTR | SHF_WRITE) {
                0 => 1,
                flags if flags & SHF_EXECINSTR != 0 => 0,
                _ if CONSTANT_LATER.contains(&name) => 2,
                _ => 3,
            };
            let sum = match parts.get_mut(part) {
                Some(sum) if !name.starts_with(b".init") => sum,
                _ => &mut init,
            };
            *sum = aligned(*sum, section.sh_addralign).saturating_add(section.sh_size);
        }
        let wasted = parts.iter().map(|sum| aligned(*sum, page).saturating_sub(*sum)).sum();
        Footprint { init: aligned(init, page), wasted }
    }
}

/// `size`, rounded up to a multiple of `to`.
fn aligned(size: u64, to: u64) -> u64 {
    size.checked_next_multiple_of(to.max(1)).unwrap_or(size)
}
