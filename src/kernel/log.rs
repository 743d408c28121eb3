//! The kernel's own reason for a refusal, from its log.
//!
//! A read of `/dev/kmsg` gives one record (kernel: `Documentation/ABI/testing/
//! dev-kmsg`): `PRIORITY,SEQUENCE,TIME,FLAGS;TEXT`, then lines that start with
//! a blank. Opening it is privileged on some systems; then there is simply
//! nothing to tell.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::{errno, is_interrupted};
use crate::files;
use crate::format::text::number;
use crate::root::Root;

/// Larger than any record.
const RECORD: usize = 8192;

/// How many records are kept: of a run in which so much is said, the first failures.
const RECORDS: usize = 4096;

/// How many lines are told: an unknown symbol is often followed by all others.
const LINES: usize = 64;

/// Priorities from here on are of programs that write to the kernel's log.
const USER_FACILITY: u64 = 1 << 3;

/// How lines start that speak of a module without its name.
const NAMELESS: [&[u8]; 6] = [
    b"module: ",
    b"Loading of ",
    b"Lockdown: ",
    b"Invalid ELF ",
    b"Invalid architecture in ELF",
    b"decompression failed",
];

/// How lines start in which the kernel says why it ended a process, on the machines that
/// there are: its own fault there, or no memory.
const FAULTS: [&[u8]; 10] = [
    b"BUG: ",
    b"kernel BUG at ",
    b"Oops",
    b"Internal error: ",
    b"Unable to handle kernel ",
    b"Unhandled fault: ",
    b"general protection fault",
    b"RIP: ",
    b"pc : ",
    b"Out of memory: ",
];

/// A reader of the kernel's log from a mark on.
pub struct KernelLog {
    path: PathBuf,
    file: Option<File>,
    /// The records that were read since the mark: several modules may fail.
    records: Vec<Vec<u8>>,
}

impl KernelLog {
    /// The log below `system`; not opened before it is marked.
    pub fn new(system: &Root) -> Self {
        Self { path: system.join("/dev/kmsg"), file: None, records: Vec::new() }
    }

    /// Remembers where the log ends now, if no place in it is remembered yet.
    pub fn mark(&mut self) {
        if self.file.is_none() {
            self.file = files::open_without_waiting(&self.path).ok();
            if let Some(file) = &mut self.file {
                let _ = file.seek(SeekFrom::End(0));
            }
        }
    }

    /// What the kernel has said about module `name` since the mark; if whoever inserted it
    /// was `killed`, of itself, too.
    pub fn since_mark(&mut self, name: &[u8], killed: bool) -> Vec<String> {
        self.read();
        let mut told: Vec<String> = Vec::new();
        for text in self.records.iter().filter_map(|record| about(record, name, killed)) {
            if told.len() < LINES && !told.contains(&text) {
                told.push(text);
            }
        }
        told
    }

    /// Reads what is new.
    fn read(&mut self) {
        let mut record = vec![0; RECORD];
        let Some(file) = &mut self.file else { return };
        loop {
            match file.read(&mut record) {
                Ok(0) => return,
                Ok(length) => {
                    if self.records.len() < RECORDS {
                        self.records.push(record.get(..length).unwrap_or_default().to_vec());
                    }
                }
                // Older records were overwritten: the next read has the rest.
                Err(error) if errno(&error) == Errno::EPIPE => {}
                Err(error) if is_interrupted(&error) => {}
                // There is no newer one.
                Err(_) => return,
            }
        }
    }
}

/// The text of a record of the kernel's own if it speaks of module `name`, or, with
/// `killed`, of a fault.
fn about(record: &[u8], name: &[u8], killed: bool) -> Option<String> {
    let (prefix, text) = record.split_at_checked(record.iter().position(|&c| c == b';')?)?;
    let text = text.get(1..)?.split(|&c| c == b'\n').next()?;
    let priority = prefix.split(|&c| c == b',').next()?;
    if number(priority, 10)? >= USER_FACILITY {
        return None;
    }
    let about_modules = NAMELESS.iter().any(|start| text.starts_with(start));
    let is_taint = text.ends_with(b"taints kernel.") || text.ends_with(b"tainting kernel");
    let is_fault = killed && FAULTS.iter().any(|start| text.starts_with(start));
    let is_about = match killed {
        // A list of all modules is part of what it says then.
        true => is_fault,
        false => (about_modules || has_word(text, name)) && !is_taint,
    };
    is_about.then(|| String::from_utf8_lossy(text).into_owned())
}

/// Whether `word` stands in `text`, and not as part of a longer one.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let is_part = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
    let starts = text.windows(word.len().max(1)).enumerate();
    starts.filter(|(_, window)| *window == word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        !is_part(before) && !is_part(text.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_about_the_module_are_told() {
        let tell = |record: &str| about(record.as_bytes(), b"ext4", false);
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
        assert!(tell("6,7,99,-;EXT4-fs: ext4_x and next4\n").is_none());
        assert!(tell("27,7,99,-;modprobe: ERROR: could not insert 'ext4'\n").is_none());
        assert!(tell("3,7,99,-;BPF: invalid [ext4]\n").is_some());
        let killed = |record: &str| about(record.as_bytes(), b"ext4", true);
        assert!(killed("1,7,99,-;BUG: kernel NULL pointer dereference\n").is_some());
        assert!(killed("4,7,99,-;Modules linked in: ext4(+) jbd2\n").is_none());
        assert!(tell("1,7,99,-;BUG: kernel NULL pointer dereference\n").is_none());
    }
}
