//! Inputs of any content, for all that reads what others wrote.
//!
//! A part of the crate's units. [`targets`] says what is done with an input, and what has to
//! be true then; [`measure`] how much it may cost; [`driver`] makes inputs, as `scripts/fuzz`
//! asks for them; [`replay`] goes once through those that are kept in `corpus/TARGET/`. A file
//! there whose name has words in it was a defect once.

// A panic is a failed test here.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs
)]

mod driver;
#[path = "../support/elf.rs"]
mod elf;
mod measure;
mod replay;
mod targets;
