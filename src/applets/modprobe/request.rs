//! One call of modprobe that inserts or removes: planned, then shown or done.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::{
    ALL, DRY_RUN, FIRST_TIME, IGNORE_COMMANDS, JSON, REMOVE, REMOVE_DEPENDENCIES, REMOVE_HOLDERS,
    SHOW_DEPENDS, USE_BLACKLIST,
};
use crate::applets::{lacks_module_support, tell_damage, wants_json};
use crate::cli::{Args, FORCE, FORCE_MODVERSION, FORCE_VERMAGIC, VERBOSE, for_commands};
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::json::Json;
use crate::format::params;
use crate::kernel::execute::{Event, Executor, Failed, Manner};
use crate::kernel::explain::{self, could_not_insert};
use crate::kernel::firmware::Firmware;
use crate::kernel::linux::{Linux, ignore_signals};
use crate::kernel::reason;
use crate::kernel::{Guard, InsertFlags, Insertion};
use crate::large::Large;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::plan::{self, Action, Goal, Policy, Step, Verdict};
use crate::resolve::{Sources, Target, resolve};
use crate::root::Root;
use crate::state::{self, State};

/// What is asked for, and where it is looked up.
pub struct Request<'a> {
    /// The command line.
    pub args: &'a Args,
    /// Where errors go.
    pub log: &'a Log,
    /// Where names are looked up.
    pub sources: Sources<'a>,
    /// How long to wait for a module in use.
    pub wait: Duration,
}

/// That nothing more is to be done, as has been told.
pub struct GivenUp;

/// What there is to do for a goal.
pub enum Judged {
    /// These steps, for this target.
    Steps(ModuleName, Vec<Step>),
    /// Nothing, and why has been told.
    Told(Status),
}

