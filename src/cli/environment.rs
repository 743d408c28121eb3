//! Words of a command line that come from an environment variable.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{Args, CONFIG, QUIET, SYSLOG, VERBOSE};

/// What modprobe's command line starts with, and what the commands of modprobe.d get.
pub const MODPROBE_OPTIONS: &str = "MODPROBE_OPTIONS";

/// Splits `text` at blanks that are not within `'` or `"`, which are taken off.
pub fn split(text: OsString) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut quote = None;
    let mut text = text.into_vec();
    // The blank behind the text ends the last word, in quotes or not.
    let last = text.len();
    text.push(b' ');
    for (at, &c) in text.iter().enumerate() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == b'"' || c == b'\'' => quote = Some(c),
            _ if c == b' ' && (quote.is_none() || at == last) => {
                if !word.is_empty() {
                    words.push(OsString::from_vec(std::mem::take(&mut word)));
                }
            }
            _ => word.push(c),
        }
    }
    words
}

/// What starts the command lines of the modprobes that commands of modprobe.d call: they
/// are to do as the one that calls the commands, whose options are `args`.
pub fn for_commands(args: &Args) -> Vec<u8> {
    let mut options = std::env::var_os(MODPROBE_OPTIONS).unwrap_or_default().into_vec();
    let own = args.own();
    for path in own.values(&CONFIG) {
        let quote: &[u8] = match path.as_bytes() {
            path if path.contains(&b'"') => b"'",
            path if path.contains(&b' ') || path.contains(&b'\'') => b"\"",
            _ => b"",
        };
        for part in [b" -C ", quote, path.as_bytes(), quote] {
            options.extend_from_slice(part);
        }
    }
    for (option, text) in [(&SYSLOG, b" -s"), (&QUIET, b" -q"), (&VERBOSE, b" -v")] {
        (0..own.count(option)).for_each(|_| options.extend_from_slice(text));
    }
    options.trim_ascii_start().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_split_and_quotes_join() {
        assert_eq!(split("-q  -C '/a b' x\" y\"z".into()), ["-q", "-C", "/a b", "x yz"]);
        assert!(split("".into()).is_empty());
        assert_eq!(split("'open x".into()), ["open x"]);
    }
}
