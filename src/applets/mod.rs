//! The commands, a file each. They do not know one another.

#[cfg(feature = "coldplug")]
mod coldplug;
#[cfg(feature = "cost")]
mod cost;
#[cfg(feature = "depmod")]
mod depmod;
#[cfg(feature = "insmod")]
mod insmod;
#[cfg(feature = "install")]
mod install;
#[cfg(feature = "lsmod")]
mod lsmod;
#[cfg(feature = "modinfo")]
mod modinfo;
#[cfg(feature = "modprobe")]
mod modprobe;
#[cfg(feature = "rmmod")]
mod rmmod;
#[cfg(feature = "static-nodes")]
mod static_nodes;
#[cfg(feature = "timeline")]
mod timeline;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cli::{Applet, Args, CONFIG, DIRNAME, Opt, SET_VERSION, TRACE};
use crate::config::Config;
use crate::error::{Error, Status};
use crate::files;
use crate::format::trace::Trace;
use crate::kernel::linux;
use crate::moddir::ModuleDir;
use crate::output::{Level, Log, print};
use crate::root::Root;
use crate::state;

/// What nanomod can be called as, in the order of help.
static LINKS: &[&Applet] = &[
    #[cfg(feature = "insmod")]
    &insmod::APPLET,
    #[cfg(feature = "modprobe")]
    &modprobe::APPLET,
    #[cfg(feature = "rmmod")]
    &rmmod::APPLET,
    #[cfg(feature = "lsmod")]
    &lsmod::APPLET,
    #[cfg(feature = "modinfo")]
    &modinfo::APPLET,
    #[cfg(feature = "depmod")]
    &depmod::APPLET,
];

/// What its first argument can be besides.
static WORDS: &[&Applet] = &[
    #[cfg(feature = "coldplug")]
    &coldplug::APPLET,
    #[cfg(feature = "timeline")]
    &timeline::APPLET,
    #[cfg(feature = "cost")]
    &cost::APPLET,
    #[cfg(feature = "static-nodes")]
    &static_nodes::APPLET,
    #[cfg(feature = "install")]
    &install::APPLET,
];

/// The names of links to what this nanomod was built without.
static ABSENT: &[&str] = &[
    #[cfg(not(feature = "insmod"))]
    "insmod",
    #[cfg(not(feature = "modprobe"))]
    "modprobe",
    #[cfg(not(feature = "rmmod"))]
    "rmmod",
    #[cfg(not(feature = "lsmod"))]
    "lsmod",
    #[cfg(not(feature = "modinfo"))]
    "modinfo",
    #[cfg(not(feature = "depmod"))]
    "depmod",
];

/// nanomod itself: lists the others.
pub static NANOMOD: Applet = Applet {
    name: "nanomod",
    about: "Linux kernel-module loader",
    operands: "APPLET [ARGUMENT]...",
    notes: "",
    options: &[],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run: list,
};

/// The applet that a link called `name` is.
pub fn by_link(name: &[u8]) -> Option<&'static Applet> {
    find(LINKS, name)
}

/// The name `called` if that is of an applet that is not here: to list the others in its
/// place would be to do nothing, and to say that it is done.
pub fn absent(called: &[u8]) -> Option<&'static str> {
    ABSENT.iter().copied().find(|name| name.as_bytes() == called)
}

/// The applet that the first argument `word` picks.
pub fn by_word(word: &[u8]) -> Option<&'static Applet> {
    let word = match word {
        // kmod's words.
        b"list" => b"lsmod",
        b"help" | b"-h" | b"--help" => return Some(&NANOMOD),
        word => word,
    };
    by_link(word).or_else(|| find(WORDS, word))
}

fn find(applets: &[&'static Applet], name: &[u8]) -> Option<&'static Applet> {
    applets.iter().copied().find(|applet| word(applet).as_bytes() == name)
}

/// What picks `applet`: its name, of which one that no link can be called has two words.
fn word(applet: &Applet) -> &'static str {
    applet.name.strip_prefix("nanomod ").unwrap_or(applet.name)
}

/// What links are made for: the applets, and the name by which systemd's units and
/// Debian's hooks call for them.
pub fn linked() -> impl Iterator<Item = &'static str> {
    LINKS.iter().map(|applet| applet.name).chain(["kmod"])
}