impl Request<'_> {
    /// Inserts what is named.
    pub fn insert(&self) -> Status {
        let empty = self.args.has(&SHOW_DEPENDS);
        let state = if empty { State::empty() } else { State::read(&Root::system()) };
        let policy = self.policy();
        let options = match self.args.has(&ALL) {
            true => Vec::new(),
            false => params::join(self.args.operands.get(1..).unwrap_or_default()),
        };
        self.for_each_goal(
            &|operand| self.targets(operand),
            &mut |target| plan::insert(self.sources, &state, target, &options, &policy),
            &mut |_| {},
        )
    }

    /// Removes what is named.
    pub fn remove(&self) -> Status {
        // Each one that goes may have been using the next: read when it is needed.
        let state = RefCell::new(None);
        let read = || State::read(&Root::system());
        let (policy, mut is_known) = (self.policy(), true);
        let status = self.for_each_goal(
            &|operand| self.resolved(operand),
            &mut |target| {
                let mut state = state.borrow_mut();
                let state = state.get_or_insert_with(read);
                let goal = plan::remove(self.sources, state, &target, &policy);
                // What is not known to be there stays, and nobody may take that for done.
                if let Some(error) = state.take_unread() {
                    is_known = false;
                    self.log.error(error);
                }
                goal
            },
            &mut |goal| {
                let mut state = state.borrow_mut();
                match (&goal.verdict, state.as_mut()) {
                    (Verdict::Steps(steps), Some(state)) if self.shows() => {
                        steps.iter().for_each(|step| state.forget(&step.module));
                    }
                    _ => *state = None,
                }
            },
        );
        status.merge(Status::failure_if(!is_known))
    }

    /// The operands that are names: all, or the first before its parameters.
    pub fn names(&self) -> &[OsString] {
        let count =
            if self.args.has(&ALL) || self.removes() { self.args.operands.len() } else { 1 };
        self.args.operands.get(..count).unwrap_or_default()
    }

    /// Tells that nobody knows a name. With `-a` the others still count.
    pub fn not_found(&self, operand: &OsStr) -> Status {
        let _ = self.give_up(self.unknown(operand));
        Status::Failure
    }

    /// How goals are planned.
    pub fn policy(&self) -> Policy {
        Policy {
            blacklist_names: self.args.has(&USE_BLACKLIST),
            ignore_commands: self.args.has(&IGNORE_COMMANDS),
            remove_holders: self.args.has(&REMOVE_HOLDERS),
            wait: !self.wait.is_zero(),
        }
    }

    /// Whether modules are to be removed.
    pub fn removes(&self) -> bool {
        let options = [&REMOVE, &REMOVE_DEPENDENCIES, &REMOVE_HOLDERS];
        options.iter().any(|option| self.args.has(option))
    }

    /// Whether steps are to be shown, and not done.
    pub fn shows(&self) -> bool {
        self.args.has(&DRY_RUN) || self.args.has(&SHOW_DEPENDS)
    }

    /// Finds, plans and reaches what each name stands for.
    fn for_each_goal(
        &self,
        find: &dyn Fn(&OsStr) -> Result<Vec<Target>, Error>,
        plan: &mut dyn FnMut(Target) -> Goal,
        reached: &mut dyn FnMut(&Goal),
    ) -> Status {
        if !self.shows() {
            ignore_signals();
        }
        let kernel = Linux::new(Root::system(), self.log.tells(Level::Error));
        let kernel = kernel.with_options(for_commands(self.args));
        let mut executor = Executor::new(&kernel, self.manner());
        let mut shown = Vec::new();
        let mut status = Status::Success;
        for operand in self.names() {
            let result = match find(operand) {
                Ok(targets) => {
                    let mut goals = targets.into_iter().map(|target| {
                        let goal = plan(target);
                        reached(&goal);
                        self.reach(goal, &mut executor, &mut shown)
                    });
                    goals.try_fold(Status::Success, |all, one| Ok(all.merge(one?)))
                }
                Err(error) => self.give_up(error),
            };
            match result {
                Ok(reached) => status = status.merge(reached),
                Err(GivenUp) => {
                    status = Status::Failure;
                    break;
                }
            }
        }
        if self.shows() && wants_json(self.args, &JSON) {
            status = status.merge(print(self.log, Json::List(shown).document().as_bytes()));
        }
        status
    }

    /// How steps are done.
    pub fn manner(&self) -> Manner<'_> {
        let flags = InsertFlags::force(
            self.args.has(&FORCE),
            self.args.has(&FORCE_MODVERSION),
            self.args.has(&FORCE_VERMAGIC),
        );
        Manner {
            insert: Insertion { flags, guard: Guard::new(self.sources.config) },
            remove: self.args.has(&FORCE),
            first_time: self.args.has(&FIRST_TIME),
            wait: self.wait,
        }
    }

    /// What an operand stands for: a file or a name.
    pub fn targets(&self, operand: &OsStr) -> Result<Vec<Target>, Error> {
        let bytes = operand.as_bytes();
        if bytes.starts_with(b"/") || bytes.starts_with(b"./") {
            let guarded = !self.removes() && !self.sources.config.denials.is_empty();
            return existing(operand, guarded).map(|target| vec![target]);
        }
        self.resolved(operand)
    }

    fn resolved(&self, operand: &OsStr) -> Result<Vec<Target>, Error> {
        let targets = resolve(self.sources, operand.as_bytes());
        if targets.is_empty() { self.in_kernel(operand) } else { Ok(targets) }
    }

    /// What is to be done for a module that no index knows: nothing to insert it if the
    /// kernel has it, and to remove it what can be.
    fn in_kernel(&self, operand: &OsStr) -> Result<Vec<Target>, Error> {
        let (name, state) = (ModuleName::new(operand.as_bytes()), State::read(&Root::system()));
        if !state.has(&name) || self.args.has(&SHOW_DEPENDS) {
            return Err(self.unknown(operand));
        }
        let is_builtin = state.get(&name).is_none();
        match (self.removes(), is_builtin) {
            (true, true) => Err(Error::said(format!("Module {name} is builtin."))),
            (true, false) => Ok(vec![Target::named(name)]),
            (false, _) if self.args.has(&FIRST_TIME) => {
                Err(could_not_insert(&name, "Module already in kernel"))
            }
            (false, _) => Ok(Vec::new()),
        }
    }

    fn unknown(&self, operand: &OsStr) -> Error {
        let name = operand.to_string_lossy();
        if self.removes() {
            return Error::said(format!("Module {name} not found."));
        }
        let directory = self.sources.modules.path().to_string_lossy();
        if !self.sources.modules.is_indexed() {
            let message = "no modules.dep.bin or modules.dep in";
            let hint = match lacks_module_support(self.args) {
                true => state::NO_SUPPORT,
                false => "run depmod?",
            };
            self.log.error(format_args!("{message} {directory} ({hint})"));
        }
        explain::not_found(operand.as_bytes(), self.sources.modules)
    }

    /// Shows a goal, or does it.
    fn reach(
        &self,
        goal: Goal,
        executor: &mut Executor<'_>,
        shown: &mut Vec<Json>,
    ) -> Result<Status, GivenUp> {
        let (name, steps) = match self.judge(goal)? {
            Judged::Steps(name, steps) => (name, steps),
            Judged::Told(status) => return Ok(status),
        };
        if self.shows() {
            let status = self.show(&steps, shown);
            plan::give_back(steps);
            return Ok(status);
        }
        match executor.run(&steps, &mut |event| self.report(event)) {
            Ok(()) => Ok(Status::Success),
            Err(failed) => match explain::remove_command(&failed) {
                Some(error) => self.give_up(error),
                None => Ok(self.failed(&name, &failed)),
            },
        }
    }

    /// Tells that `target` was not inserted or removed, and why.
    pub fn failed(&self, target: &ModuleName, failed: &Failed) -> Status {
        if let Some(error) = explain::install_command(failed) {
            self.log.error(error);
        }
        if !self.log.tells(Level::Error) {
            return Status::Failure;
        }
        let first_time = self.args.has(&FIRST_TIME);
        self.log.error(explain::failed(target, failed, first_time, self.sources.modules))
    }

    /// What there is to do for a goal. Where that is nothing, tells why if somebody has
    /// to know.
    pub fn judge(&self, goal: Goal) -> Result<Judged, GivenUp> {
        let name = goal.target;
        let first_time = self.args.has(&FIRST_TIME);
        let told = match goal.verdict {
            Verdict::Steps(steps) => return Ok(Judged::Steps(name, steps)),
            Verdict::InKernel if first_time => {
                self.log.error(could_not_insert(&name, "Module already in kernel"))
            }
            Verdict::Denied { module, place } => {
                self.log.error(explain::denied(&name, &module, &place))
            }
            Verdict::NotInKernel if first_time => {
                self.give_up(Error::said(format!("Module {name} is not in kernel.")))?
            }
            Verdict::NotInKernel if !state::has_module_support(&Root::system()) => {
                let doing = format!("could not remove '{name}'");
                self.give_up(Error::new(doing, state::NO_SUPPORT))?
            }
            Verdict::InKernel | Verdict::Blacklisted | Verdict::NotInKernel => Status::Success,
            Verdict::Builtin => self.give_up(Error::said(format!("Module {name} is builtin.")))?,
            Verdict::InUse(module) => {
                self.give_up(Error::said(format!("Module {module} is in use.")))?
            }
        };
        Ok(Judged::Told(told))
    }

    fn show(&self, steps: &[Step], shown: &mut Vec<Json>) -> Status {
        // A builtin is part of what an image needs to know, and nothing that a
        // load would do.
        let depends = self.args.has(&SHOW_DEPENDS);
        let steps = steps.iter().filter(|step| depends || !matches!(step.action, Action::Builtin));
        if wants_json(self.args, &JSON) {
            shown.extend(
                steps.filter(|step| !matches!(step.action, Action::Missing)).map(Step::json),
            );
            return Status::Success;
        }
        let mut text = Large::default();
        steps.for_each(|step| step.write(&mut text.0));
        print(self.log, &text)
    }

    /// Tells what happens, as far as somebody wants to know.
    pub fn report(&self, event: Event<'_>) {
        match event {
            Event::Starting(step) => {
                if self.args.has(&VERBOSE) {
                    // A full standard output does not stop a load.
                    let _ = print(self.log, &step.told());
                }
            }
            Event::Inserted(module, path, route) => {
                self.log.tell(Level::Info, route.tell(module, path));
                if self.log.tells(Level::Notice) {
                    let firmware = Firmware::of(&Root::system(), path);
                    let notice = explain::no_firmware(module, &firmware);
                    notice.into_iter().for_each(|notice| self.log.tell(Level::Notice, notice));
                }
            }
            Event::Passed(step, failed) => {
                if let Some(error) = explain::install_command(failed) {
                    self.log.error(error);
                }
                let cause = explain::cause(failed, false);
                let module = &step.module;
                self.log.tell(Level::Info, format_args!("passed over '{module}': {cause}"));
            }
        }
    }

    /// Tells why an operand is lost. With `-a` the others still count.
    pub fn give_up(&self, error: Error) -> Result<Status, GivenUp> {
        // Its status is asked for at the end.
        let _ = tell_damage(self.sources.modules, self.log);
        if self.args.has(&ALL) {
            self.log.warning(error);
            return Ok(Status::Failure);
        }
        self.log.fatal(error);
        Err(GivenUp)
    }
}

/// The module in the file that a path operand means. Its name is what it says of
/// itself: by that the kernel, its dependencies and who denies it know it. If it is to be
/// `guarded`, a file that can't be read here is an error, though the kernel may read it.
fn existing(operand: &OsStr, guarded: bool) -> Result<Target, Error> {
    let mut short = operand.as_bytes();
    while let Some(rest) = short.strip_prefix(b"./") {
        short = rest;
    }
    let path = files::absolute(Path::new(OsStr::from_bytes(short)));
    let failed = |cause: Cause| {
        let path = operand.to_string_lossy();
        Error::new(format!("Failed to get module from path {path}"), cause)
    };
    let path = path
        .and_then(|path| path.metadata().map(|_| path))
        .map_err(|error| failed(error.into()))?;
    let target = Target::file(&path);
    let name = match reason::name(&path) {
        Err(cause) if guarded => return Err(failed(cause)),
        name => name.ok().flatten().unwrap_or(target.name),
    };
    Ok(Target { name, ..target })
}
