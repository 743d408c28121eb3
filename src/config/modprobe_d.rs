//! The grammar of a modprobe.d file (`modprobe.d(5)`):
//!
//! ```text
//! alias PATTERN MODULE
//! blacklist MODULE
//! deny PATTERN…                        (nanomod's own)
//! options MODULE TEXT…
//! softdep PATTERN [pre: NAME…] [post: NAME…]
//! weakdep PATTERN NAME…
//! install PATTERN COMMAND…             remove PATTERN COMMAND…
//! ```
//!
//! `\` before a line's end joins the next line, before anything else it is
//! dropped. `#` is a comment in the first column; one behind blanks or behind
//! parameters and names is left out with a warning. A line that is none of these
//! is passed over with an error that names file and line.

use std::fmt;
use std::path::Path;

use super::lines::lines;
use super::{Config, Denial, Softdep};
use crate::collect::Collect;
use crate::error::Error;
use crate::format::text::words;
use crate::name::{ModuleName, fold_alias};

/// Reads the file `path`, whose content is `text`, into `config`.
pub fn parse(config: &mut Config, path: &Path, text: &[u8]) {
    for (number, line) in lines(text) {
        if line.starts_with(b"#") {
            continue;
        }
        let place = Place { path, number };
        let (word, rest) = split_word(&line);
        if word.is_empty() {
            continue;
        }
        if word.starts_with(b"#") {
            config.warnings.push(place.stray_comment(line.trim_ascii_start()));
        } else if word == b"include" || word == b"config" {
            let word = String::from_utf8_lossy(word);
            config.errors.push(Error::said(format!(
                "{}: command {word} is deprecated and not parsed anymore",
                path.display(),
            )));
        } else if directive(config, &place, word, rest).is_none() {
            config.errors.push(Error::said(format!(
                "{place}: ignoring bad line starting with '{}'",
                String::from_utf8_lossy(word),
            )));
        }
    }
}

/// A line of a file.
struct Place<'a> {
    path: &'a Path,
    number: usize,
}

impl Place<'_> {
    fn stray_comment(&self, comment: &[u8]) -> Error {
        let comment = String::from_utf8_lossy(comment);
        Error::said(format!(
            "{self}: a comment must start in the first column; ignoring '{comment}'"
        ))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.path.display(), self.number)
    }
}

/// Takes in one directive; `None` where it is not understood.
fn directive(config: &mut Config, place: &Place<'_>, word: &[u8], rest: &[u8]) -> Option<()> {
    let (name, text) = split_word(rest);
    if name.is_empty() {
        return None;
    }
    let name = fold_alias(name)?;
    // Elsewhere it is either the shell's or behind the last word that counts.
    let takes_all = matches!(word, b"options" | b"softdep" | b"weakdep");
    let text = match comment_in(text).filter(|_| takes_all) {
        Some(at) => {
            let (text, comment) = text.split_at_checked(at)?;
            config.warnings.push(place.stray_comment(comment));
            text.trim_ascii_end()
        }
        None => text,
    };
    let text = Some(text).filter(|text| !text.is_empty());
    match word {
        b"alias" => {
            let module = fold_alias(words(text?).next()?)?;
            config.aliases.push((name, ModuleName::new(&module)));
        }
        b"blacklist" => config.blacklist.push(ModuleName::new(&name)),
        b"deny" => {
            let names = words(rest).map(fold_alias).collect::<Option<Vec<_>>>()?;
            let denial = |pattern| Denial { pattern, place: place.to_string() };
            config.denials.extend(names.into_iter().map(denial));
        }
        b"options" => {
            let text = text?.iter().map(|&c| if c == b'\t' { b' ' } else { c }).vec();
            config.options.push((name, text));
        }
        b"softdep" => config.softdeps.push((name, softdep(text?))),
        b"weakdep" => config.weakdeps.push((name, words(text?).map(<[u8]>::to_vec).vec())),
        b"install" => config.installs.push((name, text?.to_vec())),
        b"remove" => config.removes.push((name, text?.to_vec())),
        _ => return None,
    }
    Some(())
}

