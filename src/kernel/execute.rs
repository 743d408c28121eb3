//! Does what a plan says, step by step, and reports each one.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;

use super::load::{self, Failure, Prepared, Route};
use super::watch::Watch;
use super::{Insertion, Kernel};
use crate::error::Cause;
use crate::format::text::{CMDLINE_OPTS, behind, replace};
use crate::format::trace::{Phase, PhaseKind};
use crate::name::ModuleName;
use crate::numbers::Numbers;
use crate::plan::{Action, Origin, Step};

/// What happens while a plan is executed.
pub enum Event<'a> {
    /// The step is about to be done.
    Starting(&'a Step),
    /// The module in this file was inserted.
    Inserted(&'a ModuleName, &'a Path, &'a Route),
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

impl Failed {
    /// Why the module was not inserted, if that was the step.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.cause {
            Reason::Insert(_, failure) => Some(failure),
            _ => None,
        }
    }
}

/// Why a step failed.
#[derive(Debug)]
pub enum Reason {
    /// The module in this file was not inserted.
    Insert(PathBuf, Failure),
    /// The module was not removed.
    Remove(Errno),
    /// The command that stands in its place failed.
    Command(CommandFailure),
    /// No file of the module is known.
    Missing,
}

/// Why a command of modprobe.d failed.
#[derive(Debug)]
pub struct CommandFailure {
    /// Whether it is an `install` command, not a `remove` command.
    pub install: bool,
    /// The command as it was run.
    pub command: Vec<u8>,
    /// How it ended.
    pub outcome: String,
}

/// How plans are executed.
#[derive(Default, Clone, Copy)]
pub struct Manner<'a> {
    /// How modules are inserted.
    pub insert: Insertion<'a>,
    /// Remove modules that are in use.
    pub remove: bool,
    /// A target that somebody else inserted meanwhile is a failure.
    pub first_time: bool,
    /// How long a removal is tried again that the kernel can't do yet.
    pub wait: Duration,
}

impl Manner<'_> {
    /// Whether `step` fails where somebody else was faster.
    pub fn is_first_time(&self, step: &Step) -> bool {
        self.first_time && step.origin == Origin::Target
    }
}

/// Executes plans one after another and knows what is done already.
pub struct Executor<'a> {
    kernel: &'a dyn Kernel,
    manner: Manner<'a>,
    done: Vec<ModuleName>,
    numbers: Numbers,
    watch: Watch,
}

impl<'a> Executor<'a> {
    /// An executor that has done nothing yet.
    pub fn new(kernel: &'a dyn Kernel, manner: Manner<'a>) -> Self {
        Self {
            kernel,
            manner,
            done: Vec::new(),
            numbers: Numbers::default(),
            watch: Watch::start(false),
        }
    }

