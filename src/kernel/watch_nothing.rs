//! What stands in the place of watch.rs where `--trace` is left out of the binary: it
//! knows when it began, and times no phases.

use super::clock::Moment;
use crate::format::trace::{Phase, PhaseKind};

/// Knows when it began.
pub struct Watch(Moment);

impl Watch {
    /// A watch that begins now.
    pub fn start(_: bool) -> Self {
        Self(Moment::now())
    }

    /// The same beginning.
    pub fn of_worker(&self, _: usize) -> Self {
        Self(self.0)
    }

    /// Always the beginning.
    pub fn now(&self) -> u64 {
        0
    }

    /// How long it was started ago, in microseconds.
    pub fn elapsed(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Does `work`.
    pub fn time<T>(&mut self, _: PhaseKind, work: impl FnOnce() -> T) -> T {
        work()
    }

    /// None.
    pub fn take(&mut self) -> Vec<Phase> {
        Vec::new()
    }

    /// Appends nothing.
    pub fn put(&mut self, _: &mut Vec<u8>) {}

    /// None.
    pub fn phases(_: &[u8], _: usize) -> Vec<Phase> {
        Vec::new()
    }
}
