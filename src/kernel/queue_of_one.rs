//! What stands in the place of queue.rs where more than one worker is left out of the
//! binary: whoever drives the plan does its steps, one after another, in its order.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Kernel;
use super::execute::{Done, Manner, perform};
pub use super::execute::{Outcome, Report};
use super::watch::Watch;
use crate::output::{Log, print};
use crate::plan::Step;
use crate::plan::graph::Graph;
use crate::resolve::Sources;

/// As many as there are.
pub const MOST_JOBS: usize = 1;

/// A plan.
pub struct Queue {
    graph: RefCell<Graph>,
    reports: Cell<Vec<Report>>,
}

/// What steps are done with.
pub struct Tools<'a> {
    /// How they are done.
    pub manner: Manner,
    /// The kernel.
    pub kernel: &'a (dyn Kernel + Sync),
    /// Of no interest here.
    pub brings_more: bool,
    /// Where each step is told before it is done, if somebody wants to know.
    pub verbose: Option<&'a Log>,
}

/// The only worker.
pub struct Workers<'a> {
    queue: &'a Queue,
    tools: &'a Tools<'a>,
}

impl Queue {
    /// The plan `graph`.
    pub fn new(graph: Graph, _: usize, _: &Watch) -> io::Result<Self> {
        Ok(Self { graph: RefCell::new(graph), reports: Cell::default() })
    }

    /// One.
    pub fn jobs(&self) -> usize {
        1
    }

    /// Adds the steps of a goal.
    pub fn add(&self, sources: Sources<'_>, steps: Vec<Step>) {
        self.graph.borrow_mut().add(sources, steps, 0);
    }

    /// What was done since the last call, and whether that was all there is to do for now.
    pub fn take(&self) -> (Vec<Report>, bool) {
        (self.reports.take(), self.graph.borrow().is_over())
    }

    /// Whether the worker has nothing to do: it has not, as soon as somebody asks.
    pub fn has_idle(&self) -> bool {
        true
    }

    /// Waits until there is something to read from `other`, or so long; whether there is.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, longest: Option<Duration>) -> bool {
        // Rounded up: it is not to end before there is anything to see.
        let longest = longest.unwrap_or_default().as_millis().saturating_add(1);
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        match other {
            Some(other) => poll(&mut [PollFd::new(other, PollFlags::POLLIN)], timeout) != Ok(0),
            None => poll(&mut [], timeout) != Ok(0),
        }
    }

    /// Looks at the plan.
    pub fn look<T>(&self, look: impl FnOnce(&Graph) -> T) -> T {
        look(&self.graph.borrow())
    }

    /// Calls `drive`, which has the steps done by [`Workers::help`].
    pub fn run<T>(&self, tools: &Tools<'_>, drive: impl FnOnce(&Workers<'_>) -> T) -> T {
        drive(&Workers { queue: self, tools })
    }

    /// Does the next step, if there is one that can be begun.
    fn step(&self, tools: &Tools<'_>) -> Option<()> {
        let mut graph = self.graph.borrow_mut();
        let number = graph.next(false)?;
        let step = graph.nodes().get(number)?.step.clone();
        graph.begin(number);
        drop(graph);
        if let Some(log) = tools.verbose {
            // A full standard output does not stop a load.
            let _ = print(log, &step.told());
        }
        let mut watch = Watch::start(false);
        let result = match perform(tools.kernel, tools.manner, &step, None, &mut watch) {
            Ok(Done::Inserted(_, route)) => Ok(Some(route)),
            Ok(_) => Ok(None),
            Err(failed) => Err(failed),
        };
        self.graph.borrow_mut().finish(number, result.is_ok(), 0);
        let outcome = Outcome { result, worker: 1, ready: 0, phases: Vec::new() };
        let mut reports = self.reports.take();
        reports.push(Report { number, step, outcome });
        self.reports.set(reports);
        Some(())
    }
}

impl Workers<'_> {
    /// Does what can be done.
    pub fn help(&self) {
        while self.queue.step(self.tools).is_some() {}
    }
}
