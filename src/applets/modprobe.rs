//! `modprobe`: inserts or removes a module with all that it needs.
//!
//! The kernel calls it as `modprobe -q -- NAME` when it misses a driver
//! (kernel: `kernel/module/kmod.c`), with nothing on the standard streams.
//!
//! What is asked for is resolved and planned first, then shown (`-D`, `-n`,
//! `-R`) or executed.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::cli::{Applet, Args, FORCE, FORCE_MODVERSION, FORCE_VERMAGIC, Opt, SYSLOG, VERBOSE};
use crate::config::Config;
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::params;
use crate::kernel::execute::{Event, Executor, Failed, Force, Reason};
use crate::kernel::linux::{Linux, release};
use crate::kernel::load::Failure;
use crate::kernel::{InsertFlags, reason};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::plan::{self, Action, Goal, Policy, Step, Verdict};
use crate::resolve::{Sources, Target, resolve};
use crate::root::Root;
use crate::state::State;

static ALL: Opt = Opt::switch('a', "all", "Every NAME is a module: insert them all");
static REMOVE: Opt = Opt::switch('r', "remove", "Remove modules and what nothing else uses")
    .also(&["remove-dependencies"]);
static SHOW_ALIAS: Opt = Opt::switch('R', "show-alias", "Print the modules that NAME stands for")
    .also(&["resolve-alias"]);
static FIRST_TIME: Opt = Opt::long("first-time", "Fail if there is nothing to do");
static IGNORE_COMMANDS: Opt =
    Opt::switch('i', "ignore-install", "Ignore softdeps and commands of the module")
        .also(&["ignore-remove"]);
static USE_BLACKLIST: Opt =
    Opt::switch('b', "use-blacklist", "Apply the blacklist to module names, too");
static SHOW_DEPENDS: Opt =
    Opt::switch('D', "show-depends", "Print what would be inserted into an empty kernel");
static DRY_RUN: Opt =
    Opt::switch('n', "dry-run", "Print what would be done, and don't do it").also(&["show"]);
static CONFIG: Opt =
    Opt::value('C', "config", "PATH", "Read PATH in place of the modprobe.d directories");
static DIRNAME: Opt = Opt::value('d', "dirname", "DIR", "Look for modules in DIR/lib/modules");
static SET_VERSION: Opt =
    Opt::value('S', "set-version", "RELEASE", "Use this release in place of 'uname -r'");
static QUIET: Opt = Opt::switch('q', "quiet", "Print no errors");

/// The command.
pub static APPLET: Applet = Applet {
    name: "modprobe",
    about: "Insert a module into the kernel, or remove it, with what it needs",
    operands: "NAME|PATH [PARAM=VALUE]...\n       modprobe [OPTION]... -a|-r NAME...",
    notes: "NAME is a module's name, an alias, a modalias or symbol:SYMBOL. PATH starts
with / or ./",
    options: &[
        &ALL,
        &REMOVE,
        &SHOW_DEPENDS,
        &SHOW_ALIAS,
        &DRY_RUN,
        &FIRST_TIME,
        &USE_BLACKLIST,
        &IGNORE_COMMANDS,
        &FORCE,
        &FORCE_MODVERSION,
        &FORCE_VERMAGIC,
        &CONFIG,
        &DIRNAME,
        &SET_VERSION,
        &QUIET,
        &SYSLOG,
        &VERBOSE,
    ],
    level: Level::Warning,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    let silent;
    let log = if args.has(&QUIET) {
        silent = Log::new(APPLET.name, Level::Silent, args.has(&SYSLOG));
        &silent
    } else {
        log
    };
    if args.operands.is_empty() {
        return log.error("missing parameters. See -h.");
    }
    let root = match args.value(&DIRNAME).map(|dir| files::absolute(Path::new(dir))) {
        None => Root::system(),
        Some(Ok(dir)) => Root::new(&dir),
        Some(Err(error)) => return log.fatal(Error::new("could not find the directory", error)),
    };
    let release = match args.value(&SET_VERSION) {
        Some(version) => version.as_bytes().to_vec(),
        None => match release() {
            Ok(release) => release,
            Err(errno) => {
                return log.fatal(Error::new("could not read the kernel's release", errno));
            }
        },
    };
    // The process ends with these: nothing is gained by giving them back, and
    // the kernel's calls of modprobe have a few system calls less.
    let modules = ManuallyDrop::new(ModuleDir::new(&root, &release));
    let config =
        ManuallyDrop::new(Config::load(&Root::system(), args.values(&CONFIG), modules.path()));
    config.warnings.iter().for_each(|warning| {
        log.error(warning);
    });
    let sources = Sources { config: &config, modules: &modules };
    let request = Request { args, log, sources, given_up: Cell::new(false) };
    let status = if args.has(&SHOW_ALIAS) { request.show_alias() } else { request.act() };
    request.tell_damage();
    status
}

