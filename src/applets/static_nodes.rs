//! `nanomod static-nodes`: the device nodes that have to be there before the modules
//! behind them are loaded, from `modules.devname`. Opening one has the kernel load
//! its module.
//!
//! ```text
//! modules.devname    MODULE NODE c|bMAJOR:MINOR        (depmod(8))
//! ```

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::applets::module_dir;
use crate::cli::{Applet, Args, Opt};
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::text::{lines, words};
use crate::output::{Level, Log, print};

static FORMAT: Opt =
    Opt::value('f', "format", "FORMAT", "human (the default), tmpfiles or devname");
static OUTPUT: Opt = Opt::value('o', "output", "FILE", "Write to FILE");

/// The command.
pub static APPLET: Applet = Applet {
    name: "nanomod static-nodes",
    about: "Print the device nodes that modules ask for",
    operands: "",
    notes: "tmpfiles is what systemd-tmpfiles reads, devname what modules.devname holds.",
    options: &[&FORMAT, &OUTPUT],
    environment: None,
    level: Level::Warning,
    misuse: Status::Failure,
    run,
};

/// A device node.
struct Node<'a> {
    module: &'a [u8],
    name: &'a [u8],
    /// Whether it is a character device.
    character: bool,
    major: u32,
    minor: u32,
}

fn run(args: &Args, log: &Log) -> Status {
    let write = match args.value(&FORMAT).map(|format| format.as_bytes()) {
        None | Some(b"human") => human,
        Some(b"tmpfiles") => tmpfiles,
        Some(b"devname") => devname,
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return log.error(format_args!("Unknown format: '{other}'."));
        }
    };
    let path = match module_dir(None, None) {
        Ok(modules) => modules.path().join("modules.devname"),
        Err(error) => return log.error(error),
    };
    let content = match files::read(&path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            log.warning(format_args!("{} not found - ignoring", path.display()));
            Vec::new()
        }
        Err(error) => return log.error(Error::reading(&path, error)),
    };
    let mut text = Vec::new();
    let mut status = Status::Success;
    for (number, line) in lines(&content).enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match parse(line) {
            Some(node) => write(&mut text, &node),
            None => {
                let (path, line) = (path.display(), String::from_utf8_lossy(line));
                status = log.error(format_args!(
                    "{path} line {}: ignoring invalid entry '{line}'",
                    number + 1
                ));
            }
        }
    }
    match args.value(&OUTPUT) {
        None => print(log, &text).merge(status),
        Some(file) => match save(Path::new(file), &text) {
            Ok(()) => status,
            Err(cause) => {
                log.error(Error::new(format!("could not write {}", file.to_string_lossy()), cause))
            }
        },
    }
}

fn parse(line: &[u8]) -> Option<Node<'_>> {
    let mut words = words(line);
    let (module, name, device) = (words.next()?, words.next()?, words.next()?);
    let (kind, numbers) = device.split_first()?;
    let (major, minor) = std::str::from_utf8(numbers).ok()?.split_once(':')?;
    let character = match kind {
        b'c' => true,
        b'b' => false,
        _ => return None,
    };
    Some(Node { module, name, character, major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn human(text: &mut Vec<u8>, node: &Node<'_>) {
    let kind = if node.character { "character" } else { "block" };
    text.extend_from_slice(
        &[b"Module: ", node.module, b"\n\tDevice node: /dev/", node.name].concat(),
    );
    let (major, minor) = (node.major, node.minor);
    let rest = format!("\n\t\tType: {kind} device\n\t\tMajor: {major}\n\t\tMinor: {minor}\n");
    text.extend_from_slice(rest.as_bytes());
}

fn tmpfiles(text: &mut Vec<u8>, node: &Node<'_>) {
    if let Some(slash) = node.name.iter().rposition(|&c| c == b'/') {
        let directory = node.name.get(..slash).unwrap_or_default();
        text.extend_from_slice(&[b"d /dev/", directory, b" 0755 - - -\n"].concat());
    }
    text.extend_from_slice(&[kind(node), b"! /dev/", node.name, b" 0600 - - - "].concat());
    text.extend_from_slice(format!("{}:{}\n", node.major, node.minor).as_bytes());
}

fn devname(text: &mut Vec<u8>, node: &Node<'_>) {
    text.extend_from_slice(&[node.module, b" ", node.name, b" ", kind(node)].concat());
    text.extend_from_slice(format!("{}:{}\n", node.major, node.minor).as_bytes());
}

fn kind(node: &Node<'_>) -> &'static [u8] {
    if node.character { b"c" } else { b"b" }
}

/// Writes `file` whole or not at all, and the directories that lead there.
fn save(file: &Path, text: &[u8]) -> Result<(), Cause> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    Ok(files::save(file, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(write: fn(&mut Vec<u8>, &Node<'_>), line: &str) -> String {
        let mut text = Vec::new();
        write(&mut text, &parse(line.as_bytes()).unwrap());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn formats_are_those_of_kmod() {
        let line = "snd_timer snd/timer c116:33";
        assert_eq!(show(devname, line), format!("{line}\n"));
        assert_eq!(
            show(tmpfiles, line),
            "d /dev/snd 0755 - - -\nc! /dev/snd/timer 0600 - - - 116:33\n"
        );
        assert_eq!(
            show(human, "loop loop0 b7:0"),
            "Module: loop\n\tDevice node: /dev/loop0\n\t\tType: block device\n\t\tMajor: 7\n\t\tMinor: 0\n"
        );
        for line in ["a b", "a b c1", "a b x1:2", "a b c1:x", ""] {
            assert!(parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_file_is_written_with_its_directories() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/c");
        save(&file, b"x").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"x");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }
}
