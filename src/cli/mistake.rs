//! Which option a name or a letter stands for, and what is said where it stands for none,
//! or a value is missing or too much. Every parser asks here, so that they all accept the
//! same abbreviations and complain in the same words; bytes, as those of the line may be
//! any.

use super::{Applet, Opt, help};

/// The option of `applet` called `name`, or the only one with a name that starts so.
pub fn named(applet: &Applet, name: &[u8]) -> Result<&'static Opt, Vec<u8>> {
    let mut found: Option<&Opt> = None;
    let mut several = false;
    let mut names = Vec::new();
    for option in applet.all_options() {
        for long in option.names() {
            let long = long.as_bytes();
            if long == name {
                return Ok(option);
            }
            if long.starts_with(name) {
                several |= found.is_some_and(|found| !std::ptr::eq(found, option));
                found = Some(option);
                let join: &[u8] = if names.is_empty() { b" is ambiguous: --" } else { b", --" };
                names.extend_from_slice(join);
                names.extend_from_slice(long);
            }
        }
    }
    if name.is_empty() {
        // Every name starts so.
        names.clear();
    }
    found.filter(|_| !several).ok_or_else(|| refused(b"--", name, &names))
}

/// The option of `applet` whose letter is the first of `letters`.
pub fn lettered(applet: &Applet, letters: &[u8]) -> Result<&'static Opt, Vec<u8>> {
    let letter = letters.first().map_or('\0', |&letter| char::from(letter));
    applet.all_options().find(|option| option.short == Some(letter)).ok_or_else(|| {
        // Of what is not ASCII, no byte alone.
        let count = letters.iter().take_while(|letter| !letter.is_ascii()).count().max(1);
        refused(b"-", letters.get(..count).unwrap_or_default(), b"")
    })
}

fn refused(dashes: &[u8], name: &[u8], names: &[u8]) -> Vec<u8> {
    let un: &[u8] = if names.is_empty() { b"unrecognized " } else { b"" };
    [un, b"option '", dashes, name, b"'", names].concat()
}

/// The switch `option` was given `value`.
pub fn unexpected(option: &Opt, value: &[u8]) -> Vec<u8> {
    let form = help::form(option);
    [b"unexpected value '", value, b"' for '", form.as_bytes(), b"' found; no more were expected"]
        .concat()
}

/// `option` ends the line, without its value.
pub fn missing(option: &Opt) -> Vec<u8> {
    let form = help::form(option);
    [b"a value is required for '", form.as_bytes(), b"' but none was supplied"].concat()
}
