//! Workers beside a kernel that takes its time.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::errno::Errno;

use super::*;
use crate::config::Config;
use crate::error::Cause;
use crate::format::trace::PhaseKind;
use crate::kernel::InsertFlags;
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::plan::{Policy, Verdict, insert};
use crate::resolve::resolve;
use crate::root::Root;
use crate::state::State;

/// A kernel that takes each module for a while, and notes in a file when it began and ended:
/// workers are processes.
struct Slow {
    notes: File,
    refuses: &'static str,
    /// Whose insertion ends the worker.
    kills: &'static str,
    takes: Duration,
}

impl Kernel for Slow {
    fn finit_module(&self, file: &File, _: &CStr, _: InsertFlags) -> Result<(), Errno> {
        let mut name = [0];
        // From the start on, wherever the file stands, as the kernel does.
        file.read_at(&mut name, 0).unwrap();
        let name = char::from(name[0]);
        let note = |sign| (&self.notes).write_all(format!("{sign}{name}\n").as_bytes()).unwrap();
        note('+');
        if self.kills.contains(name) {
            let _ = Command::new("sh").args(["-c", "kill -9 $PPID"]).status();
        }
        thread::sleep(self.takes);
        note('-');
        if self.refuses.contains(name) { Err(Errno::EIO) } else { Ok(()) }
    }

    fn init_module(&self, _: &[u8], _: &CStr) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    fn delete_module(&self, _: &CStr, _: bool) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    fn run(&self, _: &[u8], _: &ModuleName) -> io::Result<ExitStatus> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn memfd_create(&self) -> Result<File, Errno> {
        Ok(tempfile::tempfile().unwrap())
    }

    fn has_modules(&self) -> bool {
        true
    }

    fn compression(&self) -> &str {
        ""
    }
}

/// A chain of three, and others.
const DEPENDENCIES: &str =
    "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\np.ko: c.ko\nq.ko:\nr.ko:\ns.ko: q.ko r.ko\n";

/// gzip of one byte, stored.
fn gzip(byte: u8) -> Vec<u8> {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = !(0..8).fold(!0 ^ u32::from(byte), |crc, _| step(crc));
    let header = *b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x01\0\xfe\xff";
    [&header[..], &[byte], &crc.to_le_bytes(), &[1, 0, 0, 0]].concat()
}

/// Inserts all but one of them with `jobs` workers: what the kernel noted, and what was
/// reported.
fn run(jobs: usize, refuses: &'static str, compressed: bool) -> (Vec<String>, Vec<Report>) {
    run_with(jobs, refuses, "", compressed)
}

/// A worker of one test would have the pipes of another's, whose end nobody would see then:
/// the tests are threads of one process, which nanomod has not.
static ALONE: Mutex<()> = Mutex::new(());

fn run_with(
    jobs: usize,
    refuses: &'static str,
    kills: &'static str,
    compressed: bool,
) -> (Vec<String>, Vec<Report>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("lib/modules/6.6");
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("modules.dep"), DEPENDENCIES).unwrap();
    for name in ["a", "b", "c", "p", "q", "r", "s"] {
        let plain = name.as_bytes().to_vec();
        let content = if compressed { gzip(plain[0]) } else { plain };
        fs::write(
            modules.join(format!("{name}.ko{}", if compressed { ".gz" } else { "" })),
            content,
        )
        .unwrap();
    }
    let root = Root::new(dir.path());
    let config = Config::load(&root, &[], &modules);
    let moddir = ModuleDir::new(&root, b"6.6");
    let sources = Sources { config: &config, modules: &moddir };
    let steps = |name: &str| {
        let target = resolve(sources, name.as_bytes()).remove(0);
        match insert(sources, &State::read(&root), target, b"", &Policy::default()).verdict {
            Verdict::Steps(steps) => steps,
            verdict => panic!("{verdict:?}"),
        }
    };
    let noted = dir.path().join("notes");
    let notes = File::options().append(true).create(true).open(&noted).unwrap();
    // Time enough for every worker to have begun.
    let takes = Duration::from_millis(if compressed { 80 } else { 40 });
    let kernel = Slow { notes, refuses, kills, takes };
    let tools = Tools { manner: Manner::default(), kernel: &kernel, verbose: None };
    let mut graph = Graph::default();
    graph.add(sources, steps("q"), 0, false);
    graph.add(sources, steps("a"), 0, false);
    let mut queue = Queue::new(graph, jobs, tools, &Watch::start(true));
    // As a device that comes later wants them.
    queue.add(sources, steps("p"), false);
    queue.add(sources, steps("s"), false);
    let mut reports = Vec::new();
    loop {
        queue.begin();
        reports.extend(queue.take());
        if queue.plan().is_over() {
            break;
        }
        queue.wait(None, Duration::MAX);
    }
    let notes = fs::read_to_string(&noted).unwrap().lines().map(str::to_owned).collect();
    (notes, reports)
}

