//! The command line by clap: short options combine, long ones may be cut to
//! what is unambiguous, options may follow operands, as with `getopt_long(3)`.
//!
//! All options are of one kind to clap, with values that are any bytes: a switch is one that
//! takes none, and an empty one is noted each time. Built without the feature `error-context`, clap says
//! what kind of mistake there is; where it is, is found here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Applet, Args, Given, mistake};
use crate::collect::Collect;

const OPERANDS: &str = "operands";

/// Parses `words` as `applet`'s command line.
pub fn parse(applet: &'static Applet, words: &[OsString]) -> Result<Args, Vec<u8>> {
    let mut command = command(applet);
    let mut matches = match command.try_get_matches_from_mut(words) {
        Ok(matches) => matches,
        Err(error) => {
            let kind = error.kind();
            let words = short(words);
            let refused = |at: &usize| {
                let start = words.get(..=*at).unwrap_or_default();
                command.try_get_matches_from_mut(start).is_err_and(|error| error.kind() == kind)
            };
            // A value is missing at the end; else, the shortest line that is wrong in this
            // way ends with the word.
            let last = words.len().saturating_sub(1);
            let at = if kind == ErrorKind::InvalidValue { last..last } else { 0..last };
            let word = words.get(at.into_iter().find(refused).unwrap_or(last));
            let word = word.map(|word| word.as_bytes()).unwrap_or_default();
            return Err(explain(applet, word).unwrap_or_else(|why| why));
        }
    };
    let mut args = Args::default();
    let mut places = Vec::new();
    for option in applet.all_options() {
        let Some(place) = matches.indices_of(option.long).and_then(Iterator::last) else {
            continue;
        };
        let values = values(&mut matches, option.long);
        let at = places.partition_point(|&other| other < place);
        places.insert(at, place);
        args.given.insert(at, Given { option, values });
    }
    args.operands = values(&mut matches, OPERANDS);
    Ok(args)
}

/// The line without the operands that stand behind others: they can be thousands, and none
/// of them is what is wrong, or an option's value.
fn short(words: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut before = false;
    for word in words {
        let is_option = word.as_bytes().starts_with(b"-");
        if before || is_option {
            kept.push(word.clone());
        }
        before = is_option;
    }
    kept
}

fn values(matches: &mut ArgMatches, name: &str) -> Vec<OsString> {
    matches.remove_many(name).map(Collect::vec).unwrap_or_default()
}

/// What is wrong with `word`.
fn explain(applet: &Applet, word: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    if let Some(long) = word.strip_prefix(b"--") {
        let mut parts = long.splitn(2, |&c| c == b'=');
        let option = mistake::named(applet, parts.next().unwrap_or_default())?;
        return Ok(match parts.next() {
            Some(value) => mistake::unexpected(option, value),
            None => mistake::missing(option),
        });
    }
    let mut letters = word;
    let mut why = Vec::new();
    while let [_, rest @ ..] = letters {
        if rest.is_empty() {
            break;
        }
        letters = rest;
        why = mistake::missing(mistake::lettered(applet, letters)?);
    }
    Ok(why)
}

fn command(applet: &'static Applet) -> Command {
    let mut command = Command::new(applet.name)
        .no_binary_name(true)
        .infer_long_args(true)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for option in applet.all_options() {
        let mut arg = arg(option.long).long(option.long).aliases(option.also);
        if let Some(letter) = option.short {
            arg = arg.short(letter);
        }
        command = command.arg(if option.needs_value() {
            arg.allow_hyphen_values(true)
        } else {
            arg.num_args(0..=usize::from(option.value.is_some()))
                .require_equals(option.value.is_some())
                .default_missing_value(option.default.unwrap_or_default())
        });
    }
    command.arg(arg(OPERANDS).num_args(0..))
}

fn arg(name: &'static str) -> Arg {
    Arg::new(name).value_parser(value_parser!(OsString)).action(ArgAction::Append)
}
