//! What is to be loaded: who wants it, and the plan that all of it makes.

use crate::collect::Collect;
use crate::config::modules_load;
use crate::devices;
use crate::error::{Error, Status};
use crate::kernel::explain;
use crate::name::ModuleName;
use crate::output::{Level, Log};
use crate::plan::graph::Graph;
use crate::plan::{self, Policy, Step, Verdict};
use crate::resolve::{Sources, resolve};
use crate::root::Root;
use crate::state::State;

/// Who wants a module.
#[derive(Clone, PartialEq, Eq)]
pub enum Who {
    /// The command line.
    Caller,
    /// A list, and its line.
    List(String),
    /// A device.
    Device,
}

/// A module that somebody wants and that the plan has a step for.
pub struct Wish {
    /// The module.
    pub target: ModuleName,
    /// Who wants it.
    pub who: Who,
}

/// A goal of the plan: what it is for, and its steps.
pub type Goal = (Wish, Vec<Step>);

/// Collects goals, each modalias once.
pub struct Gathered<'a> {
    pub sources: Sources<'a>,
    state: &'a State,
    log: &'a Log,
    policy: Policy,
    /// Modaliases that were looked up, sorted.
    seen: Vec<Vec<u8>>,
    goals: Vec<Goal>,
    status: Status,
    /// Whether the devices were looked at.
    pub has_looked: bool,
}

impl<'a> Gathered<'a> {
    /// Nothing yet; names are looked up in `sources`, and what `state` has is there.
    pub fn new(sources: Sources<'a>, state: &'a State, log: &'a Log) -> Self {
        let policy = Policy { blacklist_names: true, ..Policy::default() };
        let (seen, goals) = (Vec::new(), Vec::new());
        let (status, has_looked) = (Status::Success, false);
        Self { sources, state, log, policy, seen, goals, status, has_looked }
    }

    /// Whether everything that was asked for is known.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Adds a name of the command line.
    pub fn named(&mut self, name: &[u8]) {
        if !self.wanted(name, b"", &Who::Caller) {
            self.status = self.log.error(explain::not_found(name, self.sources.modules));
        }
    }

    /// Adds what the lists name. A list may be for other kernels, too.
    pub fn listed(&mut self, system: &Root, initramfs: bool) {
        let mut errors = Vec::new();
        for line in modules_load::listed(system, initramfs, &mut errors) {
            let who = Who::List(line.place);
            if !self.wanted(&line.name, &line.options, &who) {
                let error = explain::not_found(&line.name, self.sources.modules);
                self.log.warning(from(error, &who));
            }
        }
        for error in errors {
            self.log.error(error);
        }
    }

    /// Adds what the devices want that are there.
    pub fn hardware(&mut self, system: &Root) {
        self.has_looked = true;
        devices::walk(system, &mut |device| self.device(device.modaliases));
    }

    /// Adds what a device wants.
    pub fn device(&mut self, modaliases: Vec<Vec<u8>>) {
        for modalias in modaliases {
            if let Err(place) = self.seen.binary_search(&modalias) {
                self.wanted(&modalias, b"", &Who::Device);
                self.seen.insert(place, modalias);
            }
        }
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> Vec<Goal> {
        std::mem::take(&mut self.goals)
    }

    /// All that was added, as a plan.
    pub fn plan(&mut self) -> (Graph, Vec<Wish>) {
        let (goals, mut graph) = (self.take(), Graph::default());
        let add = |(wish, steps)| {
            graph.add(self.sources, steps, 0);
            wish
        };
        let wishes = goals.into_iter().map(add).vec();
        (graph, wishes)
    }

    /// Adds all that `name` stands for; false where nobody knows it.
    fn wanted(&mut self, name: &[u8], options: &[u8], who: &Who) -> bool {
        let targets = resolve(self.sources, name);
        let is_known = !targets.is_empty();
        for target in targets {
            let goal = plan::insert(self.sources, self.state, target, options, &self.policy);
            let target = goal.target;
            match goal.verdict {
                Verdict::Steps(steps) => {
                    self.goals.push((Wish { target, who: who.clone() }, steps));
                }
                Verdict::Denied { module, place } => {
                    let error = explain::denied(&target, &module, &place);
                    self.refused(error, who);
                }
                Verdict::Blacklisted if *who != Who::Device => {
                    self.log.tell(Level::Notice, format_args!("'{target}' is blacklisted"));
                }
                _ => {}
            }
        }
        is_known
    }

    fn refused(&mut self, error: Error, who: &Who) {
        let level = match who {
            Who::Device => Level::Notice,
            _ => Level::Error,
        };
        self.log.tell(level, from(error, who));
        if level == Level::Error {
            self.status = Status::Failure;
        }
    }
}

/// Says who wanted it, if that is not plain.
pub fn from(error: Error, who: &Who) -> Error {
    match who {
        Who::List(place) => error.note(format!("listed in {place}")),
        _ => error,
    }
}
