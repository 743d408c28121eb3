//! `-j` and `--trace`: all goals as one plan, done by several workers.

use std::path::Path;

use super::request::{GivenUp, Judged, Request, kernel};
use super::{ALL, APPLET};
use crate::cli::TRACE;
use crate::error::{Error, Status};
use crate::files;
use crate::format::params;
use crate::kernel::Kernel;
use crate::kernel::execute::{Event, Failed};
use crate::kernel::queue::{News, Queue};
use crate::kernel::record::Record;
use crate::kernel::watch::Watch;
use crate::name::ModuleName;
use crate::output::Level;
use crate::plan::graph::{Graph, Progress};
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
                    Ok(Judged::Steps(target, steps)) => {
                        graph.add(self.sources, steps, watch.now());
                        targets.push(target);
                    }
                    Ok(Judged::Told(told)) => status = status.merge(told),
                    Err(GivenUp) => return Status::Failure,
                }
            }
        }
        match Queue::new(graph, jobs, watch) {
            Ok(queue) => status.merge(self.work(&queue, &targets, watch)),
            Err(error) => self.log.fatal(Error::new("could not make a pair of sockets", error)),
        }
    }

    fn work(&self, queue: &Queue, targets: &[ModuleName], watch: &Watch) -> Status {
        let (explain, variable) = (self.log.tells(Level::Error), self.variable());
        let make = || Box::new(kernel(explain, variable.clone())) as Box<dyn Kernel>;
        let mut record = Record::default();
        let mut failures = Vec::new();
        queue.run(self.manner(), &make, |workers| {
            let mut is_over = false;
            while !is_over {
                workers.help();
                // Asked first: the last reports are there when everything is over.
                is_over = queue.is_over();
                for report in queue.take() {
                    if self.args.has(&TRACE) {
                        record.keep(queue, &report);
                    }
                    let step = &report.step;
                    match report.news {
                        News::Started => self.report(Event::Starting(step)),
                        News::Over(outcome) => match (outcome.result, &step.action) {
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
                        },
                    }
                }
                if !is_over {
                    queue.wait(None, None);
                }
            }
        });
        let total = watch.now();
        let mut status = Status::Success;
        for target in targets {
            if let Some(failed) = failure(queue, target, &failures) {
                status = status.merge(self.failed(target, failed));
            }
        }
        if let Some(file) = self.args.value(&TRACE) {
            let trace = record.finish(APPLET.name, self.sources.modules, queue, total);
            let path = Path::new(file);
            if let Err(error) = files::save(path, trace.document().as_bytes()) {
                let doing = format!("could not write {}", path.display());
                status = self.log.error(Error::new(doing, error));
            }
        }
        status
    }
}

/// Why `target` is not there, if it is not.
fn failure<'f>(
    queue: &Queue,
    target: &ModuleName,
    failures: &'f [(usize, Failed)],
) -> Option<&'f Failed> {
    let number = queue.look(|plan| {
        let number = plan.find(target)?;
        match plan.nodes().get(number)?.progress {
            Progress::Failed => Some(number),
            Progress::Unreachable(failed) => Some(failed),
            _ => None,
        }
    })?;
    failures.iter().find(|(at, _)| *at == number).map(|(_, failed)| failed)
}
