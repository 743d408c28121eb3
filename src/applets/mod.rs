//! The commands, a file each. They do not know one another.

mod coldplug;
mod cost;
mod depmod;
mod insmod;
mod install;
mod lsmod;
mod modinfo;
mod modprobe;
mod rmmod;
mod static_nodes;
mod timeline;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::cli::{Applet, Args, CONFIG};
use crate::config::Config;
use crate::error::{Error, Status};
use crate::files;
use crate::format::trace::Trace;
use crate::kernel::linux;
use crate::moddir::ModuleDir;
use crate::output::{Level, Log, print};
use crate::root::Root;

/// What nanomod can be called as, in the order of help.
static APPLETS: [&Applet; 6] = [
    &insmod::APPLET,
    &modprobe::APPLET,
    &rmmod::APPLET,
    &lsmod::APPLET,
    &modinfo::APPLET,
    &depmod::APPLET,
];

/// nanomod itself: lists the others.
pub static NANOMOD: Applet = Applet {
    name: "nanomod",
    about: "Linux kernel-module loader",
    operands: "APPLET [ARGUMENT]...",
    notes: "Applets:
  insmod        Insert a module from a file
  modprobe      Insert or remove a module with what it needs
  rmmod         Remove modules
  lsmod         List the modules in the kernel
  modinfo       Print what modules say of themselves
  depmod        Make the indexes by which modprobe finds modules
  coldplug      Insert what this machine's hardware needs
  timeline      Draw where the time of a traced run went
  cost          Print what each module of a traced run costs
  static-nodes  Print the device nodes that modules ask for
  install       Make links to nanomod that are called like the applets

A link to nanomod called like one of the first six is that applet; one called
kmod is nanomod itself. 'nanomod APPLET --help' tells more.",
    options: &[],
    environment: None,
    level: Level::Error,
    run: list,
};

/// The applet that a link called `name` is.
pub fn by_link(name: &[u8]) -> Option<&'static Applet> {
    APPLETS.iter().copied().find(|applet| applet.name.as_bytes() == name)
}

/// The applet that the first argument `word` picks.
pub fn by_word(word: &[u8]) -> Option<&'static Applet> {
    match word {
        b"coldplug" => Some(&coldplug::APPLET),
        b"cost" => Some(&cost::APPLET),
        b"install" => Some(&install::APPLET),
        b"static-nodes" => Some(&static_nodes::APPLET),
        b"timeline" => Some(&timeline::APPLET),
        // kmod's words.
        b"list" => Some(&lsmod::APPLET),
        b"help" => Some(&NANOMOD),
        _ => by_link(word),
    }
}

/// What links are made for: the applets, and the name by which systemd's units and
/// Debian's hooks call for them.
pub fn linked() -> impl Iterator<Item = &'static str> {
    APPLETS.iter().map(|applet| applet.name).chain(["kmod"])
}

/// The modules of kernel `release` below `directory`; by default, of the running one
/// and below `/`, which an empty name means, too.
fn module_dir(
    directory: Option<&OsString>,
    release: Option<&OsString>,
) -> Result<ModuleDir, Error> {
    let root = match directory.filter(|directory| !directory.is_empty()) {
        None => Root::system(),
        Some(directory) => Root::new(&absolute(Path::new(directory))?),
    };
    let release = match release {
        Some(release) => release.as_bytes().to_vec(),
        None => self::release()?,
    };
    Ok(ModuleDir::new(&root, &release))
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

/// The trace that the one operand of `applet` names; `-` is standard input.
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
    APPLETS.iter().copied().chain([
        &install::APPLET,
        &static_nodes::APPLET,
        &NANOMOD,
        &coldplug::APPLET,
        &cost::APPLET,
        &timeline::APPLET,
    ])
}

fn list(args: &Args, log: &Log) -> Status {
    if let Some(word) = args.operands.first() {
        let word = word.to_string_lossy();
        return log.error(format_args!("no applet '{word}' (see nanomod --help)"));
    }
    let text =
        format!("{}\n\nUsage: nanomod {}\n\n{}\n", NANOMOD.about, NANOMOD.operands, NANOMOD.notes);
    print(log, text.as_bytes())
}
