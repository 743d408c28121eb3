//! Module names and alias patterns: how they fold and how they match.
//!
//! The kernel treats `-` and `_` in a module's name as one character, so names
//! are folded to `_` once, by [`ModuleName`]'s constructors, and compare only
//! as that type. Aliases fold too, except inside a bracket expression, where
//! `-` means a range. Patterns match as `fnmatch(3)` with flags 0 does: `*`
//! and `?` cross `/`, a leading dot is plain, `\` quotes the next character.

use crate::collect::Collect;
use std::fmt;

/// A module's name with `-` folded to `_`: the only form in which names compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleName(Vec<u8>);

impl ModuleName {
    /// Folds `name`; anything but `-` is kept.
    pub fn new(name: &[u8]) -> Self {
        Self(name.iter().map(|&c| if c == b'-' { b'_' } else { c }).vec())
    }

    /// The name of the module in the file `path`: its last component up to the
    /// first dot, so that `kernel/fs/x-y.ko.xz` is `x_y`.
    pub fn from_path(path: &[u8]) -> Self {
        let file = path.rsplit(|&c| c == b'/').next().unwrap_or(path);
        Self::new(file.split(|&c| c == b'.').next().unwrap_or(file))
    }

    /// The folded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// An alias or alias pattern with `-` folded to `_` outside bracket
/// expressions; `None` where a bracket has no partner.
pub fn fold_alias(alias: &[u8]) -> Option<Vec<u8>> {
    let mut bracketed = false;
    let mut folded = alias.to_vec();
    for c in &mut folded {
        match c {
            b'-' if !bracketed => *c = b'_',
            b'[' => bracketed = true,
            b']' if !bracketed => return None,
            b']' => bracketed = false,
            _ => {}
        }
    }
    (!bracketed).then_some(folded)
}

/// Whether `text` matches `pattern`, as `fnmatch(pattern, text, 0)` says.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    // Where to go on after the last `*`: the pattern behind it and the text
    // that it has not swallowed yet. One level is enough, as a later `*`
    // makes every earlier choice moot.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = p {
            p = rest;
            retry = Some((p, t));
            continue;
        }
        let step = match t {
            [] if p.is_empty() => return true,
            [] => return false,
            [c, rest @ ..] => match_one(p, *c).map(|p| (p, rest)),
        };
        (p, t) = match (step, retry) {
            (Some(next), _) => next,
            (None, Some((after_star, [_, swallowed @ ..]))) => {
                retry = Some((after_star, swallowed));
                (after_star, swallowed)
            }
            (None, _) => return false,
        };
    }
}

/// The rest of `pattern` if its first element, which is no `*`, matches `c`.
fn match_one(pattern: &[u8], c: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'\\', quoted, rest @ ..] => (*quoted == c).then_some(rest),
        [b'[', rest @ ..] => match bracket(rest, c) {
            Some((matched, rest)) => matched.then_some(rest),
            // A bracket that never closes is a plain character.
            None => (c == b'[').then_some(rest),
        },
        [plain, rest @ ..] => (*plain == c).then_some(rest),
        [] => None,
    }
}

/// Reads a bracket expression from behind its `[`: whether it matches `c`, and what
/// follows its `]`; `None` where it never closes.
pub fn bracket(expression: &[u8], c: u8) -> Option<(bool, &[u8])> {
    match expression {
        [b'!' | b'^', list @ ..] => held(list, c).map(|(held, rest)| (!held, rest)),
        list => held(list, c),
    }
}

/// Reads the list of a bracket expression, from behind its `[` or `[!`: whether it
/// holds `c`, and what follows its `]`; `None` where it never closes.
pub fn held(list: &[u8], c: u8) -> Option<(bool, &[u8])> {
    let mut rest = list;
    let mut matched = false;
    let mut first = true;
    loop {
        let low = match rest {
            [b']', rest @ ..] if !first => return Some((matched, rest)),
            [b'[', b':', class @ ..] => {
                let end = class.windows(2).position(|w| w == b":]")?;
                let (name, after) = class.split_at_checked(end)?;
                matched |= in_class(name, c);
                rest = after.get(2..)?;
                first = false;
                continue;
            }
            [b'\\', quoted, after @ ..] => {
                rest = after;
                *quoted
            }
            [plain, after @ ..] => {
                rest = after;
                *plain
            }
            [] => return None,
        };
        first = false;
        let high = match rest {
            [b'-', b'\\', high, after @ ..] => {
                rest = after;
                *high
            }
            [b'-', high, after @ ..] if *high != b']' => {
                rest = after;
                *high
            }
            _ => low,
        };
        matched |= (low..=high).contains(&c);
    }
}

/// Whether `c` is in the POSIX class `name` (`[:alpha:]` and its kin).
fn in_class(name: &[u8], c: u8) -> bool {
    match name {
        b"alnum" => c.is_ascii_alphanumeric(),
        b"alpha" => c.is_ascii_alphabetic(),
        b"blank" => c == b' ' || c == b'\t',
        b"cntrl" => c.is_ascii_control(),
        b"digit" => c.is_ascii_digit(),
        b"graph" => c.is_ascii_graphic(),
        b"lower" => c.is_ascii_lowercase(),
        b"print" => c.is_ascii_graphic() || c == b' ',
        b"punct" => c.is_ascii_punctuation(),
        b"space" => c.is_ascii_whitespace() || c == 0x0b,
        b"upper" => c.is_ascii_uppercase(),
        b"xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_and_lose_their_path_and_suffix() {
        assert_eq!(ModuleName::new(b"snd-hda-intel").as_bytes(), b"snd_hda_intel");
        for path in ["kernel/fs/x-y.ko.xz", "/x-y.ko", "x_y", "x-y.foo.ko"] {
            assert_eq!(ModuleName::from_path(path.as_bytes()).as_bytes(), b"x_y", "{path}");
        }
    }

    #[test]
    fn aliases_fold_outside_brackets_only() {
        assert_eq!(fold_alias(b"a-b[0-9]c-d").unwrap(), b"a_b[0-9]c_d");
        assert_eq!(fold_alias(b"a]b"), None);
        assert_eq!(fold_alias(b"a[b"), None);
        assert_eq!(fold_alias(b"").unwrap(), b"");
    }

    #[test]
    fn glob_is_fnmatch_without_flags() {
        // Each row was asked of glibc's fnmatch(3).
        for (pattern, text, matches) in [
            ("", "", true),
            ("*", "", true),
            ("*", "a/b", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", ".", true),
            ("?", "", false),
            ("[a-c]", "b", true),
            ("[!a-c]", "b", false),
            ("[^a-c]", "d", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[[:digit:]]", "7", true),
            ("[[:digit:]]", "x", false),
            ("[a", "[a", true),
            ("[a", "a", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("pci:v*d*sv*bc02sc00i*", "pci:v00008086d0000100Esv1bc02sc00i00", true),
            ("pci:v*d*sv*bc02sc01i*", "pci:v00008086d0000100Esv1bc02sc00i00", false),
            ("dmi*:[bs]vnA*:", "dmi:bvnX:svnAcme:", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), matches, "{pattern} ~ {text}");
        }
    }
}
