//! How long what takes: for `--trace`.

use super::clock::Moment;
use crate::collect::Collect;
use crate::format::trace::{Phase, PhaseKind};

/// The bytes of a phase in a message.
const PHASE: usize = 17;

/// Times phases of one worker's work, in microseconds since a common beginning.
pub struct Watch {
    began: Moment,
    /// Whether anybody wants to know: where a system call is slow, so is the clock.
    runs: bool,
    /// The worker's number, from 1 on.
    worker: usize,
    phases: Vec<Phase>,
}

impl Watch {
    /// A watch that begins now, for worker 1; unless it `runs`, it is always the beginning.
    pub fn start(runs: bool) -> Self {
        Self { began: Moment::now(), runs, worker: 1, phases: Vec::new() }
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

    /// Appends the phases since the last call to `message`: a byte and two numbers each.
    pub fn put(&mut self, message: &mut Vec<u8>) {
        for phase in self.take() {
            message.push(phase.kind as u8);
            message.extend_from_slice(&phase.begin.to_le_bytes());
            message.extend_from_slice(&phase.end.to_le_bytes());
        }
    }

    /// Undoes [`Watch::put`] for what `worker` has sent.
    pub fn phases(message: &[u8], worker: usize) -> Vec<Phase> {
        let phase = |bytes: &[u8]| {
            let (kind, times) = bytes.split_first()?;
            let kind = *PhaseKind::ALL.get(usize::from(*kind))?;
            let begin = u64::from_le_bytes(*times.first_chunk()?);
            let end = u64::from_le_bytes(*times.last_chunk()?);
            Some(Phase { kind, worker, begin, end })
        };
        message.chunks_exact(PHASE).filter_map(phase).vec()
    }
}
