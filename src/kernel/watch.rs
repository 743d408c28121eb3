//! How long what takes: for `--trace`.

use std::time::Instant;

use crate::format::trace::{Phase, PhaseKind};

/// Times phases of one worker's work, in microseconds since a common beginning.
pub struct Watch {
    began: Instant,
    /// Whether anybody wants to know: where a system call is slow, so is the clock.
    runs: bool,
    /// The worker's number, from 1 on.
    worker: usize,
    phases: Vec<Phase>,
}

impl Watch {
    /// A watch that begins now, for worker 1; unless it `runs`, it is always the beginning.
    pub fn start(runs: bool) -> Self {
        Self { began: Instant::now(), runs, worker: 1, phases: Vec::new() }
    }

    /// The same beginning, for another worker.
    pub fn of_worker(&self, worker: usize) -> Self {
        Self { worker, phases: Vec::new(), ..*self }
    }

    /// How late it is, in microseconds.
    pub fn now(&self) -> u64 {
        if self.runs { self.elapsed() } else { 0 }
    }

    /// How long it was started ago, in microseconds, even if it does not run.
    pub fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Does `work`, a phase of `kind`.
    pub fn time<T>(&mut self, kind: PhaseKind, work: impl FnOnce() -> T) -> T {
        if !self.runs {
            return work();
        }
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
