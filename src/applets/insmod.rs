//! `insmod`: inserts the module in one file, and nothing with it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::cli::{Applet, Args, FORCE, FORCE_MODVERSION, FORCE_VERMAGIC, SYSLOG, VERBOSE};
use crate::error::{Cause, Error, Status};
use crate::format::params;
use crate::kernel::execute::c_string;
use crate::kernel::linux::{Linux, ignore_signals, release};
use crate::kernel::load::{self, Failure};
use crate::kernel::watch::Watch;
use crate::kernel::{InsertFlags, Insertion, Kernel, reason};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::output::{Level, Log};
use crate::root::Root;

/// The command.
pub static APPLET: Applet = Applet {
    name: "insmod",
    about: "Insert the module in a file into the kernel",
    operands: "FILE [PARAM=VALUE]...",
    notes: "FILE may be compressed with gzip, xz or zstd. What it depends on is not
inserted with it: that is what modprobe does.",
    options: &[&FORCE, &FORCE_MODVERSION, &FORCE_VERMAGIC, &SYSLOG, &VERBOSE],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    let Some((file, parameters)) = args.operands.split_first() else {
        return log.error("missing filename.");
    };
    if file == "-" {
        return log.error("this tool does not support loading from stdin!");
    }
    let path = Path::new(file);
    let name = ModuleName::from_path(file.as_bytes());
    let flags = InsertFlags::force(
        args.has(&FORCE),
        args.has(&FORCE_MODVERSION),
        args.has(&FORCE_VERMAGIC),
    );
    ignore_signals();
    let kernel = Linux::new(Root::system(), true);
    kernel.mark_log();
    let params = c_string(&params::join(parameters));
    // Configuration is modprobe's.
    let how = Insertion { flags, ..Insertion::default() };
    match load::insert(&kernel, path, None, &params, how, &mut Watch::start(false)) {
        Ok(route) => {
            log.tell(Level::Notice, route.tell(&name, path));
            Status::Success
        }
        Err(failure) => {
            // What the kernel never saw, it has no words for.
            let name = failure.errno().and_then(|_| reason::name(path).ok()?).unwrap_or(name);
            let words = kernel.log_since_mark(name.as_bytes(), None);
            let modules = ModuleDir::new(&Root::system(), &release().unwrap_or_default());
            let error = explain(path, &failure, &words);
            log.error(reason::add(error, path, &failure, &words, &modules))
        }
    }
}

/// The failure in kmod's words, but for those that the kernel's own, `words`, show to be wrong.
fn explain(path: &Path, failure: &Failure, words: &[String]) -> Error {
    let file = path.to_string_lossy();
    let cause = match failure {
        Failure::File(_) => {
            return Error::new(format!("could not load module {file}"), failure);
        }
        Failure::Kernel(Errno::ENOEXEC) => "Invalid module format".into(),
        Failure::Kernel(Errno::ENOENT) if reason::may_mean(words, reason::SYMBOL) => {
            "Unknown symbol in module".into()
        }
        Failure::Kernel(Errno::ESRCH) if reason::may_mean(words, reason::VERSION) => {
            "Module has wrong symbol version".into()
        }
        Failure::Kernel(Errno::EINVAL) if reason::may_mean(words, reason::VALUE) => {
            "Invalid parameters".into()
        }
        failure => Cause::from(failure),
    };
    Error::new(format!("could not insert module {file}"), cause)
}
