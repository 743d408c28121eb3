//! What `tests/cases.rs` is made of: a case as read from its directory, the
//! stage it is played on, the indexes and ELF files of its module tree, and the
//! comparison.

pub mod case;
pub mod elf;
pub mod expect;
pub mod index;
pub mod json;
pub mod stage;
pub mod trace;