/// Where a comment starts in `text`, the rest of a line behind a blank: a `#`
/// behind a blank, outside of quotes.
fn comment_in(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    text.iter().position(|&c| {
        let behind_blank = matches!(before, b' ' | b'\t');
        before = c;
        match quote {
            Some(open) if c == open => quote = None,
            None if c == b'"' || c == b'\'' => quote = Some(c),
            _ => {}
        }
        c == b'#' && behind_blank && quote.is_none()
    })
}

/// Reads the names behind `pre:` and `post:`; what stands before either has no
/// place to go.
fn softdep(text: &[u8]) -> Softdep {
    let mut softdep = Softdep::default();
    let mut unplaced = Vec::new();
    let mut list = &mut unplaced;
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for word in words {
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
             options snd_hda c=3\nsoftdep x junk pre: p-1 p2 post: q\nsoftdep x pre: p3\n\
             install i-* first # one\ninstall i-x second\nremove r cmd\ndeny d-*\n",
        );
        assert!(config.errors.is_empty() && config.warnings.is_empty());
        let aliased: Vec<_> = config.aliased(b"my_card").collect();
        assert_eq!(aliased, [(&b"my_*"[..], &name("snd_hda"))].map(|(p, n)| (p, n)));
        assert!(config.is_blacklisted(&name("bad-one")));
        assert_eq!(config.options(&name("snd-hda"), None), b"a=1 b=2 c=3");
        let softdep = config.softdep(&name("x"));
        assert_eq!(softdep.pre, [&b"p-1"[..], b"p2", b"p3"]);
        assert_eq!(softdep.post, [b"q"]);
        assert_eq!(config.install_command(&name("i-x")), Some(&b"first # one"[..]));
        assert_eq!(config.remove_command(&name("r")), Some(&b"cmd"[..]));
        assert!(config.has_command(b"i_x") && !config.has_command(b"i_y"));
        assert_eq!(config.denial(&name("d-1")), Some("f.conf line 12"));
        assert_eq!(config.denial(&name("e")), None);
    }

    #[test]
    fn bad_lines_are_named() {
        let config = config("alias x\nfoo bar\nalias a[ b\ninclude x\noptions \\\n m\n");
        let errors: Vec<_> = config.errors.iter().map(Error::to_string).collect();
        assert_eq!(
            errors,
            [
                "f.conf line 1: ignoring bad line starting with 'alias'",
                "f.conf line 2: ignoring bad line starting with 'foo'",
                "f.conf line 3: ignoring bad line starting with 'alias'",
                "f.conf: command include is deprecated and not parsed anymore",
                "f.conf line 6: ignoring bad line starting with 'options'",
            ]
        );
    }

    #[test]
    fn comments_that_kmod_would_pass_on_are_left_out_and_told() {
        let config = config(
            "  # indented\noptions m a=1 b=\"x # y\" c=d#e  # why\noptions m #none\n\
             softdep m pre: p # q\n",
        );
        assert_eq!(config.options(&name("m"), None), b"a=1 b=\"x # y\" c=d#e");
        assert_eq!(config.softdep(&name("m")).pre, [b"p"]);
        let warnings: Vec<_> = config.warnings.iter().map(Error::to_string).collect();
        let text = "a comment must start in the first column; ignoring";
        assert_eq!(
            warnings,
            [
                format!("f.conf line 1: {text} '# indented'"),
                format!("f.conf line 2: {text} '# why'"),
                format!("f.conf line 3: {text} '#none'"),
                format!("f.conf line 4: {text} '# q'"),
            ]
        );
        assert_eq!(config.errors.len(), 1, "options without any");
    }

    #[test]
    fn a_backslash_joins_lines_and_is_dropped_before_other_characters() {
        let config = config("options m a=1 \\\n  b=2\noptions m c=\\\"x\\\\y\noptions m d\\");
        assert_eq!(config.options(&name("m"), None), br#"a=1   b=2 c="x\y d"#);
    }
}
