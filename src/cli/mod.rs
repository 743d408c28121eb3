//! The command line. An option is defined once, as an [`Opt`]; parser and help
//! are made from that.

#[cfg(feature = "clap")]
mod clap;
mod environment;
mod help;
mod mistake;
#[cfg(any(test, not(feature = "clap")))]
mod scan;
#[cfg(test)]
mod tests;
mod version;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

#[cfg(feature = "clap")]
use clap::parse;
pub use environment::{MODPROBE_OPTIONS, for_commands};
#[cfg(not(feature = "clap"))]
use scan::parse;

use crate::error::{Error, Status};
use crate::format::text::number;
use crate::output::{Level, Log};

/// One option of an applet, a static: which one it is, is where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its long name, without the dashes.
    pub long: &'static str,
    /// Other long names for it, which help does not show.
    pub also: &'static [&'static str],
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called, if it takes one.
    pub value: Option<&'static str>,
    /// Its value where it is given none, which has to follow a `=` then.
    pub default: Option<&'static str>,
    /// Whether it says more when given twice.
    pub counts: bool,
    /// What it does, for `--help`; nothing where it is not shown.
    pub help: &'static str,
}

impl Opt {
    /// A switch with a letter.
    pub const fn switch(short: char, long: &'static str, help: &'static str) -> Self {
        Self {
            long,
            also: &[],
            short: Some(short),
            value: None,
            default: None,
            counts: false,
            help,
        }
    }

    /// A switch with a long name alone.
    pub const fn long(long: &'static str, help: &'static str) -> Self {
        Self { long, also: &[], short: None, value: None, default: None, counts: false, help }
    }

    /// An option with a value.
    pub const fn value(
        short: char,
        long: &'static str,
        value: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            long,
            also: &[],
            short: Some(short),
            value: Some(value),
            default: None,
            counts: false,
            help,
        }
    }

    /// An option with a long name alone that takes a value.
    pub const fn long_value(long: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { value: Some(value), ..Self::long(long, help) }
    }

    /// Whether it takes a value and there is none that stands for none.
    fn needs_value(&self) -> bool {
        self.value.is_some() && self.default.is_none()
    }

    /// All its long names.
    fn names(&self) -> impl Iterator<Item = &&'static str> {
        self.also.iter().chain(std::slice::from_ref(&self.long))
    }

    /// The same with more long names.
    pub const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }
}

/// `-h`, of every applet.
pub static HELP: Opt = Opt::switch('h', "help", "Show this help and exit");
/// `-V`, of every applet.
pub static VERSION: Opt = Opt::switch('V', "version", "Show the version and exit");
/// `-s`, of every applet that logs.
pub static SYSLOG: Opt = Opt::switch('s', "syslog", "Log to syslog, not to standard error");
/// `-v`, of every applet that acts.
pub static VERBOSE: Opt =
    Opt { counts: true, ..Opt::switch('v', "verbose", "Say what is done; twice, say how") };
/// `-C`, of every applet that finds modules by name.
pub static CONFIG: Opt =
    Opt::value('C', "config", "PATH", "Read PATH in place of the modprobe.d directories");
/// `-d`, of every applet that finds modules by name.
pub static DIRNAME: Opt = Opt::value('d', "dirname", "DIR", "Look for modules in DIR/lib/modules");
/// `-S`, of every applet that finds modules by name.
pub static SET_VERSION: Opt =
    Opt::value('S', "set-version", "RELEASE", "Use this release in place of 'uname -r'");
/// `-q`, of every applet that finds modules by name.
pub static QUIET: Opt = Opt::switch('q', "quiet", "Print no errors");
/// `-f`, of every applet that acts.
pub static FORCE: Opt = Opt::switch('f', "force", "Same as both --force-... options");
/// `-j`, of every applet that inserts many modules.
pub static JOBS: Opt = Opt::value('j', "jobs", "N", "Insert with N workers at once");
/// Of every applet that inserts many modules.
pub static TRACE: Opt = Opt::long_value("trace", "FILE", "Write where the time went to FILE");
/// Of every applet that inserts.
pub static FORCE_MODVERSION: Opt = Opt::long("force-modversion", "Ignore the versions of symbols");
/// Of every applet that inserts.
pub static FORCE_VERMAGIC: Opt = Opt::long("force-vermagic", "Ignore the version magic");

