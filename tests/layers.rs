//! Holds `src/` against the order of its layers and two rules of the house.
//!
//! Arrows point down only: a module may name modules of lower rows, of its own
//! row where the row holds several, and itself; never one above. What code
//! under `#[cfg(test)]` names is its own business.
//!
//! The reading is by text, with comments and literals blanked out first: every
//! `crate::NAME` and `crate::{NAME, …}` counts, imported or written in place.
//! A name that is no module (`crate::run`) belongs to `main`.

// A panic is a failed test here.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Top to bottom.
const LAYERS: [&[&str]; 13] = [
    &["main"],
    &["cli", "applets"],
    // What has effects: on the kernel, on the streams.
    &["kernel", "output"],
    &["plan"],
    &["resolve"],
    &["config"],
    &["moddir"],
    &["state", "devices"],
    // Above the formats, which never open a file.
    &["files"],
    &["format"],
    &["numbers"],
    &["name"],
    &["error", "root", "collect", "large"],
];

/// Apart from the order: a module, who alone names it, whom alone it names.
/// The entry is what the C library calls: it hands over to `main`, and keeps
/// for `output` how the streams were found.
const APART: [(&str, &[&str], &[&str]); 1] =
    [("entry", &["main", "output", "kernel", "files", "large"], &["main", "collect"])];

/// These never name each other: an applet is one file, or one and its folder.
const STRANGERS: &str = "applets";

/// Values in, values out: these never reach for the machine.
const PURE: [&str; 5] = ["plan", "resolve", "format", "numbers", "name"];
const EFFECTS: [&str; 7] =
    ["File::open", "OpenOptions", "fs::read", "fs::write", "nix::", "process::", "env::"];

/// The one module with `unsafe` in it.
const UNSAFE: &str = "entry";

/// What ends the program at a value that a file, the kernel or argv gave.
const PANICS: [&str; 2] = [".unwrap()", ".expect("];

struct Source {
    /// Below `src/`.
    path: PathBuf,
    /// Without comments, literals and what is under `#[cfg(test)]`.
    code: String,
}

impl Source {
    /// The first component: `format/index.rs` and `format.rs` are `format`.
    fn module(&self) -> String {
        let first = self.path.components().next().expect("a path below src");
        let name = first.as_os_str().to_string_lossy();
        name.strip_suffix(".rs").unwrap_or(&name).to_owned()
    }

    fn complaint(&self, at: usize, what: &str) -> String {
        let line = self.code[..at].matches('\n').count() + 1;
        format!("src/{}:{line}: {what}", self.path.display())
    }
}

