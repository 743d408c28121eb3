//! Names of modules as people write them, in one place for all lists and words: between
//! blanks and commas, in quotes or not, with the path and the suffix of a file or not.
//!
//! What plainly means a module means it. What no module can be called is told, as a
//! setting that counts for nothing is worse than none.

use std::fmt;
use std::path::Path;

use super::{Config, Denial};
use crate::error::Error;
use crate::format::text::behind;
use crate::name::{ModuleName, fold_alias};

/// What a pattern has besides letters, digits, `-` and `_`.
pub const PATTERN: &[u8] = b"*?[]\\";

/// What an alias has besides, as one of a device, or of a cipher.
pub const ALIAS: &[u8] = b":()";

/// What a pattern of aliases has.
pub const ALIASES: &[u8] = b"*?[]\\:()";

/// Where something is written.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The file, or what else it is.
    pub source: &'a Path,
    /// The line, from 1 on; 0 where there is only one.
    pub line: usize,
}

impl Place<'_> {
    /// Says `what` of `word`, behind it.
    pub fn tell(self, what: &str, word: &[u8]) -> Error {
        let word = String::from_utf8_lossy(word);
        Error::said(format!("{self}: {what} '{word}'"))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.to_string_lossy())?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        Ok(())
    }
}

/// What modules are listed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Not to be loaded by an alias.
    Blacklist,
    /// Not to be loaded.
    Deny,
    /// The kernel does not take them.
    Refused,
}

impl Config {
    /// Takes in what `text` lists; false where that is nothing.
    pub fn add_list(&mut self, list: List, text: &[u8], place: Place<'_>) -> bool {
        let names = self.names(text, if list == List::Deny { PATTERN } else { b"" }, place);
        let is_any = !names.is_empty();
        for pattern in names {
            let modules = match list {
                List::Deny => {
                    self.denials.push(Denial { pattern, place: place.to_string() });
                    continue;
                }
                List::Blacklist => &mut self.blacklist,
                List::Refused => &mut self.refused,
            };
            modules.push(ModuleName::new(&pattern));
        }
        is_any
    }

    /// What `text` lists: folded names, which may have `signs` in them. One that is none is
    /// kept as it is, and told; so is, untold, what is only to be looked up.
    pub fn names(&mut self, text: &[u8], signs: &[u8], place: Place<'_>) -> Vec<Vec<u8>> {
        let mut names = items(text, signs);
        for name in &mut names {
            match fold_alias(name).filter(|_| is_possible(name, signs)) {
                Some(_) if signs == ALIAS => {}
                Some(folded) => *name = folded,
                None => self.errors.push(place.tell(NO_NAME, name)),
            }
        }
        names
    }
}

/// What is wrong with a name that is none.
pub const NO_NAME: &str = "no module can be called";

/// What `text` lists, as it is written but for quotes, paths and suffixes.
pub fn items(text: &[u8], signs: &[u8]) -> Vec<Vec<u8>> {
    let (mut items, mut item, mut in_brackets) = (Vec::new(), Vec::new(), false);
    for c in text.iter().chain(b" ") {
        let is_blank = matches!(c, b' ' | 0x09..=0x0d);
        in_brackets = !is_blank && (*c == b'[' || (in_brackets && *c != b']'));
        if !is_blank && (*c != b',' || in_brackets || is_alias(&item, signs)) {
            item.push(*c);
            continue;
        }
        let name = unquoted(&item);
        if !name.is_empty() {
            items.push(if is_alias(name, signs) { name } else { module_of(name) }.to_vec());
        }
        item.clear();
    }
    items
}

/// Whether this is an alias that says what it is one of, which may have anything in it.
fn is_alias(name: &[u8], signs: &[u8]) -> bool {
    signs.contains(&b':') && name.contains(&b':')
}

/// `text` without the quotes round it.
pub fn unquoted(mut text: &[u8]) -> &[u8] {
    while let [b'"' | b'\'', rest @ ..] | [rest @ .., b'"' | b'\''] = text {
        text = rest;
    }
    text
}

/// The module in the file `item`, if it is one's name.
fn module_of(item: &[u8]) -> &[u8] {
    let file = item.rsplit(|&c| c == b'/').next().unwrap_or(item);
    let name = file.split(|&c| c == b'.').next().unwrap_or(file);
    match behind(file, b".ko") {
        Some([] | [b'.' | b'*', ..]) if !name.is_empty() => name,
        _ => item,
    }
}

/// Whether a module, or what else may have `signs`, can be called so.
fn is_possible(name: &[u8], signs: &[u8]) -> bool {
    let mut in_brackets = false;
    let mut is_letter = |c: &u8| {
        let was_in_brackets = in_brackets;
        in_brackets = *c == b'[' || (in_brackets && *c != b']');
        was_in_brackets || c.is_ascii_alphanumeric() || b"-_".contains(c) || signs.contains(c)
    };
    is_alias(name, signs) || name.iter().all(&mut is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, signs: &[u8]) -> (Vec<String>, usize) {
        let mut config = Config::default();
        let place = Place { source: Path::new("here"), line: 0 };
        let names = config.names(text.as_bytes(), signs, place).into_iter();
        (names.map(|name| String::from_utf8(name).unwrap()).collect(), config.errors.len())
    }

    #[test]
    fn what_plainly_means_modules_means_them() {
        for (text, names) in [
            ("snd-hda usb_storage", &["snd_hda", "usb_storage"][..]),
            ("a,b", &["a", "b"]),
            ("\"a,b\" 'c' \"'d'\"", &["a", "b", "c", "d"]),
            ("\"a\",\"b\" \"c d\"", &["a", "b", "c", "d"]),
            ("a ,b, c,,\t d\r", &["a", "b", "c", "d"]),
            ("\"a", &["a"]),
            ("a.ko b.ko.xz /lib/modules/6/kernel/c-d.ko.zst x/e.ko", &["a", "b", "c_d", "e"]),
            ("/lib/modules/*/f.ko* snd*.ko", &["f", "snd*"]),
            ("snd-[a-c]* x[,-]y,z * A?b", &["snd_[a-c]*", "x[,-]y", "z", "*", "A?b"]),
            (", ,", &[]),
            ("\"\"", &[]),
        ] {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(read(text, PATTERN), (names, 0), "{text}");
        }
    }

    #[test]
    fn what_no_module_can_be_called_is_told_and_kept() {
        for text in [
            "pci:v*",
            "x/y",
            "/x",
            "a.b",
            "[x",
            "x]",
            "#",
            "a=1",
            ".ko",
            "\u{201c}a\u{201d}",
            "!a",
            "a{b",
        ] {
            assert_eq!(read(text, PATTERN), (vec![text.to_owned()], 1), "{text}");
        }
        assert_eq!(read("pci:v*,a", PATTERN), (vec!["pci:v*".to_owned(), "a".to_owned()], 1));
        assert_eq!(read("[x,y a", PATTERN), (vec!["[x,y".to_owned(), "a".to_owned()], 1));
        assert_eq!(read("a*", b"").1, 1);
    }

    #[test]
    fn aliases_may_have_anything_in_them() {
        let alias = "of:NxT(null)Cti,foo/b.ko";
        assert_eq!(read(alias, ALIAS), (vec![alias.to_owned()], 0));
    }
}