fn over(reports: &[Report]) -> impl Iterator<Item = (String, &Outcome)> {
    reports.iter().map(|report| (report.step.module.to_string(), &report.outcome))
}

#[test]
fn one_worker_follows_the_plan() {
    let (notes, _) = run(1, "", false);
    let begun: Vec<&str> = notes.iter().filter_map(|note| note.strip_prefix('+')).collect();
    assert_eq!(begun, ["q", "c", "b", "a", "p", "r", "s"]);
}

#[test]
fn no_worker_begins_what_is_not_ready() {
    for jobs in [2, 3, 16] {
        let (notes, reports) = run(jobs, "", false);
        let at = |note: &str| notes.iter().position(|other| other == note).unwrap();
        for (first, then) in [("c", "b"), ("b", "a"), ("c", "p"), ("q", "s"), ("r", "s")] {
            assert!(at(&format!("-{first}")) < at(&format!("+{then}")), "{jobs}: {notes:?}");
        }
        assert_eq!(notes.len(), 14, "{jobs}: {notes:?}");
        let both = notes.windows(2).any(|pair| pair.iter().all(|note| note.starts_with('+')));
        assert!(both, "never two at once: {notes:?}");
        assert!(over(&reports).all(|(_, outcome)| outcome.result.is_ok()));
        assert_eq!(over(&reports).count(), 7);
    }
}

#[test]
fn what_depends_on_a_failure_is_left_out_and_nothing_else() {
    for jobs in [1, 4] {
        let (notes, reports) = run(jobs, "b", false);
        assert!(!notes.contains(&"+a".to_owned()), "{notes:?}");
        let failed: Vec<String> = over(&reports)
            .filter_map(|(module, outcome)| outcome.result.is_err().then_some(module))
            .collect();
        assert_eq!((failed, over(&reports).count()), (vec!["b".to_owned()], 6));
    }
}

#[test]
fn a_worker_that_dies_takes_nothing_along_but_its_step() {
    for jobs in [1, 4] {
        let (notes, reports) = run_with(jobs, "", "b", false);
        assert!(!notes.contains(&"+a".to_owned()), "{notes:?}");
        assert!(notes.contains(&"-s".to_owned()), "{notes:?}");
        for (module, outcome) in over(&reports) {
            match (&outcome.result, module.as_str()) {
                (Ok(_), name) => assert_ne!(name, "b"),
                (Err(failed), name) => {
                    assert_eq!(name, "b");
                    let Reason::Insert(_, failure) = &failed.cause else { panic!("{failed:?}") };
                    let why = Cause::from(failure).to_string();
                    assert_eq!(why, "its worker was killed by signal 9");
                }
            }
        }
    }
}

// A trace says when.
#[cfg(all(feature = "gzip", feature = "trace"))]
#[test]
fn modules_are_decompressed_before_their_turn() {
    // More than there are modules: somebody has nothing else to do.
    let (notes, reports) = run(16, "", true);
    assert!(notes.contains(&"+a".to_owned()), "{notes:?}");
    let (_, outcome) = over(&reports).find(|(module, _)| module == "a").unwrap();
    let unpacked = outcome.phases.iter().find(|phase| phase.kind == PhaseKind::Decompress);
    assert!(unpacked.unwrap().end < outcome.ready, "{:?}", outcome.phases);
}
