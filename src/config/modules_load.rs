//! Modules that are to be loaded at boot, whatever hardware there is:
//! `modules-load.d(5)`, the kernel command line, and Debian's `/etc/modules`.
//!
//! ```text
//! # comment    ; comment
//! NAME [PARAM=VALUE]...
//! ```
//!
//! Lines, comments and names are as in all lists: see `lines` and `written`.
//!
//! On the kernel command line, `modules_load=NAME,NAME`; `rd.modules_load=` counts in an
//! initramfs alone.

use std::path::Path;

use super::cmdline::{SOURCE, key_and_assignment, words};
use super::find::{Files, content};
use super::lines::{lines, without_comment};
use super::written::{ALIAS, items, unquoted};
use crate::error::Error;
use crate::root::Root;

/// Where the lists lie, highest precedence first.
const DIRECTORIES: [&str; 5] = [
    "/etc/modules-load.d",
    "/run/modules-load.d",
    "/usr/local/lib/modules-load.d",
    "/usr/lib/modules-load.d",
    "/lib/modules-load.d",
];

/// Older than these, and read after them.
const ETC_MODULES: &str = "/etc/modules";

/// A module that a list names.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, or an alias.
    pub name: Vec<u8>,
    /// Parameters, blank-separated.
    pub options: Vec<u8>,
    /// Where it is named.
    pub place: String,
}

/// All modules that lists name, in order: the kernel's `command_line`, the files by their base
/// names, `/etc/modules`. What could not be read is told in `errors`.
pub fn listed(
    system: &Root,
    command_line: &[u8],
    initramfs: bool,
    errors: &mut Vec<Error>,
) -> Vec<Listed> {
    let mut all = Vec::new();
    on_command_line(command_line, initramfs, &mut all);
    for path in Files::list(system, &DIRECTORIES, &[], errors).paths() {
        in_file(&path, errors, &mut all);
    }
    in_file(&system.join(ETC_MODULES), errors, &mut all);
    all
}

fn on_command_line(line: &[u8], initramfs: bool, all: &mut Vec<Listed>) {
    for word in words(line) {
        let (key, assignment) = key_and_assignment(word);
        let key = unquoted(key);
        let (key, is_here) = match key.strip_prefix(b"rd.") {
            Some(key) => (key, initramfs),
            None => (key, true),
        };
        // The kernel takes both signs for one, and so does everybody after it.
        if !is_here || !matches!(key, b"modules_load" | b"modules-load") {
            continue;
        }
        for name in items(assignment.get(1..).unwrap_or_default(), b"") {
            all.push(Listed { name, options: Vec::new(), place: SOURCE.to_owned() });
        }
    }
}

fn in_file(path: &Path, errors: &mut Vec<Error>, all: &mut Vec<Listed>) {
    let Some(text) = content(path, errors) else { return };
    for (number, line) in lines(&text) {
        let line = without_comment(&line, b"#;");
        let (names, options) = line.split_at_checked(end_of_names(line)).unwrap_or_default();
        for name in items(names, ALIAS) {
            all.push(Listed {
                name,
                options: options.trim_ascii().to_vec(),
                place: format!("{} line {number}", path.to_string_lossy()),
            });
        }
    }
}

/// Where the names of `line` end, and the parameters begin: there is one name, unless commas
/// or quotes, which no parameter begins or ends with, say that there are more.
fn end_of_names(line: &[u8]) -> usize {
    let (mut end, mut is_behind_comma) = (0, false);
    for word in line.split_inclusive(u8::is_ascii_whitespace) {
        let text = word.trim_ascii();
        let is_sign = |c: Option<&u8>| c.is_some_and(|c| matches!(c, b',' | b'"' | b'\''));
        let is_more = (is_sign(text.first()) || is_sign(text.last())) && !text.contains(&b'=');
        if !text.is_empty() {
            if end > 0 && !is_more && !is_behind_comma {
                break;
            }
            is_behind_comma = text.ends_with(b",");
        }
        end += word.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lists_are_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let line = b"quiet modules_load=a,b rd.modules-load=\"c,d\" x.modules_load=no\n";
        write(
            "etc/modules-load.d/20.conf",
            "# no\n; no\n\n  snd-x  \nloop max_loop=8 max_part=1\n\
             e, f\n\"g\" 'h' p=1\n\"i  j\"\tq\nk ,l , m,n flag\no p=\"x y\" q=',' r\n",
        );
        write("usr/lib/modules-load.d/10.conf", "first\n");
        write("usr/lib/modules-load.d/20.conf", "masked\n");
        write("etc/modules", "last p=1");
        let root = Root::new(dir.path());
        let list = |initramfs| {
            let mut errors = Vec::new();
            let listed = listed(&root, line, initramfs, &mut errors);
            assert!(errors.is_empty());
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let line = |one: &Listed| text(&[&one.name, &b" "[..], &one.options].concat());
            (listed.iter().map(line).collect::<Vec<_>>(), listed)
        };
        let (lines, listed) = list(true);
        let files = [
            "first ",
            "snd-x ",
            "loop max_loop=8 max_part=1",
            "e ",
            "f ",
            "g p=1",
            "h p=1",
            "i q",
            "j q",
            "k flag",
            "l flag",
            "m flag",
            "n flag",
            "o p=\"x y\" q=',' r",
            "last p=1",
        ];
        assert_eq!(lines, [&["a ", "b ", "c ", "d "][..], &files].concat());
        assert!(listed[5].place.ends_with("etc/modules-load.d/20.conf line 4"));
        assert_eq!(list(false).0, [&["a ", "b "][..], &files].concat());
    }
}
