//! `modprobe`: inserts or removes a module with all that it needs.
//!
//! The kernel calls it as `modprobe -q -- NAME` when it misses a driver
//! (kernel: `kernel/module/kmod.c`), with nothing on the standard streams.
//!
//! What is asked for is resolved and planned first, then shown (`-D`, `-n`) or
//! executed. `-c`, `-R`, `--show-modversions` and `--show-exports` only look.

#[cfg(any(feature = "jobs", feature = "trace"))]
mod jobs;
#[cfg(not(any(feature = "jobs", feature = "trace")))]
#[path = "modprobe/jobs_of_one.rs"]
mod jobs;
#[cfg(feature = "show")]
mod look;
#[cfg(not(feature = "show"))]
#[path = "modprobe/look_nowhere.rs"]
mod look;
mod request;

use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::applets::{configuration, module_dir, tell_damage, wants_json, wants_trace};
use crate::cli::{
    Applet, Args, CONFIG, DIRNAME, FORCE, FORCE_MODVERSION, FORCE_VERMAGIC, JOBS, MODPROBE_OPTIONS,
    Opt, QUIET, SET_VERSION, SYSLOG, TRACE, VERBOSE, jobs,
};
use crate::error::Status;
use crate::format::text::number;
use crate::kernel::watch::Watch;
use crate::output::{Level, Log};
use crate::resolve::Sources;
use request::Request;

static ALL: Opt = Opt::switch('a', "all", "Every NAME is a module: insert them all");
static REMOVE: Opt = Opt::switch('r', "remove", "Remove modules and what nothing else uses");
static REMOVE_DEPENDENCIES: Opt = Opt::long("remove-dependencies", "");
static REMOVE_HOLDERS: Opt = Opt::long("remove-holders", "Remove what uses the modules, too");
static WAIT: Opt = Opt::value('w', "wait", "MSEC", "With -r: wait for a module in use");
static SHOW_DEPENDS: Opt =
    Opt::switch('D', "show-depends", "Print what would be inserted into an empty kernel");
static JSON: Opt = Opt::long("json", "With -D, -n, -R or -c: print JSON");
static DRY_RUN: Opt =
    Opt::switch('n', "dry-run", "Print what would be done, and don't do it").also(&["show"]);
static FIRST_TIME: Opt = Opt::long("first-time", "Fail if there is nothing to do");
static IGNORE_COMMANDS: Opt =
    Opt::switch('i', "ignore-install", "Ignore softdeps and commands of the module")
        .also(&["ignore-remove"]);
static USE_BLACKLIST: Opt =
    Opt::switch('b', "use-blacklist", "Apply the blacklist to module names, too");

/// The command.
pub static APPLET: Applet = Applet {
    name: "modprobe",
    about: "Insert a module, or remove it, with what it needs",
    operands: "NAME|PATH [PARAM=VALUE]...\n       modprobe [OPTION]... -a|-r NAME...",
    notes: "NAME is a module's name, an alias, a modalias or symbol:SYMBOL. PATH starts
with / or ./  The command line starts with the words of $MODPROBE_OPTIONS.",
    options: &[
        &ALL,
        &REMOVE,
        &REMOVE_DEPENDENCIES,
        &REMOVE_HOLDERS,
        &WAIT,
        &DRY_RUN,
        &FIRST_TIME,
        &JOBS,
        #[cfg(feature = "trace")]
        &TRACE,
        &USE_BLACKLIST,
        &IGNORE_COMMANDS,
        &FORCE,
        &FORCE_MODVERSION,
        &FORCE_VERMAGIC,
        &SHOW_DEPENDS,
        #[cfg(feature = "show")]
        &look::SHOW_ALIAS,
        #[cfg(feature = "show")]
        &look::SHOW_CONFIG,
        #[cfg(feature = "show")]
        &look::SHOW_MODVERSIONS,
        #[cfg(feature = "show")]
        &look::SHOW_EXPORTS,
        #[cfg(feature = "json")]
        &JSON,
        &CONFIG,
        &DIRNAME,
        &SET_VERSION,
        &QUIET,
        &SYSLOG,
        &VERBOSE,
    ],
    environment: Some(MODPROBE_OPTIONS),
    level: Level::Warning,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    let watch = Watch::start(wants_trace(args));
    let silenced = args.has(&QUIET).then(|| log.silenced());
    let log = silenced.as_ref().unwrap_or(log);
    if args.operands.is_empty() && !look::needs_no_name(args) {
        return log.error("missing parameters. See -h.");
    }
    if args.has(&REMOVE_DEPENDENCIES) {
        log.warning("--remove-dependencies is deprecated, use --remove");
    }
    let shows = args.has(&SHOW_DEPENDS) || args.has(&DRY_RUN) || look::has_json(args);
    if wants_json(args, &JSON) && !shows {
        return log.error("--json goes with -D, -n, -R or -c");
    }
    let wait = match args.value(&WAIT).map(|value| (value, milliseconds(value.as_bytes()))) {
        None => Duration::ZERO,
        Some((_, Some(wait))) => wait,
        Some((value, None)) => {
            let value = value.to_string_lossy();
            return log.error(format_args!("unexpected wait value '{value}'."));
        }
    };
    let jobs = match jobs(args, &JOBS) {
        Ok(jobs) => jobs,
        Err(error) => return log.error(error),
    };
    let modules = match module_dir(args.directory(&DIRNAME), args.value(&SET_VERSION)) {
        Ok(modules) => modules,
        Err(error) => return log.fatal(error),
    };
    // The process ends with these: nothing is gained by giving them back, and
    // the kernel's calls of modprobe have a few system calls less.
    let modules = ManuallyDrop::new(modules);
    let config = ManuallyDrop::new(configuration(args, &modules, log));
    let sources = Sources { config: &config, modules: &modules };
    let request = Request { args, log, sources, wait };
    let status = if let Some(status) = request.look() {
        status
    } else if request.removes() {
        request.remove()
    } else if !request.shows() && (jobs.is_some() || wants_trace(args)) {
        request.insert_with(jobs.unwrap_or(1), &watch)
    } else {
        request.insert()
    };
    let is_partial = config.is_partial && !request.removes();
    status.merge(tell_damage(&modules, log)).merge(Status::failure_if(is_partial))
}

/// A count of milliseconds, as `strtoul(3)` reads it: decimal, 0x or octal.
fn milliseconds(text: &[u8]) -> Option<Duration> {
    let (digits, base) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', _, ..] => (text, 8),
        _ => (text, 10),
    };
    number(digits, base).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_c_reads_numbers() {
        for (text, wait) in [("10", Some(10)), ("0x10", Some(16)), ("010", Some(8)), ("0", Some(0))]
        {
            assert_eq!(milliseconds(text.as_bytes()), wait.map(Duration::from_millis), "{text}");
        }
        for text in ["", "abc", "10x", "-", "\u{e4}", "99999999999999999999"] {
            assert_eq!(milliseconds(text.as_bytes()), None, "{text}");
        }
    }
}
