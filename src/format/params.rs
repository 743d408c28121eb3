//! Module parameters on a command line, as the kernel reads them
//! (kernel: `kernel/params.c`): blank-separated `NAME=VALUE`, a value with
//! blanks in double quotes.

use crate::collect::Collect;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// Joins `words`, each one parameter. The shell took the quotes off a value with
/// blanks; it gets new ones.
pub fn join(words: &[OsString]) -> Vec<u8> {
    words.iter().map(|word| quote(word.as_bytes())).vec().join(&b' ')
}

fn quote(word: &[u8]) -> Vec<u8> {
    let value_at = word.iter().position(|&c| c == b'=').map_or(word.len(), |at| at + 1);
    match word.split_at_checked(value_at) {
        Some((key, value))
            if value.contains(&b' ') && !value.starts_with(b"\"") && !value.starts_with(b"'") =>
        {
            [key, b"\"", value, b"\""].concat()
        }
        _ => word.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_blanks_are_quoted_once() {
        let words = ["a=1", "b=x y", "c=\"x y\"", "d='x y'", "flag", "e f", "g="];
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        assert_eq!(join(&words), b"a=1 b=\"x y\" c=\"x y\" d='x y' flag e f g=");
        assert_eq!(join(&[]), b"");
    }
}
