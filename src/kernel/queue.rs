//! A plan and those who work at it: what can be begun is given to workers, each a process
//! of its own, and what comes of it is taken from them.
//!
//! ```text
//! graph ──begin──▶ workers ──wait──▶ reports ──take──▶ whoever drives it
//! ```
//!
//! A worker that has nothing to insert reads ahead for a step whose time has not come. One
//! that is longer at a step than [`PATIENCE`] makes room for another: most drivers that
//! take long wait for a device, and some for ever.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Kernel;
use super::clock::Moment;
use super::execute::{
    CommandFailure, Done, Failed, Manner, Reason, outcome, perform, script, shown,
};
pub use super::execute::{Outcome, Report};
use super::load::{Failure, Route};
use super::watch::Watch;
use super::worker::{Answer, Task, Work, Worker};
use crate::entry::process;
use crate::format::compression::Kind;
use crate::format::trace::Phase;
use crate::large::Large;
use crate::output::{Log, print};
use crate::plan::graph::Graph;
use crate::plan::{Action, Step};
use crate::resolve::Sources;
use nix::errno::Errno;

/// More workers than this have never been of use to anyone.
pub const MOST_JOBS: usize = 16;

/// After how long a worker no longer counts.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// So many workers there are at most, with those that don't count.
const MOST_WORKERS: usize = 4 * MOST_JOBS;

/// How much of the memory decompressed modules may take that can't be inserted yet.
const AHEAD: usize = 8 << 20;

/// A plan, and who works at it.
pub struct Queue<'a> {
    graph: Graph,
    tools: Tools<'a>,
    jobs: usize,
    watch: Watch,
    workers: Vec<Worker>,
    reports: Vec<Report>,
    /// No worker could be started: all is done here.
    is_alone: bool,
    /// The kernel takes the files as they are.
    is_useless_ahead: bool,
}

/// What steps are done with.
pub struct Tools<'a> {
    /// How steps are done.
    pub manner: Manner<'a>,
    /// The kernel.
    pub kernel: &'a dyn Kernel,
    /// Where each step is told before it is done, if somebody wants to know.
    pub verbose: Option<&'a Log>,
}

impl<'a> Queue<'a> {
    /// The plan `graph` for `jobs` workers, whose times are those of `watch`.
    pub fn new(graph: Graph, jobs: usize, tools: Tools<'a>, watch: &Watch) -> Self {
        process::ignore_signals();
        Self {
            graph,
            tools,
            jobs: jobs.clamp(1, MOST_JOBS),
            watch: watch.of_worker(1),
            workers: Vec::new(),
            reports: Vec::new(),
            is_alone: false,
            is_useless_ahead: false,
        }
    }

    /// How many workers it is for.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// The plan.
    pub fn plan(&self) -> &Graph {
        &self.graph
    }

    /// Adds the steps of a goal. `again`: what failed of them is tried once more.
    pub fn add(&mut self, sources: Sources<'_>, steps: Vec<Step>, again: bool) {
        let now = self.watch.now();
        self.graph.add(sources, steps, now, again);
    }

    /// Tries step `number` once more, and what depends on it.
    pub fn retry(&mut self, number: usize) {
        let now = self.watch.now();
        self.graph.retry(number, now);
    }

