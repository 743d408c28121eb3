//! The command line by clap: short options combine, long ones may be cut to
//! what is unambiguous, options may follow operands, as with `getopt_long(3)`.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command, value_parser};

use super::{Applet, Args, HELP, Parsed};

const OPERANDS: &str = "operands";

/// Parses `words` as `applet`'s command line.
pub fn parse(applet: &'static Applet, words: &[OsString]) -> Parsed {
    let mut command = command(applet);
    match command.try_get_matches_from_mut(words) {
        Ok(matches) if matches.get_flag(HELP.long) => {
            Parsed::Help(command.render_help().to_string())
        }
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
            Parsed::Args(args)
        }
        Err(error) => Parsed::Error(explain(applet, &error)),
    }
}

/// clap's message, or its first line without the word "error".
fn explain(applet: &'static Applet, error: &clap::Error) -> String {
    let subject = error.get(ContextKind::InvalidArg);
    match (error.kind(), subject) {
        (ErrorKind::UnknownArgument, Some(subject)) => {
            let subject = subject.to_string();
            let start = subject.trim_start_matches('-');
            let longs =
                applet.all_options().flat_map(|option| option.also.iter().chain([&option.long]));
            let candidates: Vec<&str> = longs
                .copied()
                .filter(|long| subject.len() > 2 && long.starts_with(start))
                .collect();
            match candidates.len() {
                0 => format!("unrecognized option '{subject}'"),
                _ => format!("option '{subject}' is ambiguous: --{}", candidates.join(", --")),
            }
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

fn command(applet: &'static Applet) -> Command {
    let mut command = Command::new(applet.name)
        .about(applet.about)
        .override_usage(format!("{} [OPTION]... {}", applet.name, applet.operands))
        .after_help(applet.notes)
        .no_binary_name(true)
        .infer_long_args(true)
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .help_template("{about}\n\n{usage-heading} {usage}\n\nOptions:\n{options}{after-help}\n");
    for option in applet.all_options() {
        let mut arg = Arg::new(option.long)
            .long(option.long)
            .aliases(option.also)
            .help(option.help)
            .hide(option.help.is_empty());
        if let Some(letter) = option.short {
            arg = arg.short(letter);
        }
        arg = match option.value {
            Some(name) if option.default.is_some() => arg
                .value_name(name)
                .value_parser(value_parser!(OsString))
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_values(option.default)
                .action(ArgAction::Append),
            Some(name) => arg
                .value_name(name)
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
            .hide(true)
            .num_args(0..)
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append),
    )
}
