//! Bytes to values: what is on disk and in `/proc`, never opening a file itself.

pub mod compression;
pub mod elf;
pub mod index;
pub mod json;
pub mod modinfo;
pub mod pages;
pub mod params;
pub mod parts;
pub mod signature;
pub mod symvers;
pub mod text;
pub mod trace;
