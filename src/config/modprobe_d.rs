//! The grammar of a modprobe.d file (`modprobe.d(5)`):
//!
//! ```text
//! alias PATTERN MODULE
//! blacklist MODULE…
//! deny PATTERN…                        (nanomod's own)
//! options MODULE TEXT…
//! softdep PATTERN [pre: NAME…] [post: NAME…]
//! weakdep PATTERN NAME…
//! install PATTERN COMMAND…             remove PATTERN COMMAND…
//! ```
//!
//! Lines, comments and names are as in all lists: see `lines` and `written`. As kmod takes
//! a comment behind parameters and names for more of these, and an indented one for a bad
//! line, both are told. A line that is none of these, or that counts for nothing, is told
//! with file and line.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::lines::{STRAY, comment_in, lines};
use super::written::{ALIAS, ALIASES, List, PATTERN, Place, unquoted};
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
        let place = Place { source: path, line: number };
        let (word, rest) = split_word(&line);
        if word.is_empty() {
            continue;
        }
        if word.starts_with(b"#") {
            config.warnings.push(place.tell(STRAY, line.trim_ascii_start()));
        } else if directive(config, place, word, rest).is_none() {
            config.errors.push(place.tell("ignoring bad line starting with", word));
        }
    }
}

/// What a line is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Alias,
    List(List),
    Install,
    /// It meant something to other programs of kmod's name.
    Old,
    Options,
    Remove,
    Softdep,
    Weakdep,
}

const WORDS: [(&[u8], Word); 10] = [
    (b"alias", Word::Alias),
    (b"blacklist", Word::List(List::Blacklist)),
    (b"deny", Word::List(List::Deny)),
    (b"config", Word::Old),
    (b"include", Word::Old),
    (b"install", Word::Install),
    (b"options", Word::Options),
    (b"remove", Word::Remove),
    (b"softdep", Word::Softdep),
    (b"weakdep", Word::Weakdep),
];

/// Takes in one directive; `None` where it is not understood.
fn directive(config: &mut Config, place: Place<'_>, word: &[u8], rest: &[u8]) -> Option<()> {
    let (name, word) = *WORDS.iter().find(|(name, _)| *name == word)?;
    if word == Word::Old {
        let (name, path) = (String::from_utf8_lossy(name), place.source.to_string_lossy());
        let message = format!("{path}: command {name} is deprecated and not parsed anymore");
        config.errors.push(Error::said(message));
        return Some(());
    }
    // A command is the shell's.
    let is_command = matches!(word, Word::Install | Word::Remove);
    let mut rest = rest;
    if let Some(at) = comment_in(rest, b"#").filter(|_| !is_command) {
        let (text, comment) = rest.split_at_checked(at)?;
        // Of the others kmod reads no further, either.
        if matches!(word, Word::Options | Word::Softdep | Word::Weakdep) {
            config.warnings.push(place.tell(STRAY, comment));
        }
        rest = text.trim_ascii_end();
    }
    if let Word::List(list) = word {
        return config.add_list(list, rest, place).then_some(());
    }
    let (key, text) = split_word(rest);
    // What is in quotes with a blank is no name, and nothing would be right.
    let is_open = matches!(key, [quote @ (b'"' | b'\''), .., end] if quote != end);
    if text.is_empty() || is_open {
        return None;
    }
    if word == Word::Alias {
        let pattern = fold_alias(unquoted(key))?;
        let modules = config.names(words(text).next()?, b"", place);
        few(&modules)?;
        for module in modules {
            config.aliases.push((pattern.clone(), ModuleName::new(&module)));
        }
        return Some(());
    }
    let told = config.errors.len();
    let is_of_modules = matches!(word, Word::Softdep | Word::Weakdep);
    let keys = config.names(key, if is_of_modules { PATTERN } else { ALIASES }, place);
    few(&keys)?;
    for key in keys {
        match word {
            Word::Options => {
                if told == config.errors.len() && key.iter().any(|c| PATTERN.contains(c)) {
                    let (pattern, place) = (key.clone(), place.to_string());
                    config.patterns.push(Denial { pattern, place });
                }
                let text = text.iter().map(|&c| if c == b'\t' { b' ' } else { c }).vec();
                config.options.push((key, text));
            }
            Word::Softdep => {
                let softdep = softdep(config, place, text);
                config.softdeps.push((key, softdep));
            }
            Word::Weakdep => {
                let names = config.names(text, ALIAS, place);
                config.weakdeps.push((key, names));
            }
            Word::Install => config.installs.push((key, text.to_vec())),
            _ => config.removes.push((key, text.to_vec())),
        }
    }
    // Nobody here wrote what modules say of themselves.
    if place.source.as_os_str().as_bytes().ends_with(b"/modules.softdep") {
        config.errors.truncate(told);
    }
    Some(())
}