#[test]
fn arrows_point_down() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(Source::module).collect();
    let mut complaints: Vec<String> = modules
        .iter()
        .filter(|module| row(module).is_none() && apart(module).is_none())
        .map(|module| format!("{module}: stands in no row of the table in tests/layers.rs"))
        .collect();
    for source in &sources {
        let from = source.module();
        for (at, path) in crate_paths(&source.code) {
            let first = path[0].as_str();
            let to = if modules.contains(first) { first } else { "main" };
            if !allowed(&from, to) {
                complaints
                    .push(source.complaint(at, &format!("{from} names {to}, which is above")));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The applet that a file is, or is a part of.
fn applet(source: &Source) -> String {
    let name = source.path.iter().nth(1).unwrap_or_default().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

#[test]
fn applets_are_strangers() {
    let mut complaints = Vec::new();
    let sources = sources();
    let files: BTreeSet<String> = sources
        .iter()
        .filter(|source| source.module() == STRANGERS)
        .map(applet)
        .filter(|name| name != "mod")
        .collect();
    for source in sources.iter().filter(|source| source.module() == STRANGERS) {
        let own = applet(source);
        // The one that lists them is meant to name them all.
        if own == "mod" || own == STRANGERS {
            continue;
        }
        let crate_paths = crate_paths(&source.code)
            .into_iter()
            .filter(|(_, path)| path[0] == STRANGERS)
            .filter_map(|(at, path)| Some((at, path.get(1)?.clone())));
        // In a file of its folder, `super` is the applet itself.
        let is_part = source.path.components().count() > 2;
        let super_paths = paths_after(&source.code, "super::")
            .into_iter()
            .filter(|_| !is_part)
            .map(|(at, path)| (at, path[0].clone()));
        for (at, name) in crate_paths.chain(super_paths) {
            if name != own && files.contains(&name) {
                complaints.push(source.complaint(at, &format!("applet {own} names applet {name}")));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn planning_reaches_for_nothing() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module().as_str())) {
        for effect in EFFECTS {
            for (at, _) in source.code.match_indices(effect) {
                // `std::os::unix::` is not `nix::`.
                if !source.code[..at].ends_with(char::is_alphanumeric) {
                    complaints.push(source.complaint(at, effect));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn unsafe_stays_in_one_file() {
    let complaints: Vec<String> = sources()
        .iter()
        .filter(|source| source.module() != UNSAFE)
        .flat_map(|source| {
            words(&source.code, "unsafe")
                .into_iter()
                .map(|at| source.complaint(at, "unsafe"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn nothing_unwraps() {
    let mut complaints = Vec::new();
    for source in &sources() {
        for panic in PANICS {
            for (at, _) in source.code.match_indices(panic) {
                complaints.push(source.complaint(at, panic));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_reader_of_these_tests_reads() {
    let code = bare(
        "use crate::name::ModuleName; // crate::comment::X\n\
         let x = \"crate::string::X\\\" \"; /* crate::block */ let c = '\"'; let l: &'a str;\n\
         use crate::{error::Error, format::{index, text::words}, run};\n\
         #[cfg(test)]\nmod tests { use crate::kernel::Fake; fn f() { x.unwrap() } }\n\
         #[cfg(test)]\nmod more;\nlet r = r#\"crate::raw\"#; crate::state::State::new();",
    );
    let names: Vec<String> =
        crate_paths(&code).into_iter().map(|(_, path)| path.join("::")).collect();
    assert_eq!(names, ["name::ModuleName", "error::Error", "format", "run", "state::State::new"]);
    assert!(!code.contains("unwrap"));
    assert!(allowed("plan", "resolve") && allowed("plan", "plan") && allowed("kernel", "plan"));
    assert!(!allowed("plan", "kernel") && !allowed("name", "format"));
    assert!(allowed("entry", "main") && !allowed("entry", "plan") && !allowed("plan", "entry"));
}

fn row(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn apart(module: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    let found = APART.iter().find(|(name, ..)| *name == module);
    found.map(|(_, named_by, names)| (*named_by, *names))
}

fn allowed(from: &str, to: &str) -> bool {
    match (apart(from), apart(to)) {
        _ if from == to => true,
        (Some((_, names)), _) => names.contains(&to),
        (None, Some((named_by, _))) => named_by.contains(&from),
        // An unknown module is reported by itself.
        (None, None) => row(from).is_none() || row(to).is_none() || row(from) <= row(to),
    }
}

fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&top, &mut files);
    files.sort();
    assert!(!files.is_empty(), "src/ holds something");
    files
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .map(|file| Source {
            code: bare(&fs::read_to_string(&file).expect("a source is text")),
            path: file.strip_prefix(&top).expect("found there").to_path_buf(),
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Every path behind `crate::`, with its place.
fn crate_paths(code: &str) -> Vec<(usize, Vec<String>)> {
    paths_after(code, "crate::")
}

fn paths_after(code: &str, prefix: &str) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    for at in words(code, prefix.trim_end_matches("::")) {
        let Some(rest) = code[at..].strip_prefix(prefix) else {
            continue;
        };
        match rest.strip_prefix('{') {
            Some(group) => {
                for part in first_level(group) {
                    paths.push((at, path(part)));
                }
            }
            None => paths.push((at, path(rest))),
        }
    }
    paths.retain(|(_, path)| path.first().is_some_and(|first| !first.is_empty()));
    paths
}

/// `name::Name as N` → `[name, Name]`
fn path(text: &str) -> Vec<String> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = text.trim_start().find(|c| !part(c));
    let text = text.trim_start();
    let text = &text[..end.unwrap_or(text.len())];
    text.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What stands between the commas of a group, up to its closing brace.
fn first_level(group: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// Where `word` stands as a word of its own.
fn words(code: &str, word: &str) -> Vec<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !code[..at].ends_with(part))
        .filter(|&at| !code[at + word.len()..].starts_with(part))
        .collect()
}

/// The text with comments, literals and `#[cfg(test)]` items blanked out; line
/// numbers stay.
fn bare(text: &str) -> String {
    let mut code = without_literals(text);
    while let Some(at) = code.find("#[cfg(test)]") {
        let end = at + item_length(&code[at..]);
        let blank = blanked(&code[at..end]);
        code.replace_range(at..end, &blank);
    }
    code
}

/// To the end of the item: its closing brace, or a semicolon before any brace.
fn item_length(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn blanked(text: &str) -> String {
    let keep_lines = |c| if c == '\n' { '\n' } else { ' ' };
    text.chars().map(keep_lines).collect()
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map_or(0, |rest| {
            let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
            usize::from(rest[hashes..].starts_with('"')) * (hashes + 1)
        });
        let inside_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if raw > 0 && (!inside_word || out.ends_with('b')) {
            let close = format!("\"{}", "#".repeat(raw - 1));
            let body = &rest[raw + 1..];
            body.find(&close).map_or(rest.len(), |end| raw + 1 + end + close.len())
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_char(rest) {
            quoted(rest, '\'')
        } else {
            0
        };
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.push_str(&blanked(&rest[..length]));
            rest = &rest[length..];
        }
    }
    out
}

/// Whether a quote opens a character and not a lifetime.
fn is_char(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
