//! Does what a plan says, step by step, and reports each one.

use std::ffi::CString;
use std::path::PathBuf;

use nix::errno::Errno;

use super::load::{self, Failure, Route};
use super::{InsertFlags, Kernel};
use crate::name::ModuleName;
use crate::plan::{Action, Origin, Step};

/// What happens while a plan is executed.
pub enum Event<'a> {
    /// The step is about to be done.
    Starting(&'a Step),
    /// The module was inserted.
    Inserted(&'a Step, &'a Route),
    /// A step failed that is not required.
    Passed(&'a Step, &'a Failed),
}

/// A step that failed.
#[derive(Debug)]
pub struct Failed {
    /// The module whose step it was.
    pub module: ModuleName,
    /// Why.
    pub cause: Reason,
    /// What the kernel logged about it.
    pub kernel: Vec<String>,
}

/// Why a step failed.
#[derive(Debug)]
pub enum Reason {
    /// The module in this file was not inserted.
    Insert(PathBuf, Failure),
    /// The module was not removed.
    Remove(Errno),
    /// No file of the module is known.
    Missing,
}

/// How a plan is executed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Force {
    /// For every insertion.
    pub insert: InsertFlags,
    /// Remove modules that are in use.
    pub remove: bool,
    /// A target that somebody else inserted meanwhile is a failure.
    pub first_time: bool,
}

/// Executes plans one after another and knows what is done already.
pub struct Executor<'a> {
    kernel: &'a dyn Kernel,
    force: Force,
    inserted: Vec<ModuleName>,
}

impl<'a> Executor<'a> {
    /// An executor that has done nothing yet.
    pub fn new(kernel: &'a dyn Kernel, force: Force) -> Self {
        Self { kernel, force, inserted: Vec::new() }
    }

    /// Does `steps` until a required one fails.
    pub fn run(&mut self, steps: &[Step], report: &mut dyn FnMut(Event<'_>)) -> Result<(), Failed> {
        for step in steps {
            // A plan may name a module twice, and plans of one command overlap.
            if self.inserted.contains(&step.module) && step.action != Action::Remove {
                continue;
            }
            report(Event::Starting(step));
            self.kernel.mark_log();
            match self.act(step, report) {
                Ok(()) => {}
                Err(Reason::Insert(_, failure))
                    if failure.errno() == Some(Errno::EEXIST) && !self.is_first_time(step) => {}
                Err(cause) => {
                    let kernel = self.kernel.log_since_mark(step.module.as_bytes());
                    let failed = Failed { module: step.module.clone(), cause, kernel };
                    if step.required {
                        return Err(failed);
                    }
                    report(Event::Passed(step, &failed));
                    continue;
                }
            }
            self.inserted.push(step.module.clone());
        }
        Ok(())
    }

    fn is_first_time(&self, step: &Step) -> bool {
        self.force.first_time && step.origin == Origin::Target
    }

    fn act(&self, step: &Step, report: &mut dyn FnMut(Event<'_>)) -> Result<(), Reason> {
        match &step.action {
            Action::Insert { path, options } => {
                let route = load::insert(self.kernel, path, &c_string(options), self.force.insert)
                    .map_err(|failure| Reason::Insert(path.clone(), failure))?;
                report(Event::Inserted(step, &route));
                Ok(())
            }
            Action::Builtin => Ok(()),
            Action::Missing => Err(Reason::Missing),
            Action::Remove => self
                .kernel
                .delete_module(&c_string(step.module.as_bytes()), self.force.remove)
                .map_err(Reason::Remove),
        }
    }
}

/// `bytes` as the kernel takes them: up to a NUL, which no argument and no
/// sound configuration file holds.
pub fn c_string(bytes: &[u8]) -> CString {
    let text = bytes.split(|&c| c == 0).next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
