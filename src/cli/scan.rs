//! The command line by a few lines of code, where clap is left out: short options combine,
//! long ones may be cut to what is unambiguous, options may follow operands, as with
//! `getopt_long(3)`. It takes what clap takes and says what clap's file says, which tests
//! hold it to.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::slice::Iter;

use super::{Applet, Args, Given, Opt, mistake};

/// Parses `words` as `applet`'s command line.
pub fn parse(applet: &'static Applet, words: &[OsString]) -> Result<Args, Vec<u8>> {
    let mut args = Args::default();
    let mut words = words.iter();
    let mut ended = false;
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" if !ended => ended = true,
            [b'-', b'-', long @ ..] if !ended => {
                let end = long.iter().position(|&c| c == b'=').unwrap_or(long.len());
                let option = mistake::named(applet, long.get(..end).unwrap_or_default())?;
                take(&mut args, option, long.get(end + 1..), &mut words)?;
            }
            [b'-', letters @ ..] if !ended && !letters.is_empty() => {
                let mut letters = letters;
                while let [_, rest @ ..] = letters {
                    let option = mistake::lettered(applet, letters)?;
                    let value = match rest {
                        [b'=', value @ ..] if option.value.is_some() => Some(value),
                        [_, ..] if option.needs_value() => Some(rest),
                        _ => None,
                    };
                    letters = if value.is_some() { &[] } else { rest };
                    take(&mut args, option, value, &mut words)?;
                }
            }
            _ => args.operands.push(word.clone()),
        }
    }
    Ok(args)
}

/// Takes `option` with its value: the one that is `attached`, or what stands for none, or
/// the next of `words`.
fn take(
    args: &mut Args,
    option: &'static Opt,
    attached: Option<&[u8]>,
    words: &mut Iter<'_, OsString>,
) -> Result<(), Vec<u8>> {
    let value = match attached {
        Some(value) if option.value.is_none() => return Err(mistake::unexpected(option, value)),
        Some(value) => OsStr::from_bytes(value),
        None if option.needs_value() => words.next().ok_or_else(|| mistake::missing(option))?,
        None => OsStr::new(option.default.unwrap_or_default()),
    };
    let at = args.given.iter().position(|given| std::ptr::eq(given.option, option));
    let mut given = match at {
        Some(at) => args.given.remove(at),
        None => Given { option, values: Vec::new() },
    };
    given.values.push(value.to_owned());
    args.given.push(given);
    Ok(())
}
