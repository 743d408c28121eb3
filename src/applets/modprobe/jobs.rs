//! `-j` and `--trace`: all goals as one plan, done by several workers.

use std::time::Duration;

use super::request::{GivenUp, Judged, Request};
use super::{ALL, APPLET, FIRST_TIME};
use crate::applets::wants_trace;
use crate::cli::{TRACE, VERBOSE, for_commands};
use crate::error::Status;
use crate::format::params;
use crate::kernel::execute::{Event, Failed};
use crate::kernel::explain::could_not_insert;
use crate::kernel::linux::Linux;
use crate::kernel::queue::{Queue, Tools};
use crate::kernel::record::Record;
use crate::kernel::watch::Watch;
use crate::name::ModuleName;
use crate::output::Level;
use crate::plan::graph::Graph;
use crate::plan::{self, Action};
use crate::root::Root;
use crate::state::State;

impl Request<'_> {
    /// Inserts what is named, with `jobs` workers. With one, in the plan's order.
    pub fn insert_with(&self, jobs: usize, watch: &Watch) -> Status {
        let state = State::read(&Root::system());
        let policy = self.policy();
        let options = match self.args.has(&ALL) {
            true => Vec::new(),
            false => params::join(self.args.operands.get(1..).unwrap_or_default()),
        };
        let (mut graph, mut targets) = (Graph::default(), Vec::new());
        let mut status = Status::Success;
        for operand in self.names() {
            let found = match self.targets(operand) {
                Ok(found) => found,
                Err(error) => match self.give_up(error) {
                    Ok(told) => {
                        status = status.merge(told);
                        continue;
                    }
                    Err(GivenUp) => return Status::Failure,
                },
            };
            for target in found {
                let goal = plan::insert(self.sources, &state, target, &options, &policy);
                match self.judge(goal) {
                    Ok(Judged::Steps(target, _))
                        if self.args.has(&FIRST_TIME) && targets.contains(&target) =>
                    {
                        let error = could_not_insert(&target, "Module already in kernel");
                        status = status.merge(self.log.error(error));
                    }
                    Ok(Judged::Steps(target, steps)) => {
                        graph.add(self.sources, steps, watch.now(), false);
                        targets.push(target);
                    }
                    Ok(Judged::Told(told)) => status = status.merge(told),
                    Err(GivenUp) => return Status::Failure,
                }
            }
        }
        status.merge(self.work(graph, jobs, &targets, watch))
    }

    fn work(&self, graph: Graph, jobs: usize, targets: &[ModuleName], watch: &Watch) -> Status {
        let kernel = Linux::new(Root::system(), self.log.tells(Level::Error));
        let kernel = kernel.with_options(for_commands(self.args));
        let verbose = self.args.has(&VERBOSE).then_some(self.log);
        let tools = Tools { manner: self.manner(), kernel: &kernel, verbose };
        let mut queue = Queue::new(graph, jobs, tools, watch);
        let mut record = Record::default();
        let mut failures: Vec<(usize, Failed)> = Vec::new();
        loop {
            queue.begin();
            for report in queue.take() {
                if wants_trace(self.args) {
                    record.keep(queue.plan(), &report);
                }
                let step = &report.step;
                match (report.outcome.result, &step.action) {
                    (Ok(Some(route)), Action::Insert { path, .. }) => {
                        self.report(Event::Inserted(&step.module, path, &route));
                    }
                    (Ok(_), _) => {}
                    (Err(failed), _) => {
                        if !step.required {
                            self.report(Event::Passed(step, &failed));
                        }
                        failures.push((report.number, failed));
                    }
                }
            }
            if queue.plan().is_over() {
                break;
            }
            queue.wait(None, Duration::MAX);
        }
        let total = watch.elapsed();
        let mut status = Status::Success;
        for target in targets {
            let number = queue.plan().failure(target);
            if let Some((_, failed)) = failures.iter().find(|(at, _)| Some(*at) == number) {
                status = status.merge(self.failed(target, failed));
            }
        }
        if let Some(file) = self.args.value(&TRACE) {
            let modules = self.sources.modules;
            if let Err(error) = record.save(file, APPLET.name, modules, queue.jobs(), total) {
                status = self.log.error(error);
            }
        }
        status
    }
}
