//! The corpora once more: what all that was ever found leads to is as it was.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Command, Stdio};

use super::driver::{STACK, catch_panics, corpus, inputs, tried};
use super::measure::limit_memory;
use super::targets::{Scratch, TARGETS};

/// Where the process that goes through them writes what it is at, and what was wrong.
const REPORT: &str = "NANOMOD_FUZZ_REPORT";

/// What it writes where nothing was.
const ANSWERED: &str = "answered\n";

/// What that process may have of memory, with its code and its stacks.
const MEMORY: u64 = 1 << 30;

/// In a process of its own: nothing else runs meanwhile, and what applets print is nobody's.
#[test]
fn the_corpora_are_answered() {
    let report = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["fuzz::replay::in_a_process", "--exact", "--ignored", "--test-threads=1"])
        .env(REPORT, report.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let told = fs::read_to_string(report.path()).unwrap();
    assert!(status.success() && told == ANSWERED, "{status}\n{told}");
}

#[test]
#[ignore = "the_corpora_are_answered runs it"]
fn in_a_process() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(all).unwrap();
    assert!(thread.join().unwrap(), "told in the report");
}

fn all() -> bool {
    let path = std::env::var_os(REPORT).unwrap();
    let mut wrong = String::new();
    limit_memory(MEMORY);
    catch_panics();
    for target in TARGETS {
        let scratch = Scratch::new();
        let kept = inputs(&[corpus(target)]);
        if kept.is_empty() {
            wrong += &format!("{} has no corpus\n", target.name);
        }
        let seeds = (target.seeds)().into_iter().map(|seed| ("a seed".to_owned(), seed));
        for (name, input) in kept.into_iter().chain(seeds) {
            // Who finds this process dead reads here what it was at.
            fs::write(&path, format!("{wrong}{}/{name}\n", target.name)).unwrap();
            if let Err(what) = tried(target, &scratch, &input) {
                wrong += &format!("{}/{name}: {what}\n", target.name);
            }
        }
    }
    let mut report = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    report.write_all(if wrong.is_empty() { ANSWERED } else { &wrong }.as_bytes()).unwrap();
    wrong.is_empty()
}