/// The modules of kernel `release` below `directory`; by default, of the running one
/// and below `/`.
fn module_dir(
    directory: Option<&OsString>,
    release: Option<&OsString>,
) -> Result<ModuleDir, Error> {
    let root = match directory {
        None => Root::system(),
        Some(directory) => Root::new(&absolute(Path::new(directory))?),
    };
    let release = match release {
        Some(release) => release.as_bytes().to_vec(),
        None => self::release()?,
    };
    Ok(ModuleDir::new(&root, &release))
}

/// Whether that the running kernel takes no modules explains that there are none: those of
/// another kernel or root are not there for another reason.
#[cfg(any(feature = "modprobe", feature = "coldplug"))]
fn lacks_module_support(args: &Args) -> bool {
    let is_own = args.directory(&DIRNAME).is_none() && !args.has(&SET_VERSION);
    is_own && !state::has_module_support(&Root::system())
}

/// The configuration for `modules` that the options of `args` ask for. What is wrong with
/// it is told.
fn configuration(args: &Args, modules: &ModuleDir, log: &Log) -> Config {
    let config = Config::load(&Root::system(), args.values(&CONFIG), modules.path());
    for error in &config.errors {
        log.error(error);
    }
    for warning in &config.warnings {
        log.warning(warning);
    }
    config
}

/// Tells what was wrong with the indexes, if anything was. It is a failure if nobody knows what
/// one of them has, as something may be undone.
#[cfg(any(feature = "modprobe", feature = "coldplug", feature = "modinfo"))]
fn tell_damage(modules: &ModuleDir, log: &Log) -> Status {
    // A failure does not go without a word where warnings do.
    let is_silent = modules.is_partial() && !log.tells(Level::Warning);
    let level = if is_silent { Level::Error } else { Level::Warning };
    modules.take_warnings().iter().for_each(|warning| log.tell(level, warning));
    Status::failure_if(modules.is_partial())
}

/// Whether `option`, that for JSON, is given.
#[cfg(feature = "json")]
fn wants_json(args: &Args, option: &Opt) -> bool {
    args.has(option)
}

/// The same where JSON is left out of the binary, and all that makes it.
#[cfg(not(feature = "json"))]
fn wants_json(_: &Args, _: &Opt) -> bool {
    false
}

/// Whether a trace is asked for.
#[cfg(feature = "trace")]
fn wants_trace(args: &Args) -> bool {
    args.has(&TRACE)
}

/// The same where `--trace` is left out of the binary.
#[cfg(not(feature = "trace"))]
fn wants_trace(_: &Args) -> bool {
    false
}

/// The trace that the one operand of `applet` names; `-` is standard input.
#[cfg(any(feature = "timeline", feature = "cost"))]
fn trace(applet: &Applet, args: &Args) -> Result<Trace, Error> {
    let [file] = args.operands.as_slice() else {
        return Err(Error::said(format!("takes one trace (see {} --help)", applet.name)));
    };
    let path = Path::new(if file == "-" { OsStr::new("/dev/stdin") } else { file });
    let content = files::read(path).map_err(|error| Error::reading(path, error))?;
    Trace::read(&content).map_err(|why| Error::reading(path, why))
}

/// The release of the running kernel.
fn release() -> Result<Vec<u8>, Error> {
    linux::release().map_err(|errno| Error::new("could not read the kernel's release", errno))
}

/// `path` from the root on.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    files::absolute(path).map_err(|error| Error::new("could not read the current directory", error))
}

/// All applets.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static Applet> {
    LINKS.iter().chain(WORDS).copied().chain([&NANOMOD])
}

fn list(args: &Args, log: &Log) -> Status {
    if let Some(word) = args.operands.first() {
        let word = word.to_string_lossy();
        return log.error(format_args!("no applet '{word}' (see nanomod --help)"));
    }
    let mut text =
        format!("{}\n\nUsage: nanomod {}\n\nApplets:\n", NANOMOD.about, NANOMOD.operands);
    for applet in LINKS.iter().chain(WORDS) {
        text.push_str(&format!("  {:13} {}\n", word(applet), applet.about));
    }
    text.push_str(NOTES);
    print(log, text.as_bytes())
}

const NOTES: &str = "
A link to nanomod called like one of the first is that applet; one called
kmod is nanomod itself. 'nanomod APPLET --help' tells more.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_an_applet_or_known_to_be_none() {
        for name in ["insmod", "modprobe", "rmmod", "lsmod", "modinfo", "depmod"] {
            let name = name.as_bytes();
            assert_ne!(by_link(name).is_some(), absent(name).is_some());
        }
        assert!(absent(b"nanomod").is_none() && absent(b"kmod").is_none());
    }
}
