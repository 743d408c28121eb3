//! Where the time of a run went: what `--trace` writes, and what is made of it.
//!
//! The file is a Chrome trace, "JSON Object Format", which Perfetto and
//! `chrome://tracing` open, too. Besides their events it has nothing that they do
//! not know: what belongs to a module is in the `args` of its last phase.
//!
//! ```text
//! {"traceEvents": [
//!  {"ph": "M", …}                 names of the program and of its workers
//!  {"ph": "X", "name": MODULE, "cat": PHASE, "tid": WORKER, "ts": µs, "dur": µs, "args": …}
//!  {"ph": "i", "name": MODULE, "args": …}             a module without any phase
//!  {"ph": "s", "cat": "needs", "id": N, …}            an arrow from what is needed
//!  {"ph": "f", "cat": "needs", "id": N, …}            to what needs it
//! ], "displayTimeUnit": "ms", "otherData": {"program": "nanomod VERSION", …}}
//! ```

#[cfg(any(test, feature = "timeline", feature = "cost"))]
pub mod figures;
#[cfg(any(test, feature = "timeline", feature = "cost"))]
pub mod path;
#[cfg(any(test, feature = "timeline", feature = "cost"))]
mod read;
#[cfg(any(test, feature = "trace"))]
mod write;

use crate::name::ModuleName;

/// The result of a module that is in the kernel now, and of a command that succeeded.
pub const INSERTED: &str = "inserted";
/// The result of a module that was in the kernel before.
pub const THERE: &str = "already there";

/// Where the time of a run went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Whose run it was: `coldplug` or `modprobe`.
    pub command: String,
    /// The kernel's release.
    pub release: Vec<u8>,
    /// How many workers there were.
    pub jobs: usize,
    /// Microseconds of the whole run.
    pub total: u64,
    /// In the order in which they came to an end.
    pub modules: Vec<Module>,
}

/// One module's way into the kernel. Times are microseconds since the program began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// What it waited for: hard dependencies and softdeps.
    pub needs: Vec<ModuleName>,
    /// Its file; empty for install commands.
    pub path: Vec<u8>,
    /// Which worker inserted it, from 1.
    pub worker: usize,
    /// When everything it needs was there.
    pub ready: u64,
    /// In order of time.
    pub phases: Vec<Phase>,
    /// [`INSERTED`], [`THERE`], or the failure's text.
    pub result: String,
    /// By which ways it went, as `xz, memfd, finit_module`; may be empty.
    pub how: String,
    /// Bytes on disk.
    pub file: u64,
    /// Bytes of the ELF image; 0 if unknown.
    pub image: u64,
    /// Bytes that it keeps in the kernel; 0 if unknown.
    pub core: u64,
    /// Bytes that its init took in the kernel; 0 if unknown.
    pub init: u64,
    /// How many of `core` are lost to page rounding.
    pub wasted: u64,
}

/// A stretch of work for a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What is done.
    pub kind: PhaseKind,
    /// By which worker, from 1.
    pub worker: usize,
    /// From when.
    pub begin: u64,
    /// Until when.
    pub end: u64,
}

/// What is done in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseKind {
    /// The file is read.
    Read = 0,
    /// It is decompressed.
    Decompress = 1,
    /// The kernel has it.
    Kernel = 2,
    /// An install command runs.
    Command = 3,
}

impl PhaseKind {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Read, Self::Decompress, Self::Kernel, Self::Command];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decompress => "decompress",
            Self::Kernel => "kernel",
            Self::Command => "command",
        }
    }
}

impl Phase {
    /// How long it took.
    pub fn length(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

impl Module {
    /// When it was first worked on.
    pub fn begin(&self) -> u64 {
        self.phases.first().map_or(self.ready, |phase| phase.begin)
    }

    /// When it was done with.
    pub fn end(&self) -> u64 {
        self.phases.last().map_or(self.ready, |phase| phase.end)
    }

    /// The phase with which work began, or went on, as everything that it needs was
    /// there. What was read ahead by then is behind it; where that took longer than
    /// what it needs, it is what counts.
    pub fn start(&self) -> Option<&Phase> {
        self.start_of(&self.phases)
    }

    /// The same with the first of its phases alone.
    fn start_of<'p>(&self, phases: &'p [Phase]) -> Option<&'p Phase> {
        let (mut start, before) = phases.split_last()?;
        for phase in before.iter().rev() {
            let ahead = phase.begin < self.ready && phase.end <= self.ready;
            if ahead && start.begin >= self.ready {
                break;
            }
            start = phase;
        }
        Some(start)
    }

    /// How long it was worked on.
    pub fn work(&self) -> u64 {
        self.phases.iter().map(Phase::length).sum()
    }

    /// Whether it did not get into the kernel.
    pub fn failed(&self) -> bool {
        self.result != INSERTED && self.result != THERE
    }
}

impl Trace {
    /// Where in `modules` the one called `name` is.
    pub fn find(&self, name: &ModuleName) -> Option<usize> {
        self.modules.iter().position(|module| module.name == *name)
    }
}

#[cfg(test)]
pub mod tests;
