//! Module names and alias patterns: how they fold and how they match.
//!
//! The kernel treats `-` and `_` in a module's name as one character, so names
//! are folded to `_` once, by [`ModuleName`]'s constructors, and compare only
//! as that type. Aliases fold too, except inside a bracket expression, where
//! `-` means a range. Patterns match as `fnmatch(3)` with flags 0 does: `*`
//! and `?` cross `/`, a leading dot is plain, `\` quotes the next character.

use std::fmt;

/// A module's name with `-` folded to `_`: the only form in which names compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleName(Vec<u8>);

impl ModuleName {
    /// Folds `name`; anything but `-` is kept.
    pub fn new(name: &[u8]) -> Self {
        Self::folded(name.to_vec())
    }

    /// The same of bytes that are nobody else's.
    pub fn folded(mut name: Vec<u8>) -> Self {
        name.iter_mut().for_each(|c| *c = fold(*c));
        Self(name)
    }

    /// The name of the module in the file `path`: its last component up to the
    /// first dot, so that `kernel/fs/x-y.ko.xz` is `x_y`.
    pub fn from_path(path: &[u8]) -> Self {
        Self::new(unfolded(path))
    }

    /// Whether it is that of the module in the file `path`.
    pub fn is_of(&self, path: &[u8]) -> bool {
        let name = unfolded(path);
        name.len() == self.0.len() && name.iter().zip(&self.0).all(|(&c, &own)| fold(c) == own)
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

/// A character of a name as names compare.
pub fn fold(c: u8) -> u8 {
    if c == b'-' { b'_' } else { c }
}

/// The last component of `path` up to its first dot.
pub fn unfolded(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&c| c == b'/').map_or(0, |at| at + 1);
    let file = path.get(start..).unwrap_or_default();
    let end = file.iter().position(|&c| c == b'.').unwrap_or(file.len());
    file.get(..end).unwrap_or_default()
}

/// An alias or alias pattern with `-` folded to `_` outside bracket
/// expressions; `None` where a bracket has no partner.
pub fn fold_alias(alias: &[u8]) -> Option<Vec<u8>> {
    let mut folded = Vec::new();
    fold_into(&mut folded, alias).then_some(folded)
}

/// Whether the alias pattern `pattern` is sound and matches `text`, which is folded.
/// `buffer` is for the folded pattern, where it comes to that: there are thousands to try.
pub fn matches(pattern: &[u8], text: &[u8], buffer: &mut Vec<u8>) -> bool {
    // Most differ before anything that is not plain.
    let plain = pattern.iter().take_while(|c| !matches!(**c, b'*' | b'?' | b'[' | b']' | b'\\'));
    let mut pairs = plain.zip(text);
    if pairs.any(|(&c, &other)| fold(c) != other) {
        return false;
    }
    fold_into(buffer, pattern) && glob(buffer, text)
}

/// Does what [`fold_alias`] does, in `buffer`; whether each bracket has its partner.
pub fn fold_into(buffer: &mut Vec<u8>, alias: &[u8]) -> bool {
    buffer.clear();
    buffer.extend_from_slice(alias);
    fold_in_place(buffer)
}

fn fold_in_place(alias: &mut [u8]) -> bool {
    let mut bracketed = false;
    for c in alias {
        match c {
            b'-' if !bracketed => *c = b'_',
            b'[' => bracketed = true,
            b']' if !bracketed => return false,
            b']' => bracketed = false,
            _ => {}
        }
    }
    !bracketed
}

/// Whether `text` matches `pattern`, as `fnmatch(pattern, text, 0)` says.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // What most patterns are decided by.
    if let ([first, ..], [c, ..]) = (pattern, text)
        && first != c
        && !matches!(first, b'*' | b'?' | b'[' | b'\\')
    {
        return false;
    }
    if let ([.., last], [.., c]) = (pattern, text)
        && last != c
        && !matches!(last, b'*' | b'?' | b']' | b'\\')
    {
        return false;
    }
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

/// More than any bracket has: one that does not close so soon is plain. It is looked at again
/// for each character of a text.
const ELEMENTS: usize = 256;

/// Room for the name of a class and what closes it.
const CLASS: usize = 32;

/// Reads the list of a bracket expression, from behind its `[` or `[!`: whether it
/// holds `c`, and what follows its `]`; `None` where it never closes.
pub fn held(list: &[u8], c: u8) -> Option<(bool, &[u8])> {
    let mut rest = list;
    let mut matched = false;
    let mut first = true;
    for _ in 0..ELEMENTS {
        let low = match rest {
            [b']', rest @ ..] if !first => return Some((matched, rest)),
            [b'[', b':', class @ ..] => {
                let near = class.get(..CLASS).unwrap_or(class);
                let end = near.windows(2).position(|w| w == b":]")?;
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
    None
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
    fn the_name_of_a_file_is_known_without_folding_it() {
        let name = ModuleName::new(b"x-y");
        for path in ["kernel/fs/x-y.ko.xz", "/x_y.ko", "x_y", "x-y.foo.ko", "./x-y."] {
            assert!(name.is_of(path.as_bytes()), "{path}");
        }
        for path in ["kernel/fs/x-yz.ko", "x-y/", "x", "", "x-y/z.ko", ".x-y"] {
            assert!(!name.is_of(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn patterns_match_as_their_folded_form_does() {
        let patterns = [
            "", "*", "a-b", "a_b", "a-b*", "a-b[0-9]", "[a]-b", "a]b", "a[b", "\\a-b", "a-", "?-b",
            "a-bc", "a\\-b", "a", "[]a]-b",
        ];
        let mut buffer = Vec::new();
        for pattern in patterns.map(str::as_bytes) {
            for text in ["", "a", "a_b", "a_b7", "b_b", "a_", "xa_b"].map(str::as_bytes) {
                let expected = fold_alias(pattern).is_some_and(|pattern| glob(&pattern, text));
                assert_eq!(matches(pattern, text, &mut buffer), expected, "{pattern:?} {text:?}");
            }
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
    fn a_bracket_that_does_not_close_soon_is_plain() {
        let of = |count: usize| [b"[", "a".repeat(count).as_bytes(), b"]"].concat();
        assert!(glob(&of(255), b"a") && !glob(&of(256), b"a") && glob(&of(256), &of(256)));
        let class = format!("[[:{}:]]", "x".repeat(40));
        assert!(glob(class.as_bytes(), b"[:]"), "not a class, but a list behind a plain one");
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
