//! `nanomod coldplug`: loads what this machine's hardware needs, from an initramfs's
//! `/init` or later.
//!
//! ```text
//! names, modules-load.d ──▶ one plan ◀── /sys/devices, and then uevents
//!                              │
//!                              └▶ workers ──▶ wait ──▶ report
//! ```
//!
//! It listens before it looks, so that no device is missed between the two, and looks
//! while the first modules are inserted; each modalias is looked up once. The
//! configuration holds as for `modprobe -b`.

mod drive;
mod gather;
mod tell;

use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::applets::{
    configuration, lacks_module_support, module_dir, tell_damage, wants_json, wants_trace,
};
use crate::cli::{
    self, Applet, Args, CONFIG, DIRNAME, Opt, QUIET, SET_VERSION, SYSLOG, TRACE, VERBOSE,
    for_commands, jobs,
};
use crate::error::{Error, Status};
use crate::format::text::number;
use crate::kernel::execute::Manner;
use crate::kernel::linux::{Linux, is_initramfs, processors};
use crate::kernel::queue::{MOST_JOBS, Queue, Tools};
use crate::kernel::uevent::Uevents;
use crate::kernel::watch::Watch;
use crate::kernel::{Guard, Insertion};
use crate::output::{Level, Log};
use crate::resolve::Sources;
use crate::root::Root;
use drive::Drive;
use gather::Gathered;

static WAIT_FOR: Opt =
    Opt::long_value("wait-for", "PATH", "Wait until PATH is there (may be given again)");
static SETTLE: Opt = Opt {
    default: Some("250"),
    ..Opt::long_value("settle", "MS", "Wait until nothing new came for MS (250) ms")
};
static TIMEOUT: Opt = Opt::long_value("timeout", "S", "Wait no longer than S seconds (30)");
static JOBS: Opt = Opt { help: "Insert with N workers at once (processors + 2)", ..cli::JOBS };
static LISTS_FIRST: Opt = Opt::long("lists-first", "Insert all that is listed before any hardware");
static LOCK: Opt = Opt::long("lock", "At the end, have the kernel take no more modules");
static DRY_RUN: Opt = Opt::switch('n', "dry-run", "Print what would be inserted, and don't do it");
static JSON: Opt = Opt::long("json", "Print a report as JSON; with -n, the plan");

/// The command.
pub static APPLET: Applet = Applet {
    name: "coldplug",
    about: "Insert what this machine's hardware needs",
    operands: "[NAME]...",
    notes: "First come the NAMEs, then what modules_load= on the kernel command line,
modules-load.d and /etc/modules list, then the hardware, in one plan. PATH is a
device's node or a path in /sys. The exit status is 0 if all that was waited for
is there, 1 if a NAME could not be inserted or something not be read that is
there, 2 if a PATH did not come, 3 if the kernel could not be locked, 64 for a
wrong command line: the highest that holds. What else fails is logged and
changes nothing.",
    options: &[
        &WAIT_FOR,
        &SETTLE,
        &TIMEOUT,
        &LISTS_FIRST,
        &JOBS,
        &LOCK,
        &DRY_RUN,
        #[cfg(feature = "json")]
        &JSON,
        #[cfg(feature = "trace")]
        &TRACE,
        &CONFIG,
        &DIRNAME,
        &SET_VERSION,
        &QUIET,
        &SYSLOG,
        &VERBOSE,
    ],
    environment: None,
    level: Level::Warning,
    misuse: Status::Usage,
    run,
};

/// How long there is to wait.
struct Patience {
    /// For anything, from the start on.
    timeout: Duration,
    /// For something new, after the last that was.
    settle: Option<Duration>,
}

