//! The grammar of a depmod.d file (`depmod.d(5)`):
//!
//! ```text
//! search DIRECTORY|built-in|external…
//! override MODULE RELEASE DIRECTORY
//! external RELEASE DIRECTORY
//! exclude NAME…
//! ```
//!
//! RELEASE is `*` or an expression that the kernel's release has to match; an external
//! DIRECTORY is absolute. Lines and comments are as in all lists: see `lines`. A line that
//! is none of these is passed over with an error that names file and line.

use std::ffi::OsString;
use std::path::Path;

use super::find::{Files, content};
use super::lines::{STRAY, comment_in, lines};
use super::release;
use crate::collect::Collect;
use crate::error::Error;
use crate::format::text::words;
use crate::root::Root;

/// Where depmod.d lies, highest precedence first.
const DIRECTORIES: [&str; 5] = [
    "/etc/depmod.d",
    "/run/depmod.d",
    "/usr/local/lib/depmod.d",
    "/usr/lib/depmod.d",
    "/lib/depmod.d",
];

/// Where modules are looked for, and which of two with one name counts. Lists are in
/// reading order.
#[derive(Default)]
pub struct DepmodConfig {
    /// Places, the best first.
    pub searches: Vec<Search>,
    /// Modules that count wherever else one of their name is: paths below the
    /// kernel's directory, without a suffix.
    pub overrides: Vec<Vec<u8>>,
    /// Directories outside the kernel's.
    pub externals: Vec<Vec<u8>>,
    /// Names of directories and files that are passed over.
    pub excludes: Vec<Vec<u8>>,
    /// What could not be read or understood, for the log.
    pub errors: Vec<Error>,
    /// What is understood, but odd.
    pub warnings: Vec<Error>,
    /// What is understood and has no effect.
    pub notices: Vec<Error>,
}

/// A place of `search`.
#[derive(Debug, PartialEq, Eq)]
pub enum Search {
    /// A directory below the kernel's.
    Directory(Vec<u8>),
    /// All of the kernel's directory that no other place names.
    Builtin,
    /// All directories outside of it.
    External,
}

impl DepmodConfig {
    /// What applies to the kernel `release`: reads `paths`, files or directories, in
    /// place of the usual directories where any are given.
    pub fn load(system: &Root, paths: &[OsString], release: &[u8]) -> Self {
        let mut config = Self::default();
        let files = Files::list(system, &DIRECTORIES, paths, &mut config.errors);
        // What is not there is passed over: nothing asked for is left undone.
        for error in std::mem::take(&mut config.errors) {
            let list = if error.is_missing() { &mut config.warnings } else { &mut config.errors };
            list.push(error);
        }
        for path in files.paths() {
            if let Some(text) = content(&path, &mut config.errors) {
                config.parse(&path, &text, release);
            }
        }
        if config.searches.is_empty() {
            config.searches.push(Search::Directory(b"updates".to_vec()));
        }
        config
    }

    fn parse(&mut self, path: &Path, text: &[u8], release: &[u8]) {
        for (number, line) in lines(text) {
            let place = format!("{}:{number}", path.display());
            let end = comment_in(&line, b"#").unwrap_or(line.len());
            let (text, comment) = line.split_at_checked(end).unwrap_or_default();
            // kmod takes it for a bad line, or for directories.
            if end > 0 && !comment.is_empty() {
                let comment = String::from_utf8_lossy(comment);
                self.warnings.push(Error::said(format!("{place}: {STRAY} '{comment}'")));
            }
            let mut words = words(text);
            let Some(word) = words.next() else { continue };
            let rest: Vec<&[u8]> = words.vec();
            match (word, rest.as_slice()) {
                (b"search", places) => self.searches.extend(places.iter().map(|word| search(word))),
                (b"override", [module, pattern, directory, ..]) => {
                    if release::matches(pattern, release) {
                        self.overrides.push([directory, &b"/"[..], module].concat());
                    }
                }
                (b"external", [pattern, directory, ..]) if directory.starts_with(b"/") => {
                    if release::matches(pattern, release) {
                        self.externals.push(directory.to_vec());
                    }
                }
                (b"exclude", names) => self.excludes.extend(names.iter().map(|name| name.to_vec())),
                (b"include" | b"make_map_files", _) => {
                    let word = String::from_utf8_lossy(word);
                    let notice = format!("{place}: command {word} not implemented yet");
                    self.notices.push(Error::said(notice));
                }
                _ => {
                    let word = String::from_utf8_lossy(word);
                    let error = format!("{place}: ignoring bad line starting with '{word}'");
                    self.errors.push(Error::said(error));
                }
            }
        }
    }
}

fn search(word: &[u8]) -> Search {
    match word {
        b"built-in" => Search::Builtin,
        b"external" => Search::External,
        directory => Search::Directory(directory.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> DepmodConfig {
        let mut config = DepmodConfig::default();
        config.parse(Path::new("f.conf"), text.as_bytes(), b"6.1.0-13-amd64");
        config
    }

    #[test]
    fn directives_are_taken_in() {
        let config = config(
            "\u{feff}# c\r\n  \r\nsearch updates\text built-in \\\nexternal\noverride a * weak\n\
             override b 5.10 weak\noverride c ^6\\\\.1 weak/d\nexternal * /opt/m\r\n\
             external ^5 /opt/n\nexclude .git\ttest\n",
        );
        assert!(config.errors.is_empty());
        let directory = |name: &str| Search::Directory(name.into());
        assert_eq!(
            config.searches,
            [directory("updates"), directory("ext"), Search::Builtin, Search::External]
        );
        assert_eq!(config.overrides, [&b"weak/a"[..], b"weak/d/c"]);
        assert_eq!(config.externals, [b"/opt/m"]);
        assert_eq!(config.excludes, [&b".git"[..], b"test"]);
    }

    #[test]
    fn comments_are_left_out_and_told() {
        let config = config("search a # b\n  # c\n#d\nexclude e#f\n");
        assert!(config.errors.is_empty());
        assert_eq!(config.searches, [Search::Directory(b"a".to_vec())]);
        assert_eq!(config.excludes, [b"e#f"]);
        let warnings: Vec<_> = config.warnings.iter().map(Error::to_string).collect();
        assert_eq!(
            warnings,
            [format!("f.conf:1: {STRAY} '# b'"), format!("f.conf:2: {STRAY} '# c'")]
        );
    }

    #[test]
    fn bad_lines_are_named() {
        let config = config("override a\nfoo\nexternal * m\nmake_map_files\n");
        let errors: Vec<_> = config.errors.iter().map(Error::to_string).collect();
        assert_eq!(
            errors,
            ["override", "foo", "external"]
                .iter()
                .zip(1..)
                .map(|(word, line)| format!(
                    "f.conf:{line}: ignoring bad line starting with '{word}'"
                ))
                .collect::<Vec<_>>()
        );
        assert_eq!(config.notices.len(), 1);
    }
}
