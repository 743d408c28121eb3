//! The command line by clap: short options combine, long ones may be cut to
//! what is unambiguous, options may follow operands, as with `getopt_long(3)`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, value_parser};

use super::{Applet, Args, mistake};

const OPERANDS: &str = "operands";

/// Parses `words` as `applet`'s command line.
pub fn parse(applet: &'static Applet, words: &[OsString]) -> Result<Args, String> {
    match command(applet).try_get_matches_from_mut(words) {
        Ok(mut matches) => {
            let mut args = Args::default();
            for option in applet.all_options() {
                let last = matches.indices_of(option.long).and_then(Iterator::last);
                let (count, values) = if option.value.is_some() {
                    let values: Vec<OsString> =
                        matches.remove_many(option.long).map(Iterator::collect).unwrap_or_default();
                    (values.len(), values)
                } else if option.counts {
                    (usize::from(matches.get_count(option.long)), Vec::new())
                } else {
                    (usize::from(matches.get_flag(option.long)), Vec::new())
                };
                args.given.push((option.long, count, values, last.unwrap_or_default()));
            }
            args.operands =
                matches.remove_many(OPERANDS).map(Iterator::collect).unwrap_or_default();
            Ok(args)
        }
        Err(error) => Err(explain(applet, &error)),
    }
}

/// What is wrong, of the three things that can be wrong with these definitions.
fn explain(applet: &'static Applet, error: &clap::Error) -> String {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (subject, value) = (told(ContextKind::InvalidArg), told(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => mistake::unknown(applet, subject),
        ErrorKind::TooManyValues => mistake::unexpected(subject, value),
        _ => mistake::missing(subject),
    }
}

fn command(applet: &'static Applet) -> Command {
    let mut command = Command::new(applet.name)
        .no_binary_name(true)
        .infer_long_args(true)
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for option in applet.all_options() {
        let mut arg = Arg::new(option.long).long(option.long).aliases(option.also);
        if let Some(letter) = option.short {
            arg = arg.short(letter);
        }
        arg = match option.value {
            Some(_) if option.default.is_some() => arg
                .value_parser(value_parser!(OsString))
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_values(option.default)
                .action(ArgAction::Append),
            Some(_) => arg
                .value_parser(value_parser!(OsString))
                .allow_hyphen_values(true)
                .action(ArgAction::Append),
            None if option.counts => arg.action(ArgAction::Count),
            None => arg.action(ArgAction::SetTrue),
        };
        command = command.arg(arg);
    }
    command.arg(
        Arg::new(OPERANDS)
            .num_args(0..)
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append),
    )
}
