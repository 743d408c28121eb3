//! Workers beside a kernel that takes its time.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::ExitStatus;
use std::thread;

use nix::errno::Errno;

use super::*;
use crate::config::Config;
use crate::format::trace::PhaseKind;
use crate::kernel::InsertFlags;
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::plan::{Policy, Verdict, insert};
use crate::resolve::resolve;
use crate::root::Root;
use crate::state::State;

/// A kernel that takes each module for a while, and notes when it began and ended.
struct Slow<'a> {
    notes: &'a Mutex<Vec<String>>,
    refuses: &'static str,
    takes: Duration,
}

impl Kernel for Slow<'_> {
    fn finit_module(&self, file: &File, _: &CStr, _: InsertFlags) -> Result<(), Errno> {
        let mut name = [0];
        // From the start on, wherever the file stands, as the kernel does.
        file.read_at(&mut name, 0).unwrap();
        let name = char::from(name[0]);
        self.notes.lock().unwrap().push(format!("+{name}"));
        thread::sleep(self.takes);
        self.notes.lock().unwrap().push(format!("-{name}"));
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
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("lib/modules/6.6");
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("modules.dep"), DEPENDENCIES).unwrap();
    for name in ["a", "b", "c", "p", "q", "r", "s"] {
        let plain = name.as_bytes().to_vec();
        let content = if compressed { gzip(plain[0]) } else { plain };
        fs::write(modules.join(format!("{name}.ko")), content).unwrap();
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
    let notes = &Mutex::default();
    // Time enough for every thread to have begun.
    let takes = Duration::from_millis(if compressed { 50 } else { 20 });
    let kernel = Slow { notes, refuses, takes };
    let (manner, brings_more) = (Manner::default(), jobs > 2);
    let tools = Tools { manner, kernel: &kernel, brings_more, verbose: None };
    let mut graph = Graph::default();
    graph.add(sources, steps("q"), 0);
    graph.add(sources, steps("a"), 0);
    let queue = Queue::new(graph, jobs, &Watch::start(true)).unwrap();
    let mut reports = Vec::new();
    queue.run(&tools, |workers| {
        // As a device that comes later wants them.
        queue.add(sources, steps("p"));
        queue.add(sources, steps("s"));
        loop {
            workers.help();
            let (taken, is_over) = queue.take();
            reports.extend(taken);
            if is_over {
                return;
            }
            queue.wait(None, None);
        }
    });
    (std::mem::take(&mut notes.lock().unwrap()), reports)
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
