//! The kernel's own reason for a refusal, from its log.
//!
//! A read of `/dev/kmsg` gives one record (kernel: `Documentation/ABI/testing/
//! dev-kmsg`): `PRIORITY,SEQUENCE,TIME,FLAGS;TEXT`, then lines that start with
//! a blank. Opening it is privileged on some systems; then there is simply
//! nothing to tell.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::linux::NONBLOCK;
use crate::root::Root;

/// Larger than any record.
const RECORD: usize = 8192;

/// How many lines are told: an unknown symbol is often followed by all others.
const LINES: usize = 4;

/// A reader of the kernel's log.
pub struct KernelLog {
    path: PathBuf,
    file: Option<File>,
}

impl KernelLog {
    /// The log below `system`; not opened before it is marked.
    pub fn new(system: &Root) -> Self {
        Self { path: system.join("/dev/kmsg"), file: None }
    }

    /// Remembers where the log ends now.
    pub fn mark(&mut self) {
        if self.file.is_none() {
            self.file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            let _ = file.seek(SeekFrom::End(0));
        }
    }

    /// What the kernel has said about module `name` since the mark.
    pub fn since_mark(&mut self, name: &[u8]) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        let mut record = vec![0; RECORD];
        let Some(file) = &mut self.file else { return told };
        // Ends at the newest record, with EAGAIN.
        while let Ok(length @ 1..) = file.read(&mut record) {
            let Some(text) = record.get(..length).and_then(|record| about(record, name)) else {
                continue;
            };
            if told.len() < LINES && !told.contains(&text) {
                told.push(text);
            }
        }
        told
    }
}

/// The text of a record if it speaks of module `name`.
fn about(record: &[u8], name: &[u8]) -> Option<String> {
    let start = record.iter().position(|&c| c == b';')? + 1;
    let text = record.get(start..)?.split(|&c| c == b'\n').next()?;
    let about_name = text.windows(name.len().max(1)).any(|window| window == name);
    let about_modules = [&b"module: "[..], b"Loading of ", b"Lockdown: "];
    let about_modules = about_modules.iter().any(|prefix| text.starts_with(prefix));
    let is_taint =
        text.windows(6).any(|window| window == b"taint ") || text.ends_with(b"taints kernel.");
    let text = String::from_utf8_lossy(text).into_owned();
    ((about_name || about_modules) && !is_taint).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_about_the_module_are_told() {
        let tell = |record: &str| about(record.as_bytes(), b"ext4");
        assert_eq!(
            tell("3,7,99,-;ext4: Unknown symbol foo (err -2)\n SUBSYSTEM=x\n").unwrap(),
            "ext4: Unknown symbol foo (err -2)"
        );
        assert_eq!(
            tell("3,7,99,-;module: decompression failed with status 6\n").unwrap().len(),
            42
        );
        assert!(tell("4,7,99,-;ext4: loading out-of-tree module taints kernel.\n").is_none());
        assert!(tell("6,7,99,-;usb 1-1: new device\n").is_none());
        assert!(tell("garbage").is_none());
    }
}