/// One call of modprobe.
struct Request<'a> {
    args: &'a Args,
    log: &'a Log,
    sources: Sources<'a>,
    /// Nothing more is to be done.
    given_up: Cell<bool>,
}

impl Request<'_> {
    fn show_alias(&self) -> Status {
        let mut status = Status::Success;
        for operand in self.names() {
            let targets = resolve(self.sources, operand.as_bytes());
            if targets.is_empty() {
                status = status.merge(self.not_found(operand));
            }
            for target in targets {
                let line = [target.name.as_bytes(), b"\n"].concat();
                status = status.merge(print(self.log, &line));
            }
        }
        status
    }

    /// Plans, and shows or does what is planned.
    fn act(&self) -> Status {
        let removing = self.args.has(&REMOVE);
        let empty = self.args.has(&SHOW_DEPENDS) && !removing;
        let state = if empty { State::empty() } else { State::read(&Root::system()) };
        let kernel = Linux::new(Root::system(), self.log.tells(Level::Error));
        let force = Force {
            insert: InsertFlags::force(
                self.args.has(&FORCE),
                self.args.has(&FORCE_MODVERSION),
                self.args.has(&FORCE_VERMAGIC),
            ),
            remove: self.args.has(&FORCE),
            first_time: self.args.has(&FIRST_TIME),
        };
        let mut executor = Executor::new(&kernel, force);
        let mut status = Status::Success;
        for operand in self.names() {
            let goals = match self.goals(operand, &state) {
                Ok(goals) => goals,
                Err(failed) => {
                    status = status.merge(failed);
                    Vec::new()
                }
            };
            for goal in goals {
                status = status.merge(self.reach(&goal, &mut executor));
                if self.given_up.get() {
                    return status;
                }
            }
            if self.given_up.get() {
                return status;
            }
        }
        status
    }

    /// The operands that are names: all, or the first before its parameters.
    fn names(&self) -> &[OsString] {
        let all = self.args.has(&ALL) || self.args.has(&REMOVE);
        let count = if all { self.args.operands.len() } else { 1 };
        self.args.operands.get(..count).unwrap_or_default()
    }

    /// Plans for one operand; what cannot be found is told at once.
    fn goals(&self, operand: &OsStr, state: &State) -> Result<Vec<Goal>, Status> {
        let args = self.args;
        let policy = Policy {
            blacklist_names: args.has(&USE_BLACKLIST),
            ignore_commands: args.has(&IGNORE_COMMANDS),
        };
        let removing = args.has(&REMOVE);
        let is_path = operand.as_bytes().starts_with(b"/") || operand.as_bytes().starts_with(b"./");
        let targets = if is_path && !removing {
            vec![Target::file(&self.existing(operand)?)]
        } else {
            resolve(self.sources, operand.as_bytes())
        };
        if targets.is_empty() {
            return Err(self.not_found(operand));
        }
        if removing {
            let plan = |target| plan::remove(self.sources, state, &target, &policy);
            return Ok(targets.into_iter().map(plan).collect());
        }
        let options = match args.has(&ALL) {
            true => Vec::new(),
            false => params::join(args.operands.get(1..).unwrap_or_default()),
        };
        let plan = |target| plan::insert(self.sources, state, target, &options, &policy);
        Ok(targets.into_iter().map(plan).collect())
    }

    fn existing(&self, operand: &OsStr) -> Result<PathBuf, Status> {
        let path = std::path::absolute(operand);
        path.and_then(|path| path.metadata().map(|_| path)).map_err(|error| {
            let path = operand.to_string_lossy();
            self.give_up(Error::new(format!("Failed to get module from path {path}"), error))
        })
    }

    /// Shows a goal, or does it.
    fn reach(&self, goal: &Goal, executor: &mut Executor<'_>) -> Status {
        let name = &goal.target;
        let first_time = self.args.has(&FIRST_TIME);
        let steps = match &goal.verdict {
            Verdict::Steps(steps) => steps,
            Verdict::InKernel if first_time => {
                return self.log.error(could_not_insert(name, "Module already in kernel"));
            }
            Verdict::NotInKernel if first_time => {
                return self.give_up(Error::said(format!("Module {name} is not in kernel.")));
            }
            Verdict::InKernel | Verdict::Blacklisted | Verdict::NotInKernel => {
                return Status::Success;
            }
            Verdict::Builtin => {
                return self.give_up(Error::said(format!("Module {name} is builtin.")));
            }
            Verdict::InUse => {
                return self.give_up(Error::said(format!("Module {name} is in use.")));
            }
        };
        let showing = self.args.has(&SHOW_DEPENDS);
        if showing || self.args.has(&DRY_RUN) {
            // A builtin is part of what an image needs to know, and nothing
            // that a load would do.
            let shown = steps.iter().filter(|step| showing || step.action != Action::Builtin);
            return print(self.log, &shown.flat_map(line).collect::<Vec<u8>>());
        }
        match executor.run(steps, &mut |event| self.report(event)) {
            Ok(()) => Status::Success,
            Err(failed) => self.log.error(explain(name, failed, first_time)),
        }
    }

    fn report(&self, event: Event<'_>) {
        match event {
            Event::Starting(step) => {
                if self.args.has(&VERBOSE) && step.action != Action::Builtin {
                    // A full standard output does not stop a load.
                    let _ = print(self.log, &line(step));
                }
            }
            Event::Inserted(Step { module, action: Action::Insert { path, .. }, .. }, route) => {
                self.log.tell(Level::Info, route.tell(module, path));
            }
            Event::Inserted(..) => {}
            Event::Passed(step, failed) => {
                let cause = cause(&failed.cause, false);
                let module = &step.module;
                self.log.tell(Level::Info, format_args!("passed over '{module}': {cause}"));
            }
        }
    }

    fn not_found(&self, operand: &OsStr) -> Status {
        self.tell_damage();
        let name = operand.to_string_lossy();
        if self.args.has(&REMOVE) {
            return self.give_up(Error::said(format!("Module {name} not found.")));
        }
        let directory = self.sources.modules.path().display();
        if !self.sources.modules.is_indexed() {
            self.log.error(format_args!(
                "no modules.dep.bin or modules.dep in {directory} (run depmod?)"
            ));
        }
        self.give_up(Error::said(format!("Module {name} not found in directory {directory}")))
    }

    /// Tells why an operand is lost. With `-a` the others still count.
    fn give_up(&self, error: Error) -> Status {
        let goes_on = self.args.has(&ALL);
        self.given_up.set(!goes_on);
        self.log.tell(if goes_on { Level::Warning } else { Level::Fatal }, error);
        Status::Failure
    }

    fn tell_damage(&self) {
        let warnings = self.sources.modules.take_warnings();
        warnings.iter().for_each(|warning| self.log.warning(warning));
    }
}

