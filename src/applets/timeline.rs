//! `nanomod timeline`: a picture of a run, to see at a glance what it waited for.
//!
//! `trace` → critical path → [`layout`], which knows where everything is → [`svg`],
//! which knows how it looks.

mod layout;
mod svg;
mod words;

use std::path::Path;

use crate::applets::trace;
use crate::cli::{Applet, Args, Opt};
use crate::error::{Error, Status};
use crate::files;
use crate::output::{Level, Log, print};

static OUTPUT: Opt = Opt::value('o', "output", "FILE", "Write to FILE; - is standard output");

/// The command.
pub static APPLET: Applet = Applet {
    name: "nanomod timeline",
    about: "Draw where the time of a traced run went, as SVG",
    operands: "TRACE",
    notes: "TRACE is what --trace has written; - is standard input. A browser shows the
picture; pointing at a module tells its figures.",
    options: &[&OUTPUT],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    let trace = match trace(&APPLET, args) {
        Ok(trace) => trace,
        Err(error) => return log.error(error),
    };
    let picture = svg::draw(&trace);
    match args.value(&OUTPUT).filter(|file| *file != "-") {
        None => print(log, picture.as_bytes()),
        Some(file) => match files::save(Path::new(file), picture.as_bytes()) {
            Ok(()) => Status::Success,
            Err(error) => {
                log.error(Error::new(format!("could not write {}", file.to_string_lossy()), error))
            }
        },
    }
}
