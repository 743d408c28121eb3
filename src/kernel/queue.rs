//! A plan done by several workers: each step begins when what stands before it is over.
//!
//! ```text
//! add ──▶ Graph ──▶ worker: perform ──▶ reports ──▶ take
//!   ▲                  └─ nothing is ready: decompress what comes next
//!   └──────────────── whoever drives it, at any time
//! ```
//!
//! With one worker the order is that of the plan. With more, the step comes first on
//! which the longest chain stands: what is long has to begin early.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::execute::{Done, Manner, perform};
pub use super::execute::{Outcome, Report};
use super::load::Prepared;
use super::watch::Watch;
use super::{Kernel, with_threads};
use crate::collect::Collect;
use crate::files;
use crate::format::trace::Phase;
use crate::output::{Log, print};
use crate::plan::graph::{Graph, Progress};
use crate::plan::{Action, Step};
use crate::resolve::Sources;

/// More workers than this have never been of use to anyone.
pub const MOST_JOBS: usize = 16;

/// How much of the memory decompressed modules may take that can't be inserted yet.
const AHEAD: usize = 8 << 20;

/// Enough for every decompressor: they keep their tables on the heap.
const STACK: usize = 512 << 10;

/// A plan, and who works at it.
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    jobs: usize,
    watch: Watch,
    /// Workers write where whoever drives it listens.
    bell: UnixStream,
    ear: UnixStream,
}

#[derive(Default)]
struct Inner {
    graph: Graph,
    reports: Vec<Report>,
    ahead: Ahead,
    rung: bool,
    closed: bool,
    /// How many workers have nothing to do.
    idle: usize,
}

/// Modules that are decompressed already, and who they are.
#[derive(Default)]
struct Ahead {
    ready: Vec<(usize, Prepared, Vec<Phase>)>,
    /// Which were tried: none is twice.
    tried: Vec<usize>,
    /// The kernel takes these files as they are.
    useless: bool,
}

/// What workers work with.
pub struct Tools<'a> {
    /// How steps are done.
    pub manner: Manner,
    /// The kernel.
    pub kernel: &'a (dyn Kernel + Sync),
    /// Whether who drives it may have more to do for a worker that has nothing.
    pub brings_more: bool,
    /// Where each step is told before it is done, if somebody wants to know.
    pub verbose: Option<&'a Log>,
}

/// Those who work at a queue.
pub struct Workers<'a> {
    queue: &'a Queue,
    tools: &'a Tools<'a>,
    /// Whether any could be started.
    are_there: bool,
}