    /// What was done since the last call.
    pub fn take(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// The steps that are being done, and since when.
    pub fn running(&self) -> impl Iterator<Item = (usize, Moment)> {
        self.workers.iter().filter_map(|worker| match worker.work {
            Work::Step(number, since) => Some((number, since)),
            _ => None,
        })
    }

    /// Whether nothing goes on but steps that take longer than [`PATIENCE`], and nothing can
    /// be begun.
    pub fn is_held_up(&self) -> bool {
        self.graph.ready() == 0 && self.running().all(|(_, since)| since.elapsed() > PATIENCE)
    }

    /// How many workers count.
    fn busy(&self) -> usize {
        let counts = |worker: &&Worker| match worker.work {
            Work::Nothing => false,
            Work::Step(_, since) => since.elapsed() <= PATIENCE,
            Work::Ahead(_) => true,
        };
        self.workers.iter().filter(counts).count()
    }

    /// Whether something more could be begun at once.
    pub fn has_room(&self) -> bool {
        self.busy() < self.jobs && self.workers.len() < MOST_WORKERS
    }

    /// Begins what can be begun.
    pub fn begin(&mut self) {
        while let Some(number) = self.graph.next(self.jobs > 1) {
            let Some(step) = self.graph.nodes().get(number).map(|node| node.step.clone()) else {
                return;
            };
            let is_nothing = matches!(step.action, Action::Builtin | Action::Missing);
            if !is_nothing && !self.has_room() {
                return;
            }
            self.graph.begin(number);
            if let Some(log) = self.tools.verbose {
                // A full standard output does not stop a load.
                let _ = print(log, &step.told());
            }
            self.tools.kernel.mark_log();
            let given = match &step.action {
                Action::Insert { path, options } => {
                    let of_it = |worker: &Worker| {
                        worker.ahead.as_ref().is_some_and(|(owner, ..)| *owner == number)
                    };
                    self.give(Work::Step(number, Moment::now()), of_it, |worker| {
                        let (path, params) = (path.as_path(), options.as_slice());
                        worker.give(&Task::Insert { path, params, is_ready: of_it(worker) })
                    })
                }
                Action::InstallCommand { command, options } => {
                    self.command(number, &step, &script(command, options))
                }
                _ => false,
            };
            if !given {
                self.perform(number, step);
            }
        }
        while self.read_ahead().is_some() {}
    }

    /// Has a worker that has nothing to do, best one that `suits`, do `work`; false where
    /// there is none, and none can be started.
    fn give(
        &mut self,
        work: Work,
        suits: impl Fn(&Worker) -> bool,
        task: impl FnOnce(&Worker) -> bool,
    ) -> bool {
        let idle = |worker: &Worker| worker.work == Work::Nothing;
        let mut found = self.workers.iter().position(|worker| idle(worker) && suits(worker));
        // One that has read ahead is kept for that.
        found = found.or_else(|| {
            self.workers.iter().position(|worker| idle(worker) && worker.ahead.is_none())
        });
        let full = self.workers.len() >= self.jobs;
        found = found.or_else(|| self.workers.iter().position(|worker| full && idle(worker)));
        let at = match found {
            Some(at) => at,
            None if self.is_alone => return false,
            None => {
                let number = self.free_number();
                let (kernel, how) = (self.tools.kernel, self.tools.manner.insert);
                match Worker::start(number, &mut self.workers, kernel, how, &self.watch) {
                    Ok(worker) => self.workers.push(worker),
                    Err(_) => {
                        self.is_alone = true;
                        return false;
                    }
                }
                self.workers.len() - 1
            }
        };
        let Some(worker) = self.workers.get_mut(at) else { return false };
        worker.work = work;
        let is_given = task(worker);
        if !is_given {
            drop(self.workers.swap_remove(at));
        }
        is_given
    }

    /// Starts a worker for a command.
    fn command(&mut self, number: usize, step: &Step, command: &[u8]) -> bool {
        if self.is_alone {
            return false;
        }
        let (free, kernel) = (self.free_number(), self.tools.kernel);
        let (others, watch) = (&mut self.workers, &self.watch);
        match Worker::command(free, others, kernel, command, &step.module, watch) {
            Ok(mut worker) => {
                worker.work = Work::Step(number, Moment::now());
                self.workers.push(worker);
                true
            }
            Err(_) => false,
        }
    }

    /// The least number that no worker has.
    fn free_number(&self) -> usize {
        let is_free = |number: &usize| self.workers.iter().all(|other| other.number != *number);
        (1..=MOST_WORKERS).find(is_free).unwrap_or(MOST_WORKERS)
    }

    /// Does a step here.
    fn perform(&mut self, number: usize, step: Rc<Step>) {
        let mut watch = self.watch.of_worker(1);
        let Tools { kernel, manner, .. } = self.tools;
        let result = match perform(kernel, manner, &step, None, &mut watch) {
            Ok(Done::Inserted(_, route)) => Ok(Some(route)),
            Ok(_) => Ok(None),
            Err(failed) => Err(failed),
        };
        self.over(number, step, result, 1, watch.take());
    }

    /// Has a worker read ahead, if there is one, and something to read, and room for it.
    fn read_ahead(&mut self) -> Option<()> {
        if !Kind::ANY_IS_KNOWN {
            return None;
        }
        let size = |worker: &Worker| worker.ahead.as_ref().map_or(0, |(_, bytes, _)| *bytes);
        let held: usize = self.workers.iter().map(size).sum();
        if self.is_useless_ahead || self.is_alone || held >= AHEAD || !self.has_room() {
            return None;
        }
        let has_ahead = self.workers.iter().filter(|worker| worker.ahead.is_some()).count();
        if has_ahead + self.busy() >= self.jobs {
            return None;
        }
        let number = self.graph.next_ahead()?;
        let step = self.graph.nodes().get(number)?.step.clone();
        let Action::Insert { path, .. } = &step.action else { return Some(()) };
        if path.as_os_str().as_bytes().ends_with(b".ko") {
            // It will be as for this one.
            self.is_useless_ahead = true;
            return None;
        }
        self.graph.hold(number, true);
        let given =
            self.give(Work::Ahead(number), |_| false, |worker| worker.give(&Task::ReadAhead(path)));
        if !given {
            self.graph.hold(number, false);
        }
        given.then_some(())
    }

    /// Waits until a worker has answered, or there is something to read from `other`, or so
    /// long; whether there is something in `other`.
    pub fn wait(&mut self, other: Option<BorrowedFd<'_>>, longest: Duration) -> bool {
        let mut polled = Large(Vec::new());
        let mut add = |source| polled.0.push(PollFd::new(source, PollFlags::POLLIN));
        self.workers.iter().for_each(|worker| add(worker.answers.as_fd()));
        if let Some(other) = other {
            add(other);
        }
        // A worker may be about to make room.
        let left = self.running().map(|(_, since)| PATIENCE.saturating_sub(since.elapsed()));
        let longest = left.filter(|left| !left.is_zero()).fold(longest, Duration::min);
        // Rounded up: it is not to end before there is anything to see.
        let timeout = PollTimeout::try_from(longest.as_millis().saturating_add(1));
        let result = poll(&mut polled.0, timeout.unwrap_or(PollTimeout::MAX));
        // Where there is no telling, all that are at work are listened to.
        let is_deaf = result.is_err_and(|errno| errno != Errno::EINTR);
        let has_come = |at: usize| {
            let is_at_work = self.workers.get(at).is_some_and(|one| one.work != Work::Nothing);
            match is_deaf {
                true => is_at_work,
                false => polled.get(at).and_then(PollFd::any).unwrap_or(false),
            }
        };
        let count = self.workers.len();
        let other_has = other.is_some() && has_come(count);
        // A bit for each: there are not more than 64.
        let come =
            (0..count).filter(|&at| has_come(at)).fold(0_u64, |come, at| come | 1 << (at % 64));
        drop(polled);
        // From the last on, as those that are dead are taken out.
        for at in (0..count).rev() {
            if come & 1 << (at % 64) != 0 {
                self.hear(at);
            }
        }
        other_has
    }

    /// Takes the answer of a worker.
    fn hear(&mut self, at: usize) {
        let Some(worker) = self.workers.get_mut(at) else { return };
        let work = std::mem::replace(&mut worker.work, Work::Nothing);
        let answer = worker.answer();
        let is_over = matches!(answer, None | Some((Answer::Command(_), _)));
        let (by, pid) = (worker.number, worker.pid);
        // Of one that says nothing more, only its end can tell.
        let ended = if is_over { process::reap(pid) } else { None };
        match (work, answer) {
            (Work::Step(number, _), answer) => {
                let ahead = worker.ahead.take_if(|(owner, ..)| *owner == number);
                let before = ahead.map(|(.., phases)| phases);
                let (answer, phases) = answer.unzip();
                let phases = [before.unwrap_or_default(), phases.unwrap_or_default()].concat();
                match answer {
                    Some(answer) => self.conclude(number, answer, by, phases),
                    None => self.killed(number, pid, ended, by, phases),
                }
            }
            (Work::Ahead(number), Some((Answer::Ahead(bytes), phases))) => {
                match bytes {
                    0 => self.is_useless_ahead = true,
                    _ => worker.ahead = Some((number, bytes, phases)),
                }
                self.graph.hold(number, false);
            }
            // What failed is tried, and told of, when its turn comes.
            (Work::Ahead(number), _) => self.graph.hold(number, false),
            (Work::Nothing, _) => {}
        }
        if is_over {
            drop(self.workers.swap_remove(at));
        }
    }

    /// Draws from the answer of worker `by` what came of a step.
    fn conclude(&mut self, number: usize, answer: Answer, by: usize, phases: Vec<Phase>) {
        let Some(step) = self.graph.nodes().get(number).map(|node| node.step.clone()) else {
            return;
        };
        let cause = match (answer, &step.action) {
            (Answer::Inserted(route), _) => Ok(Some(route)),
            // Somebody else was faster, which is as good.
            (Answer::Failed(Failure::Kernel(Errno::EEXIST)), _)
                if !self.tools.manner.is_first_time(&step) =>
            {
                Ok(None)
            }
            (Answer::Failed(failure), Action::Insert { path, .. }) => {
                Err(Reason::Insert(path.clone(), failure))
            }
            (Answer::Command(Some(outcome)), action) => Err(command_failed(action, outcome)),
            _ => Ok(None),
        };
        let result = cause.map_err(|cause| Failed {
            module: step.module.clone(),
            cause,
            kernel: self.tools.kernel.log_since_mark(step.module.as_bytes(), None),
        });
        self.over(number, step, result, by, phases);
    }

    /// Draws from the end of worker `by`, which was process `pid`, what came of a step.
    fn killed(
        &mut self,
        number: usize,
        pid: i32,
        ended: Option<i32>,
        by: usize,
        phases: Vec<Phase>,
    ) {
        let Some(step) = self.graph.nodes().get(number).map(|node| node.step.clone()) else {
            return;
        };
        let how = ended.and_then(|status| outcome(Ok(ExitStatus::from_raw(status))));
        let kernel = self.tools.kernel.log_since_mark(step.module.as_bytes(), Some(pid));
        let cause = match &step.action {
            Action::Insert { path, .. } => {
                Reason::Insert(path.clone(), Failure::Killed { by_kernel: !kernel.is_empty(), how })
            }
            action => {
                let how = how.as_deref().unwrap_or("no more");
                command_failed(action, format!("its worker was {how}"))
            }
        };
        let failed = Failed { module: step.module.clone(), cause, kernel };
        self.over(number, step, Err(failed), by, phases);
    }

    /// Keeps what came of a step.
    fn over(
        &mut self,
        number: usize,
        step: Rc<Step>,
        result: Result<Option<Route>, Failed>,
        worker: usize,
        phases: Vec<Phase>,
    ) {
        let ready = self.graph.nodes().get(number).and_then(|node| node.ready).unwrap_or(0);
        self.graph.finish(number, result.is_ok(), self.watch.now());
        let nodes = self.graph.nodes();
        // What was read ahead for steps that can't be done any more makes room.
        for worker in &mut self.workers {
            worker.ahead.take_if(|(owner, ..)| {
                nodes.get(*owner).is_none_or(|node| node.progress.is_over())
            });
        }
        self.reports.push(Report {
            number,
            step,
            outcome: Outcome { result, worker, ready, phases },
        });
    }
}

/// That the command of `action` failed, and how it ended.
fn command_failed(action: &Action, outcome: String) -> Reason {
    let command = match action {
        Action::InstallCommand { command, options } => shown(command, options),
        _ => Vec::new(),
    };
    Reason::Command(CommandFailure { install: true, command, outcome })
}

#[cfg(test)]
mod tests;
