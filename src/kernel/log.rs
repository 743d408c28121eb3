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

use crate::collect::Collect;
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
const FAULTS: [&[u8]; 8] = [
    b"BUG: ",
    b"kernel BUG at ",
    b"Oops",
    b"Internal error: ",
    b"Unable to handle kernel ",
    b"Unhandled fault: ",
    b"general protection fault",
    b"Out of memory: ",
];

/// How lines start that say which process that was, and what stands before its number
/// (kernel: `lib/dump_stack.c`, `mm/oom_kill.c`).
const PROCESSES: [[&[u8]; 2]; 2] =
    [[b"CPU: ", b" PID: "], [b"Out of memory: ", b" Killed process "]];

/// How the lines start behind that which say where it was.
const PLACES: [&[u8]; 2] = [b"RIP: ", b"pc : "];

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

    /// What the kernel has said about module `name` since the mark; where the process that
    /// inserted it was `killed`, why, if that was a fault of the kernel's own.
    pub fn since_mark(&mut self, name: &[u8], killed: Option<i32>) -> Vec<String> {
        self.read();
        let texts = self.records.iter().filter_map(|record| text_of(record));
        let texts = match killed {
            Some(process) => faults(texts, process),
            None => texts.filter(|text| is_about(text, name)).vec(),
        };
        let mut told: Vec<String> = Vec::new();
        for text in texts.into_iter().map(String::from_utf8_lossy) {
            if told.len() < LINES && !told.iter().any(|other| *other == text) {
                told.push(text.into_owned());
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

/// The text of a record of the kernel's own.
fn text_of(record: &[u8]) -> Option<&[u8]> {
    let (prefix, text) = record.split_at_checked(record.iter().position(|&c| c == b';')?)?;
    let priority = prefix.split(|&c| c == b',').next()?;
    let text = text.get(1..)?.split(|&c| c == b'\n').next()?;
    (number(priority, 10)? < USER_FACILITY).then_some(text)
}

/// Whether `text` speaks of module `name`.
fn is_about(text: &[u8], name: &[u8]) -> bool {
    let is_taint = text.ends_with(b"taints kernel.") || text.ends_with(b"tainting kernel");
    (starts_with(text, &NAMELESS) || has_word(text, name)) && !is_taint
}

/// Those of `texts` that say why the kernel ended `process`: what happened, in which process,
/// and where. Others may be ended at the same time.
fn faults<'a>(texts: impl Iterator<Item = &'a [u8]>, process: i32) -> Vec<&'a [u8]> {
    let (mut told, mut fault) = (Vec::new(), Vec::new());
    let mut is_it = false;
    for text in texts {
        if starts_with(text, &FAULTS) {
            fault.push(text);
        }
        if let Some(number) = process_of(text) {
            is_it = u64::try_from(process) == Ok(number);
            if is_it {
                told.append(&mut fault);
            }
            fault.clear();
        } else if is_it && starts_with(text, &PLACES) {
            told.push(text);
        }
    }
    told
}

/// The number of the process that `text` names.
fn process_of(text: &[u8]) -> Option<u64> {
    PROCESSES.iter().filter(|[start, _]| text.starts_with(start)).find_map(|[_, before]| {
        let at = text.windows(before.len()).position(|window| window == *before)?;
        let rest = text.get(at + before.len()..)?;
        number(rest.split(|&c| c == b' ').next()?, 10)
    })
}

fn starts_with(text: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
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
        let tell = |record: &'static str| {
            text_of(record.as_bytes()).filter(|text| is_about(text, b"ext4"))
        };
        assert_eq!(
            tell("3,7,99,-;ext4: Unknown symbol foo (err -2)\n SUBSYSTEM=x\n").unwrap(),
            b"ext4: Unknown symbol foo (err -2)"
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
        assert!(tell("1,7,99,-;BUG: kernel NULL pointer dereference\n").is_none());
    }

    /// What two processes did, and a third was ended for want of memory.
    const LOG: &str = "BUG: kernel NULL pointer dereference, address: 0000000000000010
#PF: supervisor write access in kernel mode
Oops: 0002 [#1] PREEMPT SMP NOPTI
Modules linked in: ext4(+) jbd2
CPU: 0 PID: 17 Comm: nanomod Tainted: G           O       6.1.0
RIP: 0010:first+0x5/0x20 [first]
CR2: 0000000000000010
slow: initialized
Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
Internal error: Oops: 0000000096000045 [#1] SMP
CPU: 1 UID: 0 PID: 170 Comm: nanomod Tainted: G           O       6.12
pc : second+0x10/0x1000 [second]
Out of memory: Killed process 18 (nanomod) total-vm:1024kB, anon-rss:512kB
";

    #[test]
    fn a_fault_is_told_of_the_process_that_it_ended() {
        let told = |process| {
            let faults = faults(LOG.lines().map(str::as_bytes), process);
            faults.into_iter().map(|text| text.split(|&c| c == b' ').next().unwrap()).vec()
        };
        assert_eq!(told(17), [&b"BUG:"[..], b"Oops:", b"RIP:"]);
        assert_eq!(told(170), [&b"Unable"[..], b"Internal", b"pc"]);
        assert_eq!(told(18), [b"Out"]);
        assert!(told(1).is_empty());
        assert!(told(-1).is_empty());
    }
}