impl Queue {
    /// The plan `graph` for `jobs` workers, whose times are those of `watch`.
    pub fn new(graph: Graph, jobs: usize, watch: &Watch) -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let jobs = jobs.clamp(1, MOST_JOBS);
        let inner = Mutex::new(Inner { graph, ..Inner::default() });
        Ok(Self { inner, changed: Condvar::new(), jobs, watch: watch.of_worker(1), bell, ear })
    }

    /// How many workers it is for.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// Adds the steps of a goal.
    pub fn add(&self, sources: Sources<'_>, steps: Vec<Step>) {
        let mut inner = self.lock();
        inner.graph.add(sources, steps, self.watch.now());
        self.wake(&inner, inner.graph.ready());
    }

    /// What was done since the last call, and whether that was all there is to do for now.
    pub fn take(&self) -> (Vec<Report>, bool) {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.rung) {
            let _ = (&self.ear).read(&mut [0; 8]);
        }
        // Both at once: who waits for what was taken already waits forever.
        (std::mem::take(&mut inner.reports), inner.graph.is_over())
    }

    /// Whether a worker has nothing to do.
    pub fn has_idle(&self) -> bool {
        self.lock().idle > 0
    }

    /// Waits until there is something to take, or to read from `other`, or so long; whether
    /// there is.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, longest: Option<Duration>) -> bool {
        let timeout = match longest {
            // Rounded up: it is not to end before there is anything to see.
            Some(longest) => PollTimeout::try_from(longest.as_millis().saturating_add(1)),
            None => Ok(PollTimeout::NONE),
        };
        let sources = [Some(self.ear.as_fd()), other].into_iter().flatten();
        let mut polled: Vec<PollFd<'_>> =
            sources.map(|source| PollFd::new(source, PollFlags::POLLIN)).vec();
        poll(&mut polled, timeout.unwrap_or(PollTimeout::MAX)) != Ok(0)
    }

    /// Looks at the plan.
    pub fn look<T>(&self, look: impl FnOnce(&Graph) -> T) -> T {
        look(&self.lock().graph)
    }

    /// Starts the workers and calls `drive`. Ends when that has and everything is done.
    pub fn run<T>(&self, tools: &Tools<'_>, drive: impl FnOnce(&Workers<'_>) -> T) -> T {
        // Read before there are threads that set variables.
        files::module_limit();
        with_threads(self.jobs, STACK, &|worker| self.work(worker, tools, false), |started| {
            let result = drive(&Workers { queue: self, tools, are_there: started > 0 });
            self.lock().closed = true;
            self.changed.notify_all();
            result
        })
    }

    /// Works until it is closed, or, `once`, until there is nothing to begin.
    fn work(&self, worker: usize, tools: &Tools<'_>, once: bool) {
        let mut watch = self.watch.of_worker(worker);
        let mut inner = self.lock();
        loop {
            if let Some(task) = inner.next(self.jobs > 1) {
                drop(inner);
                if let Some(log) = tools.verbose {
                    // A full standard output does not stop a load.
                    let _ = print(log, &task.step.told());
                }
                inner = self.perform(task, worker, tools, &mut watch);
            } else if once || inner.closed {
                return;
            } else if let Some((number, path)) = inner.next_ahead() {
                drop(inner);
                let prepared = Prepared::new(tools.kernel, &path, &mut watch);
                inner = self.lock();
                inner.keep(number, prepared.ok(), watch.take());
            } else {
                inner.idle += 1;
                if tools.brings_more {
                    self.ring(&mut inner);
                }
                inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
                inner.idle -= 1;
            }
        }
    }

    fn perform(
        &self,
        task: Task,
        worker: usize,
        tools: &Tools<'_>,
        watch: &mut Watch,
    ) -> MutexGuard<'_, Inner> {
        let Task { number, step, ready, prepared, mut phases } = task;
        let result = match perform(tools.kernel, tools.manner, &step, prepared, watch) {
            Ok(Done::Inserted(_, route)) => Ok(Some(route)),
            Ok(_) => Ok(None),
            Err(failed) => Err(failed),
        };
        phases.extend(watch.take());
        let mut inner = self.lock();
        inner.graph.finish(number, result.is_ok(), self.watch.now());
        inner.forget_lost();
        let is_news = result.is_err() || inner.graph.is_over();
        let outcome = Outcome { result, worker, ready, phases };
        inner.reports.push(Report { number, step, outcome });
        if is_news {
            self.ring(&mut inner);
        }
        // One of them is this worker's own.
        self.wake(&inner, inner.graph.ready().saturating_sub(1));
        inner
    }

    /// Wakes as many workers as have something to do: each costs a few system calls.
    fn wake(&self, inner: &Inner, count: usize) {
        for _ in 0..count.min(inner.idle) {
            self.changed.notify_one();
        }
    }

    /// Tells whoever drives it that there is something to see to.
    fn ring(&self, inner: &mut Inner) {
        if !std::mem::replace(&mut inner.rung, true) {
            let _ = (&self.bell).write(&[0]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers<'_> {
    /// Does what the workers would have done, where none could be started.
    pub fn help(&self) {
        if !self.are_there {
            self.queue.work(1, self.tools, true);
        }
    }
}

/// A step that somebody has begun.
struct Task {
    number: usize,
    step: Arc<Step>,
    ready: u64,
    prepared: Option<Prepared>,
    phases: Vec<Phase>,
}

impl Inner {
    /// Begins a step, if any can be.
    fn next(&mut self, highest: bool) -> Option<Task> {
        let number = self.graph.next(highest)?;
        let node = self.graph.nodes().get(number)?;
        let (step, ready) = (node.step.clone(), node.ready?);
        self.graph.begin(number);
        let (prepared, phases) = self.ahead.take(number).unzip();
        let phases = phases.unwrap_or_default();
        Some(Task { number, step, ready, prepared, phases })
    }

    /// The module to decompress before it can be inserted, if there is room.
    fn next_ahead(&mut self) -> Option<(usize, PathBuf)> {
        if self.ahead.useless || self.ahead.size() >= AHEAD {
            return None;
        }
        let (number, path) = self.graph.waiting().into_iter().find_map(|number| {
            let node = self.graph.nodes().get(number)?;
            match &node.step.action {
                Action::Insert { path, .. } if !self.ahead.tried.contains(&number) => {
                    Some((number, path.clone()))
                }
                _ => None,
            }
        })?;
        self.ahead.tried.push(number);
        self.graph.hold(number, true);
        Some((number, path))
    }

    /// Drops what was prepared for steps that can't be done any more.
    fn forget_lost(&mut self) {
        let nodes = self.graph.nodes();
        self.ahead.ready.retain(|(number, ..)| {
            nodes.get(*number).is_some_and(|node| node.progress == Progress::Waiting)
        });
    }

    /// Keeps what was prepared for step `number`. What failed is tried, and told of,
    /// when its turn comes.
    fn keep(&mut self, number: usize, prepared: Option<Prepared>, phases: Vec<Phase>) {
        self.graph.hold(number, false);
        match prepared {
            Some(prepared) if prepared.size() > 0 => {
                self.ahead.ready.push((number, prepared, phases));
            }
            Some(_) => self.ahead.useless = true,
            None => {}
        }
    }
}

impl Ahead {
    fn size(&self) -> usize {
        self.ready.iter().map(|(_, prepared, _)| prepared.size()).sum()
    }

    fn take(&mut self, number: usize) -> Option<(Prepared, Vec<Phase>)> {
        let at = self.ready.iter().position(|(owner, ..)| *owner == number)?;
        let (_, prepared, phases) = self.ready.swap_remove(at);
        Some((prepared, phases))
    }
}

#[cfg(test)]
mod tests;
