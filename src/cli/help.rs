//! What `--help` prints, from an applet's definition: what it does, how it is called, a
//! line for each option, and the applet's notes. Whatever parses the command line, the
//! text is this one.

use std::fmt::Write;

use super::{Applet, Opt};

/// The whole text.
pub fn text(applet: &Applet) -> String {
    let usage = if applet.operands.is_empty() { " [OPTION]..." } else { " [OPTION]... " };
    let parts =
        [applet.about, "\n\nUsage: ", applet.name, usage, applet.operands, "\n\nOptions:\n"];
    let mut text = parts.concat();
    let shown = || applet.all_options().filter(|option| !option.help.is_empty());
    let width = shown().map(|option| form(option).len()).max().unwrap_or_default();
    for option in shown() {
        let (dash, letter, comma) = match option.short {
            Some(letter) => ('-', letter, ','),
            None => (' ', ' ', ' '),
        };
        let form = form(option);
        // A string takes all that is written to it.
        let _ = writeln!(text, "  {dash}{letter}{comma} {form:width$}  {}", option.help);
    }
    if !applet.notes.is_empty() {
        let _ = writeln!(text, "\n{}", applet.notes);
    }
    text
}

/// How `option` is written: `--config <PATH>`, `--settle[=<MS>]`, `--verbose...`
pub fn form(option: &Opt) -> String {
    let [before, value, after] = match option.value {
        Some(value) if option.default.is_some() => ["[=<", value, ">]"],
        Some(value) => [" <", value, ">"],
        None if option.counts => ["...", "", ""],
        None => [""; 3],
    };
    ["--", option.long, before, value, after].concat()
}