/// More than anybody writes. What stands behind the names of a line is kept for each.
const NAMES: usize = 64;

/// That there are names, and not too many.
fn few(names: &[Vec<u8>]) -> Option<()> {
    (1..=NAMES).contains(&names.len()).then_some(())
}

/// Reads the names behind `pre:` and `post:`; what stands before either has no
/// place to go.
fn softdep(config: &mut Config, place: Place<'_>, text: &[u8]) -> Softdep {
    let mut softdep = Softdep::default();
    let mut list = None;
    for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        match (word, &mut list) {
            (b"pre:", _) => list = Some(&mut softdep.pre),
            (b"post:", _) => list = Some(&mut softdep.post),
            (word, Some(list)) if !is_label(word) => {
                list.append(&mut config.names(word, ALIAS, place));
            }
            (word, _) => {
                config.errors.push(place.tell("no 'pre: ' or 'post: ' before", word));
            }
        }
    }
    softdep
}

/// Whether `word` is meant to say which names follow.
fn is_label(word: &[u8]) -> bool {
    word.starts_with(b"pre:") || word.starts_with(b"post:") || word.ends_with(b":")
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
             options snd_hda c=3\nsoftdep x pre: p-1 p2 post: q\nsoftdep x pre: p3\n\
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

    fn errors(config: &Config) -> Vec<String> {
        config.errors.iter().map(Error::to_string).collect()
    }

    #[test]
    fn bad_lines_are_named() {
        let config = config("alias x\nfoo bar/b\nalias a[ b\ninclude x\noptions \\\n m\n");
        assert_eq!(
            errors(&config),
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
    fn what_forbids_a_module_forbids_what_was_meant() {
        let config = config(
            "deny a,b\r\ndeny \"c\" 'd-1'\ndeny /lib/modules/6/kernel/e.ko f.ko.xz\n\
             deny g # never h\n deny i ,j\ndeny\tsnd-[a-c]*\tK\ndeny \"l\r",
        );
        assert!(config.errors.is_empty() && config.warnings.is_empty());
        for module in ["a", "b", "c", "d-1", "e", "f", "g", "i", "j", "snd-b-x", "K", "l"] {
            assert!(config.denial(&name(module)).is_some(), "{module}");
        }
        for module in ["h", "never", "k", "snd-d", "m"] {
            assert_eq!(config.denial(&name(module)), None);
        }
    }

    #[test]
    fn every_word_of_a_blacklist_counts() {
        let config = config("blacklist a b-1, \"c\" d.ko # e\n");
        assert!(config.errors.is_empty() && config.warnings.is_empty());
        for module in ["a", "b_1", "c", "d"] {
            assert!(config.is_blacklisted(&name(module)), "{module}");
        }
        assert_eq!(config.blacklist.len(), 4);
    }

    #[test]
    fn names_are_read_alike_in_all_directives() {
        let config = config(
            "options \"snd-x\" a=1\noptions b.ko,c d=\"e f\"\nalias \"my-*\" 'loop.ko'\n\
             softdep 'x' pre: \"p-1\",q post: /m/r.ko crypto-cbc(aes) of:NaTbCc,d\n\
             install \"i\" /bin/false # not\nremove /lib/r.ko.gz true\nweakdep \"w\" v,u\n",
        );
        assert!(config.errors.is_empty() && config.warnings.is_empty());
        assert_eq!(config.options(&name("snd_x"), None), b"a=1");
        assert_eq!(config.options(&name("b"), None), b"d=\"e f\"");
        assert_eq!(config.options(&name("c"), None), b"d=\"e f\"");
        assert_eq!(config.aliased(b"my_card").count(), 1);
        let softdep = config.softdep(&name("x"));
        assert_eq!(softdep.pre, [&b"p-1"[..], b"q"]);
        assert_eq!(softdep.post, [&b"r"[..], b"crypto-cbc(aes)", b"of:NaTbCc,d"]);
        assert_eq!(config.install_command(&name("i")), Some(&b"/bin/false # not"[..]));
        assert_eq!(config.remove_command(&name("r")), Some(&b"true"[..]));
        assert_eq!(config.weakdeps, [(b"w".to_vec(), vec![b"v".to_vec(), b"u".to_vec()])]);
    }

    #[test]
    fn what_counts_for_nothing_is_told_and_kept() {
        let config = config(
            "deny pci:v* ok\ndeny x/y\ndeny [x\ndeny \"\"\ndeny\nblacklist snd*\n\
             options x/y a=1\noptions \"a b=1\"\nalias x y/z\nsoftdep x/y pre: a\n\
             softdep a b pre: c pre:d post : e\nsoftdep f pre: g/h\noptions , a=1\n\
             alias x \"\"\ninstall '' cmd\n",
        );
        let text = "no module can be called";
        let nowhere = "no 'pre: ' or 'post: ' before";
        assert_eq!(
            errors(&config),
            [
                format!("f.conf line 1: {text} 'pci:v*'"),
                format!("f.conf line 2: {text} 'x/y'"),
                format!("f.conf line 3: {text} '[x'"),
                "f.conf line 4: ignoring bad line starting with 'deny'".to_owned(),
                "f.conf line 5: ignoring bad line starting with 'deny'".to_owned(),
                format!("f.conf line 6: {text} 'snd*'"),
                format!("f.conf line 7: {text} 'x/y'"),
                "f.conf line 8: ignoring bad line starting with 'options'".to_owned(),
                format!("f.conf line 9: {text} 'y/z'"),
                format!("f.conf line 10: {text} 'x/y'"),
                format!("f.conf line 11: {nowhere} 'b'"),
                format!("f.conf line 11: {nowhere} 'pre:d'"),
                format!("f.conf line 11: {nowhere} ':'"),
                format!("f.conf line 12: {text} 'g/h'"),
                "f.conf line 13: ignoring bad line starting with 'options'".to_owned(),
                "f.conf line 14: ignoring bad line starting with 'alias'".to_owned(),
                "f.conf line 15: ignoring bad line starting with 'install'".to_owned(),
            ]
        );
        assert!(config.denial(&name("ok")).is_some());
        assert_eq!(config.denials.len(), 4, "all of them are shown");
    }

    #[test]
    fn a_line_is_for_few_names() {
        for (count, is_taken) in [(NAMES, true), (NAMES + 1, false)] {
            let config = config(&format!("options {} a=1\n", "m,".repeat(count)));
            assert_eq!(config.options.len(), if is_taken { count } else { 0 });
            assert_eq!(config.errors.is_empty(), is_taken);
        }
    }

    #[test]
    fn what_modules_say_of_themselves_is_not_told() {
        let mut config = Config::default();
        parse(&mut config, Path::new("/m/modules.softdep"), b"softdep cifs gcm\nfoo\n");
        assert_eq!(config.errors.len(), 1, "but for what depmod never writes");
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
