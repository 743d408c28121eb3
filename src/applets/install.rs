//! `nanomod install`: makes the links by which the applets are called.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::applets::linked;
use crate::cli::{Applet, Args, Opt, VERBOSE};
use crate::error::{Error, Status};
use crate::output::{Level, Log};

static HARD: Opt = Opt::long("hard", "Make hard links");
static SOFT: Opt = Opt::long("soft", "Make symbolic links (the default)");
static FORCE: Opt = Opt::switch('f', "force", "Replace what has such a name already");

/// The command.
pub static APPLET: Applet = Applet {
    name: "nanomod install",
    about: "Make links to nanomod that are called like the applets",
    operands: "DIR",
    notes: "Where DIR holds a file 'nanomod', the links point to that one, so that a root
file system can be put together anywhere; else to the running program.",
    options: &[&HARD, &SOFT, &FORCE, &VERBOSE],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    let [directory] = args.operands.as_slice() else {
        return log.error("takes one directory (see nanomod install --help)");
    };
    if args.has(&HARD) && args.has(&SOFT) {
        return log.error("--hard and --soft exclude each other");
    }
    let directory = Path::new(directory);
    let original = match original(directory, args.has(&HARD)) {
        Ok(original) => original,
        Err(error) => return log.error(Error::new("could not find the running program", error)),
    };
    let mut status = Status::Success;
    for name in linked() {
        let link = directory.join(name);
        match make(&original, &link, args) {
            Ok(()) => log
                .tell(Level::Notice, format_args!("{} -> {}", link.display(), original.display())),
            Err(error) => {
                let hint = match error.kind() {
                    io::ErrorKind::AlreadyExists => Some("--force replaces it"),
                    io::ErrorKind::CrossesDevices => {
                        Some("copy nanomod there first, or use --soft")
                    }
                    _ => None,
                };
                let error = Error::new(format!("could not make {}", link.display()), error);
                let error = hint.into_iter().fold(error, Error::note);
                status = status.merge(log.error(error));
            }
        }
    }
    status
}

/// What the links point to.
fn original(directory: &Path, hard: bool) -> io::Result<PathBuf> {
    let beside = directory.join("nanomod");
    match fs::symlink_metadata(&beside) {
        Ok(_) if hard => Ok(beside),
        Ok(_) => Ok("nanomod".into()),
        Err(_) => std::env::current_exe(),
    }
}

/// Makes one link, whole or not at all: under a name of its own first.
fn make(original: &Path, link: &Path, args: &Args) -> io::Result<()> {
    let make = |link: &Path| match args.has(&HARD) {
        true => fs::hard_link(original, link),
        false => symlink(original, link),
    };
    if !args.has(&FORCE) {
        return make(link);
    }
    let mut temporary = link.as_os_str().to_owned();
    temporary.push(format!(".nanomod.{}", std::process::id()));
    make(Path::new(&temporary))?;
    let renamed = fs::rename(&temporary, link);
    // It is still there after a failure, and where both are the same file.
    let _ = fs::remove_file(&temporary);
    renamed
}
