//! Words of a command line that come from an environment variable.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Splits `text` at blanks that are not within `'` or `"`, which are taken off.
pub fn split(text: OsString) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut quote = None;
    for c in text.into_vec() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == b'"' || c == b'\'' => quote = Some(c),
            None if c == b' ' => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.into_iter().map(OsString::from_vec).collect()
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
