//! What is wrong with a command line, in the words that every parser uses for it.

use super::Applet;

/// `subject`, a letter with its dash or a name with its two, is no option, or stands for
/// more than one.
pub fn unknown(applet: &Applet, subject: &str) -> String {
    let mut text = ["unrecognized option '", subject, "'"].concat();
    if let Some(start) = subject.strip_prefix("--").filter(|start| !start.is_empty()) {
        let mut join = " is ambiguous: --";
        let longs =
            applet.all_options().flat_map(|option| option.also.iter().chain([&option.long]));
        for long in longs.filter(|long| long.starts_with(start)) {
            if join.starts_with(' ') {
                text = ["option '", subject, "'"].concat();
            }
            text.push_str(join);
            text.push_str(long);
            join = ", --";
        }
    }
    text
}

/// The switch `subject` was given `value`.
pub fn unexpected(subject: &str, value: &str) -> String {
    ["unexpected value '", value, "' for '", subject, "' found; no more were expected"].concat()
}

/// The option `subject` ends the line, without its value.
pub fn missing(subject: &str) -> String {
    ["a value is required for '", subject, "' but none was supplied"].concat()
}
