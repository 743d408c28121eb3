//! What `--help` prints, from an applet's definition: what it does, how it is called, a
//! line for each option, and the applet's notes. Whatever parses the command line, the
//! text is this one.

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
        text.push_str("  ");
        match option.short {
            Some(letter) => {
                text.push('-');
                text.push(letter);
                text.push_str(", ");
            }
            None => text.push_str("    "),
        }
        let form = form(option);
        text.push_str(&form);
        (form.len()..width + 2).for_each(|_| text.push(' '));
        text.push_str(option.help);
        text.push('\n');
    }
    if !applet.notes.is_empty() {
        text.push('\n');
        text.push_str(applet.notes);
        text.push('\n');
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