/// One command: what it is called, what it takes and what it does.
pub struct Applet {
    /// Its name, by which it is called.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What follows the options, as help shows it.
    pub operands: &'static str,
    /// What `--help` says after the options.
    pub notes: &'static str,
    /// Its options, without those that every applet has.
    pub options: &'static [&'static Opt],
    /// A variable whose words stand before those of the command line.
    pub environment: Option<&'static str>,
    /// How it starts to log before its options say otherwise.
    pub level: Level,
    /// How it ends where the command line is wrong.
    pub misuse: Status,
    /// Does it.
    pub run: fn(&Args, &Log) -> Status,
}

/// An option that was given.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    option: &'static Opt,
    /// One for each time; those of a switch are empty.
    values: Vec<OsString>,
}

/// A command line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The options that were given, in the order of where each was given last.
    given: Vec<Given>,
    /// What is no option, in order.
    pub operands: Vec<OsString>,
    /// The command line alone, where an environment variable stood before it.
    own: Option<Box<Args>>,
}

impl Args {
    /// How often `option` was given; that a switch was, where twice says no more.
    pub fn count(&self, option: &Opt) -> usize {
        match self.values(option).len() {
            count if option.counts || option.value.is_some() => count,
            count => count.min(1),
        }
    }

    /// Whether `option` was given.
    pub fn has(&self, option: &Opt) -> bool {
        !self.values(option).is_empty()
    }

    /// All values of `option`.
    pub fn values(&self, option: &Opt) -> &[OsString] {
        let given = self.given.iter().find(|given| std::ptr::eq(given.option, option));
        given.map_or(&[], |given| &given.values)
    }

    /// The value of `option` that counts: the last.
    pub fn value(&self, option: &Opt) -> Option<&OsString> {
        self.values(option).last()
    }

    /// The directory that `option` names. An empty name is none: a script's variable that is
    /// not set is no wish for another place.
    pub fn directory(&self, option: &Opt) -> Option<&OsString> {
        self.value(option).filter(|directory| !directory.is_empty())
    }

    /// Which of `options` was given last.
    pub fn last<'o>(&self, options: &[&'o Opt]) -> Option<&'o Opt> {
        self.given.iter().rev().find_map(|given| {
            options.iter().copied().find(|&option| std::ptr::eq(given.option, option))
        })
    }

    /// The same without what came from the environment.
    pub fn own(&self) -> &Self {
        self.own.as_deref().unwrap_or(self)
    }
}

/// How many workers `option`, the applet's [`JOBS`], asks for.
pub fn jobs(args: &Args, option: &Opt) -> Result<Option<usize>, Error> {
    let Some(text) = args.value(option) else { return Ok(None) };
    match number(text.as_bytes(), 10).and_then(|jobs| usize::try_from(jobs).ok()) {
        Some(0) | None => {
            let text = text.to_string_lossy();
            Err(Error::said(format!("--jobs takes a number from 1 on, not '{text}'")))
        }
        jobs => Ok(jobs),
    }
}

impl Applet {
    /// Parses `words`, the command line without the applet's name, and runs.
    pub fn start(&'static self, words: &[OsString]) -> Status {
        let log = Log::new(self.name, self.level, false);
        let before = self.environment.and_then(std::env::var_os).map(environment::split);
        let parsed = match before {
            Some(mut all) if !all.is_empty() => {
                all.extend_from_slice(words);
                parse(self, &all)
                    .map(|all| Args { own: parse(self, words).ok().map(Box::new), ..all })
            }
            _ => parse(self, words),
        };
        let args = match parsed {
            Ok(args) => args,
            Err(why) => {
                let why = String::from_utf8_lossy(&why);
                log.error(format_args!("{why} (see {} --help)", self.name));
                return self.misuse;
            }
        };
        if args.has(&HELP) {
            return crate::output::print(&log, help::text(self).as_bytes());
        }
        if args.has(&VERSION) {
            return crate::output::print(&log, &version::VERSION_TEXT);
        }
        let level = match args.count(&VERBOSE) {
            0 => self.level,
            1 => self.level.max(Level::Notice),
            _ => Level::Info,
        };
        (self.run)(&args, &Log::new(self.name, level, args.has(&SYSLOG)))
    }

    /// Every option, those that all applets have at the end.
    pub fn all_options(&self) -> impl Iterator<Item = &'static Opt> {
        static ALWAYS: [&Opt; 2] = [&VERSION, &HELP];
        self.options.iter().chain(&ALWAYS).copied()
    }
}
