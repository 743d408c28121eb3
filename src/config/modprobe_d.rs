//! The grammar of a modprobe.d file (`modprobe.d(5)`):
//!
//! ```text
//! alias PATTERN MODULE
//! blacklist MODULE
//! options MODULE TEXT…
//! softdep MODULE [pre: NAME…] [post: NAME…]
//! install MODULE COMMAND…        remove MODULE COMMAND…
//! weakdep MODULE NAME…
//! ```
//!
//! `\` before a line's end joins the next line, before anything else it is
//! dropped. `#` is a comment in the first column alone. A line that is none of
//! these is passed over with a warning that names file and line.

use std::path::Path;

use super::{Config, Softdep};
use crate::error::Error;
use crate::format::text::words;
use crate::name::{ModuleName, fold_alias};

/// Reads the file `path`, whose content is `text`, into `config`.
pub fn parse(config: &mut Config, path: &Path, text: &[u8]) {
    for (number, line) in (Lines { rest: text, number: 0 }) {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (word, rest) = split_word(&line);
        if word.is_empty() {
            continue;
        }
        if word == b"include" || word == b"config" {
            let word = String::from_utf8_lossy(word);
            config.warnings.push(Error::said(format!(
                "{}: command {word} is deprecated and not parsed anymore",
                path.display(),
            )));
        } else if directive(config, word, rest).is_none() {
            config.warnings.push(Error::said(format!(
                "{} line {number}: ignoring bad line starting with '{}'",
                path.display(),
                String::from_utf8_lossy(word),
            )));
        }
    }
}

/// Takes in one directive; `None` where it is not understood.
fn directive(config: &mut Config, word: &[u8], rest: &[u8]) -> Option<()> {
    let (name, text) = split_word(rest);
    if name.is_empty() {
        return None;
    }
    let name = fold_alias(name)?;
    let text = Some(text).filter(|text| !text.is_empty());
    match word {
        b"alias" => {
            let module = fold_alias(words(text?).next()?)?;
            config.aliases.push((name, ModuleName::new(&module)));
        }
        b"blacklist" => config.blacklist.push(ModuleName::new(&name)),
        b"options" => {
            let text = text?.iter().map(|&c| if c == b'\t' { b' ' } else { c }).collect();
            config.options.push((name, text));
        }
        b"softdep" => config.softdeps.push((name, softdep(text?))),
        // A weak dependency speaks to those who build images, not to modprobe.
        b"install" | b"remove" | b"weakdep" => {
            text?;
        }
        _ => return None,
    }
    Some(())
}

/// Reads the names behind `pre:` and `post:`; what stands before either has no
/// place to go.
fn softdep(text: &[u8]) -> Softdep {
    let mut softdep = Softdep::default();
    let mut unplaced = Vec::new();
    let mut list = &mut unplaced;
    for word in words(text) {
        match word {
            b"pre:" => list = &mut softdep.pre,
            b"post:" => list = &mut softdep.post,
            name => list.push(name.to_vec()),
        }
    }
    softdep
}

/// The first word of `line` and what follows the one blank behind it.
fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let is_blank = |c: &u8| *c == b' ' || *c == b'\t';
    let start = line.iter().position(|c| !is_blank(c)).unwrap_or(line.len());
    let line = line.get(start..).unwrap_or_default();
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    (line.get(..end).unwrap_or_default(), line.get(end + 1..).unwrap_or_default())
}

/// Lines with their continuations joined, each with the number of its last
/// physical line.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl Iterator for Lines<'_> {
    type Item = (usize, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut line = Vec::new();
        self.number += 1;
        while let [c, rest @ ..] = self.rest {
            self.rest = rest;
            match (c, rest) {
                (b'\n', _) => break,
                (b'\\', [b'\n', rest @ ..]) => {
                    self.rest = rest;
                    self.number += 1;
                }
                (b'\\', [quoted, rest @ ..]) => {
                    self.rest = rest;
                    line.push(*quoted);
                }
                (b'\\', []) => {}
                (c, _) => line.push(*c),
            }
        }
        Some((self.number, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        parse(&mut config, Path::new("f.conf"), text.as_bytes());
        config
    }

    fn name(name: &str) -> ModuleName {
        ModuleName::new(name.as_bytes())
    }

    #[test]
    fn directives_are_taken_in() {
        let config = config(
            "# c\n\nalias my-* snd-hda\nblacklist bad-one\noptions snd-hda a=1\tb=2\n\
             options snd_hda c=3\nsoftdep x junk pre: p-1 p2 post: q\n",
        );
        assert!(config.warnings.is_empty());
        let aliased: Vec<_> = config.aliased(b"my_card").collect();
        assert_eq!(aliased, [(&b"my_*"[..], &name("snd_hda"))].map(|(p, n)| (p, n)));
        assert!(config.is_blacklisted(&name("bad-one")));
        assert_eq!(config.options(&name("snd-hda"), None), b"a=1 b=2 c=3");
        let softdep = config.softdep(&name("x")).unwrap();
        assert_eq!(softdep.pre, [&b"p-1"[..], b"p2"]);
        assert_eq!(softdep.post, [b"q"]);
    }

    #[test]
    fn bad_lines_are_named() {
        let config =
            config("alias x\nfoo bar\n  # no comment\nalias a[ b\ninclude x\noptions \\\n m\n");
        let warnings: Vec<_> = config.warnings.iter().map(Error::to_string).collect();
        assert_eq!(
            warnings,
            [
                "f.conf line 1: ignoring bad line starting with 'alias'",
                "f.conf line 2: ignoring bad line starting with 'foo'",
                "f.conf line 3: ignoring bad line starting with '#'",
                "f.conf line 4: ignoring bad line starting with 'alias'",
                "f.conf: command include is deprecated and not parsed anymore",
                "f.conf line 7: ignoring bad line starting with 'options'",
            ]
        );
    }

    #[test]
    fn a_backslash_joins_lines_and_is_dropped_before_other_characters() {
        let config = config("options m a=1 \\\n  b=2\noptions m c=\\\"x\\\\y\noptions m d\\");
        assert_eq!(config.options(&name("m"), None), br#"a=1   b=2 c="x\y d"#);
    }
}