    /// Does `steps` until a required one fails.
    pub fn run(&mut self, steps: &[Step], report: &mut dyn FnMut(Event<'_>)) -> Result<(), Failed> {
        for step in steps {
            // A plan may name a module twice, and plans of one command overlap.
            let removes = matches!(step.action, Action::Remove | Action::RemoveCommand { .. });
            if self.is_done(&step.module) && !removes {
                match &step.action {
                    Action::Insert { path, .. } if self.is_first_time(step) => {
                        let cause = Reason::Insert(path.clone(), Failure::Kernel(Errno::EEXIST));
                        let (module, kernel) = (step.module.clone(), Vec::new());
                        return Err(Failed { module, cause, kernel });
                    }
                    _ => continue,
                }
            }
            report(Event::Starting(step));
            match perform(self.kernel, self.manner, step, None, &mut self.watch) {
                Ok(Done::Inserted(path, route)) => {
                    report(Event::Inserted(&step.module, path, &route));
                }
                Ok(_) => {}
                Err(failed) if step.required => return Err(failed),
                Err(failed) => {
                    report(Event::Passed(step, &failed));
                    continue;
                }
            }
            self.numbers.add(step.module.as_bytes(), self.done.len());
            self.done.push(step.module.clone());
        }
        Ok(())
    }

    fn is_done(&self, module: &ModuleName) -> bool {
        let is_it = |number: usize| self.done.get(number) == Some(module);
        self.numbers.find(module.as_bytes(), &is_it).is_some()
    }

    fn is_first_time(&self, step: &Step) -> bool {
        self.manner.is_first_time(step)
    }
}

/// A step of a queue that is over.
pub struct Report {
    /// Which node of the plan it is.
    pub number: usize,
    /// The step.
    pub step: Rc<Step>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a step.
pub struct Outcome {
    /// How a module was inserted; none where somebody else did that, or where it is a
    /// command.
    pub result: Result<Option<Route>, Failed>,
    /// The worker that did it.
    pub worker: usize,
    /// When it could have begun.
    pub ready: u64,
    /// What took how long.
    pub phases: Vec<Phase>,
}

/// What came of a step that is done.
pub enum Done<'a> {
    /// The module in this file was inserted.
    Inserted(&'a Path, Route),
    /// Somebody else had inserted it.
    There,
    /// Anything else.
    Other,
}

/// Does `step`, with its file if that is `prepared` already.
pub fn perform<'a>(
    kernel: &dyn Kernel,
    manner: Manner<'_>,
    step: &'a Step,
    prepared: Option<Prepared>,
    watch: &mut Watch,
) -> Result<Done<'a>, Failed> {
    kernel.mark_log();
    let result = match &step.action {
        Action::Insert { path, options } => {
            let params = c_string(options);
            match load::insert(kernel, path, prepared, &params, manner.insert, watch) {
                Ok(route) => Ok(Done::Inserted(path, route)),
                // Somebody else was faster, which is as good.
                Err(failure)
                    if failure.errno() == Some(Errno::EEXIST) && !manner.is_first_time(step) =>
                {
                    Ok(Done::There)
                }
                Err(failure) => Err(Reason::Insert(path.clone(), failure)),
            }
        }
        Action::Builtin => Ok(Done::Other),
        Action::Missing => Err(Reason::Missing),
        Action::InstallCommand { command, options } => {
            let (shown, script) = (shown(command, options), script(command, options));
            watch.time(PhaseKind::Command, || run(kernel, step, true, shown, &script))
        }
        Action::RemoveCommand { command } => run(kernel, step, false, command.clone(), command),
        Action::Remove => remove(kernel, manner, &step.module).map_err(Reason::Remove),
    };
    result.map_err(|cause| Failed {
        module: step.module.clone(),
        cause,
        kernel: kernel.log_since_mark(step.module.as_bytes(), None),
    })
}

/// Removes a module. What is in use for a moment only is tried again after
/// 1, 2, 4 … ms, as long as there is time to wait.
fn remove<'a>(
    kernel: &dyn Kernel,
    manner: Manner<'_>,
    module: &ModuleName,
) -> Result<Done<'a>, Errno> {
    let name = c_string(module.as_bytes());
    let mut left = manner.wait;
    let mut pause = Duration::from_millis(1);
    loop {
        match kernel.delete_module(&name, manner.remove) {
            Err(Errno::EAGAIN) if !left.is_zero() => {
                pause = pause.min(left);
                std::thread::sleep(pause);
                left -= pause;
                pause *= 2;
            }
            result => return result.map(|()| Done::Other),
        }
    }
}

/// Runs the `script` of a command, that stands in a step's place.
fn run<'a>(
    kernel: &dyn Kernel,
    step: &Step,
    install: bool,
    command: Vec<u8>,
    script: &[u8],
) -> Result<Done<'a>, Reason> {
    match outcome(kernel.run(script, &step.module)) {
        None => Ok(Done::Other),
        Some(outcome) => Err(Reason::Command(CommandFailure { install, command, outcome })),
    }
}

/// How a command ended, if it failed.
pub fn outcome(result: io::Result<ExitStatus>) -> Option<String> {
    use std::os::unix::process::ExitStatusExt;
    Some(match result {
        Ok(status) if status.success() => return None,
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("retcode {code}"),
            (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        },
        Err(error) => format!("could not run /bin/sh: {}", Cause::from(error)),
    })
}

/// The command of an `install` line as it is told of.
pub fn shown(command: &[u8], options: &[u8]) -> Vec<u8> {
    replace(command, CMDLINE_OPTS, options)
}

/// The same as the shell gets it: the options come from the kernel's command line and from
/// callers, and are a variable, so that nothing of them is run.
pub fn script(command: &[u8], options: &[u8]) -> Vec<u8> {
    if behind(command, CMDLINE_OPTS).is_none() {
        return command.to_vec();
    }
    let options = replace(options, b"'", b"'\\''");
    [b"CMDLINE_OPTS='", options.as_slice(), b"'\n", command].concat()
}

/// `bytes` as the kernel takes them: up to a NUL, which no argument and no
/// sound configuration file holds.
pub fn c_string(bytes: &[u8]) -> CString {
    let text = bytes.split(|&c| c == 0).next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
