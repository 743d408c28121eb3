//! How long what takes: for `--trace`.

use std::time::Instant;

use crate::format::trace::{Phase, PhaseKind};

/// Times phases of one worker's work, in microseconds since a common beginning.
#[derive(Clone)]
pub struct Watch {
    began: Instant,
    /// The worker's number, from 1 on.
    worker: usize,
    phases: Vec<Phase>,
}

impl Watch {
    /// A watch that begins now, for worker 1.
    pub fn start() -> Self {
        Self { began: Instant::now(), worker: 1, phases: Vec::new() }
    }

    /// The same beginning, for another worker.
    pub fn of_worker(&self, worker: usize) -> Self {
        Self { began: self.began, worker, phases: Vec::new() }
    }

    /// How late it is, in microseconds.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Does `work`, a phase of `kind`.
    pub fn time<T>(&mut self, kind: PhaseKind, work: impl FnOnce() -> T) -> T {
        let begin = self.now();
        let result = work();
        self.phases.push(Phase { kind, worker: self.worker, begin, end: self.now() });
        result
    }

    /// The phases since the last call.
    pub fn take(&mut self) -> Vec<Phase> {
        std::mem::take(&mut self.phases)
    }
}
