//! `rmmod`: removes modules, one by one, and nothing with them.
//!
//! Before it asks the kernel it looks whether the module is loaded and unused,
//! to say more than an errno could. `-f` skips that and has the kernel remove
//! the module even if it is in use, where it was built for that.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::cli::{Applet, Args, Opt, SYSLOG, VERBOSE};
use crate::collect::Collect;
use crate::error::{Error, Status};
use crate::kernel::Kernel;
use crate::kernel::execute::c_string;
use crate::kernel::linux::{Linux, release};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::output::{Level, Log};
use crate::root::Root;
use crate::state::{NO_SUPPORT, State, has_module_support};

static FORCE: Opt = Opt::switch('f', "force", "Remove it even if it is in use: dangerous");

/// The command.
pub static APPLET: Applet = Applet {
    name: "rmmod",
    about: "Remove modules from the kernel",
    operands: "NAME|FILE...",
    notes: "What the modules needed stays: 'modprobe -r' removes that, too.",
    options: &[&FORCE, &SYSLOG, &VERBOSE],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    if args.operands.is_empty() {
        return log.error("missing module name.");
    }
    let system = Root::system();
    let modules = ModuleDir::new(&system, &release().unwrap_or_default());
    let kernel = Linux::new(system.clone(), true);
    let force = args.has(&FORCE);
    let mut status = Status::Success;
    for operand in &args.operands {
        let name = name_of(operand);
        // Read anew: each one that goes may have been using the next.
        let state = State::read(&system);
        let refusal = if force { None } else { check(&name, &modules, &state) };
        let result = match refusal {
            Some(refusal) => Err(refusal),
            None => remove(&kernel, operand, &name, force),
        };
        match result {
            Ok(()) => log.tell(Level::Notice, format_args!("removed '{name}'")),
            Err(error) => status = status.merge(log.error(error)),
        }
    }
    status
}

/// The module that an operand means: that of a file, or a name, from which a
/// suffix is cut.
fn name_of(operand: &OsStr) -> ModuleName {
    let bytes = operand.as_bytes();
    if Path::new(operand).exists() {
        return ModuleName::from_path(bytes);
    }
    ModuleName::new(bytes.split(|&c| c == b'.').next().unwrap_or(bytes))
}

/// Why the module can't be removed, if that is to be seen without trying.
fn check(name: &ModuleName, modules: &ModuleDir, state: &State) -> Option<Error> {
    if !has_module_support(&Root::system()) && !modules.is_builtin(name) {
        return Some(Error::new(format!("could not remove module {name}"), NO_SUPPORT));
    }
    if modules.is_builtin(name) {
        return Some(Error::said(format!("Module {name} is builtin.")));
    }
    let Some(module) = state.get(name) else {
        if let Some(error) = state.take_unread() {
            return Some(error);
        }
        if state.is_builtin(name) {
            return Some(Error::said(format!("Module {name} is builtin.")));
        }
        return Some(Error::said(format!("Module {name} is not currently loaded")));
    };
    if !module.holders.is_empty() {
        let holders: Vec<_> = module.holders.iter().map(ModuleName::to_string).vec();
        let holders = holders.join(" ");
        return Some(Error::said(format!("Module {name} is in use by: {holders}")));
    }
    match module.refcnt {
        Some(0) => None,
        Some(_) => Some(Error::said(format!("Module {name} is in use"))),
        None => Some(Error::said("Module unloading is not supported")),
    }
}

fn remove(kernel: &Linux, operand: &OsStr, name: &ModuleName, force: bool) -> Result<(), Error> {
    kernel.mark_log();
    kernel.delete_module(&c_string(name.as_bytes()), force).map_err(|errno| {
        let subject = operand.to_string_lossy();
        if errno == Errno::ENOSYS && !has_module_support(&Root::system()) {
            return Error::new(format!("could not remove module {subject}"), NO_SUPPORT);
        }
        Error::new(format!("could not remove module {subject}"), errno)
            .kernel(&kernel.log_since_mark(name.as_bytes(), None))
    })
}
