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

use super::modinfo::Field;
use crate::collect::Collect;
use crate::name::{ModuleName, fold_alias, glob};

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

/// The line of module `name` in a `modules.dep`.
pub fn dependency_line<'a>(modules_dep: &'a [u8], name: &ModuleName) -> Option<&'a [u8]> {
    lines(modules_dep).find(|line| {
        let path = line.split(|&c| c == b':').next().unwrap_or_default();
        path.len() < line.len() && ModuleName::from_path(path) == *name
    })
}

/// The modules of a `modules.alias` or `modules.symbols` that have an alias
/// for `text`, in file order, which is the order of priority.
pub fn aliased(modules_alias: &[u8], text: &[u8]) -> Vec<Vec<u8>> {
    lines(modules_alias)
        .filter_map(|line| {
            let mut words = words(line);
            let (b"alias", pattern, module) = (words.next()?, words.next()?, words.next()?) else {
                return None;
            };
            glob(&fold_alias(pattern)?, text).then(|| module.to_vec())
        })
        .vec()
}

/// The lines of a `modules.alias` or `modules.symbols` as the binary index would
/// have them: folded, and without comments.
pub fn alias_lines(modules_alias: &[u8]) -> Vec<u8> {
    let line = |line| {
        let mut words = words(line);
        let (b"alias", pattern, module) = (words.next()?, words.next()?, words.next()?) else {
            return None;
        };
        Some([b"alias ", fold_alias(pattern)?.as_slice(), b" ", module, b"\n"].concat())
    };
    lines(modules_alias).filter_map(line).flatten().vec()
}

/// Whether `modules.builtin` names the module `name`.
pub fn is_builtin(modules_builtin: &[u8], name: &ModuleName) -> bool {
    lines(modules_builtin).any(|line| !line.is_empty() && ModuleName::from_path(line) == *name)
}

/// Module, key and value of an entry of `modules.builtin.modinfo`.
pub fn builtin_entry(entry: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let dot = entry.iter().position(|&c| c == b'.')?;
    let (module, rest) = (entry.get(..dot)?, entry.get(dot + 1..)?);
    let equals = rest.iter().position(|&c| c == b'=')?;
    Some((module, rest.get(..equals)?, rest.get(equals + 1..)?))
}

/// The builtin modules whose alias in `modules.builtin.modinfo` matches `text`.
pub fn builtin_aliased(modinfo: &[u8], text: &[u8]) -> Vec<Vec<u8>> {
    modinfo
        .split(|&c| c == 0)
        .filter_map(|entry| {
            let (module, b"alias", pattern) = builtin_entry(entry)? else { return None };
            glob(&fold_alias(pattern)?, text).then(|| module.to_vec())
        })
        .vec()
}

/// The entries of a builtin module in `modules.builtin.modinfo`.
pub fn builtin_fields(modinfo: &[u8], name: &ModuleName) -> Vec<Field> {
    let field = |entry: &[u8]| {
        let (module, key, value) = builtin_entry(entry)?;
        let (key, value) = (key.to_vec(), value.to_vec());
        (ModuleName::new(module) == *name).then_some(Field { key, value })
    };
    // Two builtins may have one name: the first is meant.
    let entries = modinfo.split(|&c| c == 0).map(field);
    entries.skip_while(Option::is_none).map_while(|field| field).vec()
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
    fn a_dependency_line_is_found_by_folded_name() {
        let text = b"kernel/a.ko.xz:\nkernel/b-c.ko: kernel/a.ko.xz\nno colon\n";
        let line = dependency_line(text, &ModuleName::new(b"b-c")).unwrap();
        assert_eq!(line, b"kernel/b-c.ko: kernel/a.ko.xz");
        assert!(dependency_line(text, &ModuleName::new(b"no colon")).is_none());
        assert!(dependency_line(text, &ModuleName::new(b"")).is_none());
    }

    #[test]
    fn every_occurrence_is_replaced() {
        let command = b"a $CMDLINE_OPTS '$CMDLINE_OPTS' $CMDLINE";
        assert_eq!(replace(command, CMDLINE_OPTS, b"x=1"), b"a x=1 'x=1' $CMDLINE");
    }

    #[test]
    fn aliases_match_folded() {
        let text = b"# comment\nalias fs-ext4 ext4\nalias pci:v*d-[0-9]* drv\nalias short\n";
        assert_eq!(aliased(text, b"fs_ext4"), [b"ext4"]);
        assert_eq!(aliased(text, b"pci:v1d_7x"), [b"drv"]);
        assert!(aliased(text, b"short").is_empty());
    }

    #[test]
    fn builtins_have_names_and_aliases() {
        assert!(is_builtin(b"kernel/fs/ext4/ext4.ko\n", &ModuleName::new(b"ext4")));
        assert!(!is_builtin(b"kernel/fs/ext4/ext4.ko\n", &ModuleName::new(b"")));
        let modinfo = b"ext4.license=GPL\0ext4.alias=fs-ext4\0x.alias=\0";
        assert_eq!(builtin_aliased(modinfo, b"fs_ext4"), [b"ext4"]);
    }
}