fn run(args: &Args, log: &Log) -> Status {
    let watch = Watch::start(wants_trace(args));
    let silenced = args.has(&QUIET).then(|| log.silenced());
    let log = silenced.as_ref().unwrap_or(log);
    let (patience, jobs) = match (patience(args), jobs(args, &JOBS)) {
        (Ok(patience), Ok(jobs)) => (patience, jobs.unwrap_or_else(default_jobs)),
        (Err(error), _) | (_, Err(error)) => {
            log.error(error);
            return APPLET.misuse;
        }
    };
    // Before anything is looked at: what comes later is told here.
    let uevents = if args.has(&DRY_RUN) { None } else { listen(log) };
    let modules = match module_dir(args.directory(&DIRNAME), args.value(&SET_VERSION)) {
        Ok(modules) => modules,
        Err(error) => return log.fatal(error),
    };
    let system = Root::system();
    // The process ends with these: nothing is gained by giving them back.
    let modules = ManuallyDrop::new(modules);
    let config = ManuallyDrop::new(configuration(args, &modules, log));
    if !modules.is_indexed() && !lacks_module_support(args) {
        let directory = modules.path().to_string_lossy();
        let message = "no modules.dep.bin or modules.dep in";
        log.warning(format_args!("{message} {directory} (run depmod?)"));
    }
    let sources = Sources { config: &config, modules: &modules };
    let mut gathered = Gathered::new(sources, &system, log);
    for name in &args.operands {
        gathered.named(name.as_bytes());
    }
    gathered.listed(is_initramfs(&system));
    // With options for an alias, who leads to a module has to be known before it is
    // inserted for somebody else.
    if args.has(&DRY_RUN) || (config.has_options_of_aliases() && !args.has(&LISTS_FIRST)) {
        gathered.hardware(false);
    }
    let (graph, goals) = gathered.plan();
    if args.has(&DRY_RUN) {
        let status = gathered.status().merge(tell_damage(&modules, log));
        return tell::plan(log, &graph, wants_json(args, &JSON)).merge(status);
    }
    let kernel = Linux::new(system.clone(), log.tells(Level::Error));
    let kernel = kernel.with_options(for_commands(args));
    let verbose = args.has(&VERBOSE).then_some(log);
    let insert = Insertion { guard: Guard::new(&config), ..Insertion::default() };
    let manner = Manner { insert, ..Manner::default() };
    let tools = Tools { manner, kernel: &kernel, verbose };
    let queue = Queue::new(graph, jobs, tools, &watch);
    Drive::new(args, log, &system, gathered, goals, uevents, queue).run(&patience, &watch)
}

fn listen(log: &Log) -> Option<Uevents> {
    Uevents::open()
        .map_err(|errno| {
            let error = Error::new("could not listen to the kernel's uevents", errno);
            log.warning(error.note("looking again instead"));
        })
        .ok()
}

/// One for each processor, and two to wait for the kernel meanwhile.
fn default_jobs() -> usize {
    processors().saturating_add(2).min(MOST_JOBS)
}

fn patience(args: &Args) -> Result<Patience, Error> {
    for path in args.values(&WAIT_FOR).iter().map(|path| path.to_string_lossy()) {
        if !path.starts_with('/') {
            let what = "--wait-for takes an absolute path, as /dev/sda1";
            return Err(Error::said(format!("{what}, not '{path}'")));
        }
    }
    let given = |option: &Opt, unit| match args.value(option) {
        None => Ok(None),
        Some(text) => match duration(text.as_bytes(), unit) {
            Some(duration) => Ok(Some(duration)),
            None => {
                let (option, text) = (option.long, text.to_string_lossy());
                Err(Error::said(format!("--{option} takes a number, not '{text}'")))
            }
        },
    };
    Ok(Patience {
        timeout: given(&TIMEOUT, 1000)?.unwrap_or(Duration::from_secs(30)),
        settle: given(&SETTLE, 1)?,
    })
}

/// A decimal number of units of so many milliseconds, to the millisecond.
fn duration(text: &[u8], unit: u64) -> Option<Duration> {
    let (whole, part) =
        text.split_at_checked(text.iter().position(|&c| c == b'.').unwrap_or(text.len()))?;
    let mut milliseconds = number(whole, 10)?.checked_mul(unit)?;
    let mut worth = unit;
    for digit in part.iter().skip(1) {
        worth /= 10;
        milliseconds =
            milliseconds.checked_add(worth * number(std::slice::from_ref(digit), 10)?)?;
    }
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_decimal() {
        let milliseconds =
            |text: &str, unit| duration(text.as_bytes(), unit).map(|duration| duration.as_millis());
        for (text, unit, is) in [
            ("0", 1000, Some(0)),
            ("30", 1000, Some(30_000)),
            ("2.5", 1000, Some(2500)),
            ("0.0019", 1000, Some(1)),
            ("250", 1, Some(250)),
            ("1.9", 1, Some(1)),
            ("", 1000, None),
            (".5", 1000, None),
            ("-1", 1000, None),
            ("1s", 1000, None),
            ("99999999999999999999", 1, None),
        ] {
            assert_eq!(milliseconds(text, unit), is, "{text}");
        }
    }
}
