//! The text files beside the binary indexes, for a tree that has only these:
//! busybox's depmod writes nothing else, and a damaged `.bin` need not stop a
//! boot.
//!
//! ```text
//! modules.dep              kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz
//! modules.alias, .symbols  alias PATTERN module
//! modules.builtin          kernel/a.ko
//! modules.builtin.modinfo  module.key=value NUL …
//! ```

/// More than any line of an index has: what a module depends on takes some thousand bytes, and
/// if that were 20,000 others, one of these million.
pub const LONGEST: usize = 4 << 20;

/// The lines of a file without their line feeds.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&c| c == b'\n')
}

/// The words of a line: what stands between blanks and tabs.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&c| c == b' ' || c == b'\t').filter(|word| !word.is_empty())
}

/// The number that `digits` are to this base, 10 for most; `None` for anything else, and
/// for what is too large. `str::parse` is ten times the code.
pub fn number(digits: &[u8], base: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &c| {
        let digit = char::from(c).to_digit(base)?;
        number.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}

/// What stands in `line` behind the first `words`.
pub fn behind<'a>(line: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let place = line.windows(words.len().max(1)).position(|window| window == words)?;
    line.get(place + words.len()..)
}

/// The file of a line of `modules.dep`, and the words that stand for what it depends on.
pub fn dependency(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&c| c == b':')?;
    Some((line.get(..colon)?, line.get(colon + 1..)?))
}

/// A pattern and the module that it stands for, where a line has that.
pub type Alias<'a> = Option<(&'a [u8], &'a [u8])>;

/// Pattern and module of a line of `modules.alias` or `modules.symbols`.
pub fn alias(line: &[u8]) -> Alias<'_> {
    let mut words = words(line);
    match (words.next()?, words.next()?, words.next()?) {
        (b"alias", pattern, module) => Some((pattern, module)),
        _ => None,
    }
}

/// Module, key and value of an entry of `modules.builtin.modinfo`.
pub fn builtin_entry(entry: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let dot = entry.iter().position(|&c| c == b'.')?;
    let (module, rest) = (entry.get(..dot)?, entry.get(dot + 1..)?);
    let equals = rest.iter().position(|&c| c == b'=')?;
    Some((module, rest.get(..equals)?, rest.get(equals + 1..)?))
}

/// Pattern and module of an entry of `modules.builtin.modinfo`, if it is of an alias.
pub fn builtin_alias(entry: &[u8]) -> Alias<'_> {
    match builtin_entry(entry)? {
        (module, b"alias", pattern) => Some((pattern, module)),
        _ => None,
    }
}

/// Puts `parts` behind what `text` has.
pub fn put(text: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.extend_from_slice(part));
}

/// What an `install` command writes for the module's parameters.
pub const CMDLINE_OPTS: &[u8] = b"$CMDLINE_OPTS";

/// `text` with every `old` in it replaced.
pub fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(old.len()).position(|window| window == old) {
        result.extend_from_slice(rest.get(..at).unwrap_or_default());
        result.extend_from_slice(new);
        rest = rest.get(at + old.len()..).unwrap_or_default();
    }
    result.extend_from_slice(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_dependencies_is_parted_at_its_colon() {
        let line = b"kernel/b-c.ko: kernel/a.ko.xz";
        assert_eq!(dependency(line), Some((&b"kernel/b-c.ko"[..], &b" kernel/a.ko.xz"[..])));
        assert_eq!(dependency(b"no colon"), None);
    }

    #[test]
    fn every_occurrence_is_replaced() {
        let command = b"a $CMDLINE_OPTS '$CMDLINE_OPTS' $CMDLINE";
        assert_eq!(replace(command, CMDLINE_OPTS, b"x=1"), b"a x=1 'x=1' $CMDLINE");
    }

    #[test]
    fn aliases_have_a_pattern_and_a_module() {
        assert_eq!(alias(b"alias fs-ext4  ext4"), Some((&b"fs-ext4"[..], &b"ext4"[..])));
        assert_eq!(alias(b"# alias a b"), None);
        assert_eq!(alias(b"alias short"), None);
        assert_eq!(builtin_alias(b"ext4.alias=fs-ext4"), Some((&b"fs-ext4"[..], &b"ext4"[..])));
        assert_eq!(builtin_alias(b"ext4.license=GPL"), None);
        assert_eq!(builtin_alias(b"junk"), None);
    }
}
