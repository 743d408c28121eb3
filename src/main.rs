//! nanomod: `insmod`, `modprobe`, `rmmod`, `lsmod`, `modinfo` and `depmod` in one static
//! binary.
//!
//! The name it is called by, or its first argument, picks the applet:
//! `argv` → [`cli`] → applet → resolve → plan → execute → exit status.
#![cfg_attr(not(test), no_main)]
// What one part of the program needs is there without it, too.
#![cfg_attr(not(feature = "full"), allow(dead_code, unused_imports))]

mod applets;
mod cli;
mod collect;
mod config;
mod devices;
mod entry;
mod error;
mod files;
mod format;
#[cfg(all(test, feature = "full"))]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
mod kernel;
mod large;
mod moddir;
mod name;
mod numbers;
mod output;
mod plan;
mod resolve;
mod root;
mod state;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use error::Status;
use output::{Level, Log};

/// Runs the applet that `argv` names. The applet `nanomod` is what is left
/// where the first word is no other one's name.
fn run(argv: &[OsString]) -> Status {
    let called = argv.first().map(|name| name.as_bytes()).unwrap_or_default();
    let called = called.rsplit(|&c| c == b'/').next().unwrap_or_default();
    if let Some(applet) = applets::by_link(called) {
        return applet.start(argv.get(1..).unwrap_or_default());
    }
    if let Some(name) = applets::absent(called) {
        return Log::new(name, Level::Error, false).error("this nanomod was built without it");
    }
    let first = argv.get(1).map(|word| word.as_bytes()).unwrap_or_default();
    match applets::by_word(first) {
        Some(applet) => applet.start(argv.get(2..).unwrap_or_default()),
        None => applets::NANOMOD.start(argv.get(1..).unwrap_or_default()),
    }
}