fn line(step: &Step) -> Vec<u8> {
    step.line().map(|line| [line.as_slice(), b"\n"].concat()).unwrap_or_default()
}

fn could_not_insert(name: &ModuleName, cause: impl Into<Cause>) -> Error {
    Error::new(format!("could not insert '{name}'"), cause)
}

/// The failure of `target` in kmod's words, then what kmod does not say: which
/// dependency it was, and what the kernel said.
fn explain(target: &ModuleName, failed: Failed, first_time: bool) -> Error {
    let cause = cause(&failed.cause, first_time);
    let mut error = match &failed.cause {
        Reason::Remove(_) => Error::new(format!("could not remove '{target}'"), cause),
        _ => could_not_insert(target, cause),
    };
    if failed.module != *target {
        error = error.note(format!("dependency '{}'", failed.module));
    }
    if let Reason::Insert(path, failure) = &failed.cause {
        error = reason::from_file(path, failure).into_iter().fold(error, Error::note);
    }
    error.kernel(&failed.kernel)
}

fn cause(reason: &Reason, first_time: bool) -> Cause {
    match reason {
        Reason::Insert(_, Failure::Kernel(Errno::EEXIST)) if first_time => {
            "Module already in kernel".into()
        }
        Reason::Insert(_, Failure::Kernel(Errno::ENOENT)) => {
            "Unknown symbol in module, or unknown parameter (see dmesg)".into()
        }
        Reason::Insert(_, failure) => failure.into(),
        Reason::Remove(errno) => (*errno).into(),
        Reason::Missing => "no file for it in modules.dep".into(),
    }
}
