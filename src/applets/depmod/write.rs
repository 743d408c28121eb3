//! What stands in each of the files that depmod makes.
//!
//! ```text
//! modules.dep      FILE: FILE…            the last loads first
//! modules.alias    alias PATTERN MODULE
//! modules.softdep  softdep MODULE TEXT
//! modules.weakdep  weakdep MODULE TEXT
//! modules.symbols  alias symbol:SYMBOL MODULE
//! modules.devname  MODULE NODE c|bMAJOR:MINOR
//! ```
//!
//! The binary indexes hold the same by key: `modules.dep.bin` a module's line,
//! `modules.alias.bin` and `.symbols.bin` the module's name, its rank being the
//! priority; `modules.builtin.bin` nothing, `modules.builtin.alias.bin` the builtin's
//! name.

use std::path::Path;

use super::check::Library;
use super::depend::Graph;
use super::find::Found;
use super::read::{Contents, List};
use crate::collect::Collect;
use crate::error::Error;
use crate::format::index::write::{IndexWriter, Refused};
use crate::format::text::number;
use crate::format::text::{builtin_entry, lines};
use crate::name::{ModuleName, fold_alias};

/// No index is larger, as its offsets have 28 bits.
const LARGEST: usize = 1 << 28;

/// All that is known of the modules.
pub struct Index<'a> {
    /// Their files, in order of rank, what is in them and what they export.
    pub library: &'a Library<'a>,
    /// Who needs whom.
    pub graph: &'a Graph,
}

/// A file's name and content.
pub type File = (&'static str, Vec<u8>);

/// Files, and what is odd about what they are made of.
pub type Made = (Vec<File>, Vec<Error>);

impl Index<'_> {
    fn each(&self) -> impl Iterator<Item = (&Found, &Contents)> {
        self.library.modules.iter().zip(self.library.contents)
    }

    /// `modules.dep` and its binary form.
    pub fn dependencies(&self) -> Result<Made, Error> {
        let mut text = Vec::new();
        let mut ends = Vec::new();
        for (number, module) in self.library.modules.iter().enumerate() {
            text.extend_from_slice(&module.listed);
            text.push(b':');
            for needed in self.graph.closure(number) {
                let listed =
                    self.library.modules.get(needed).map(|needed| needed.listed.as_slice());
                text.push(b' ');
                text.extend_from_slice(listed.unwrap_or_default());
            }
            ends.push(text.len());
            text.push(b'\n');
            if text.len() > LARGEST {
                return Err(refused("modules.dep.bin", Refused::TooLarge));
            }
        }
        let mut index = IndexWriter::default();
        let mut start = 0;
        for (rank, (module, end)) in (0..).zip(self.library.modules.iter().zip(ends)) {
            let line = text.get(start..end).unwrap_or_default();
            index.insert(module.name.as_bytes(), line, rank).map_err(|why| {
                refused("modules.dep.bin", why).note(module.path.display().to_string())
            })?;
            start = end + 1;
        }
        let bin = finish("modules.dep.bin", index)?;
        Ok((vec![bin, ("modules.dep", text)], Vec::new()))
    }

    /// `modules.alias` and its binary form, and what is wrong with which alias, or
    /// odd if `tell_duplicates`.
    pub fn aliases(&self, tell_duplicates: bool) -> Result<Made, Error> {
        let mut warnings = Vec::new();
        let mut text = b"# Aliases extracted from modules themselves.\n".to_vec();
        let mut index = IndexWriter::default();
        for (rank, (module, contents)) in (0..).zip(self.each()) {
            let name = module.name.as_bytes();
            let mut known = Vec::new();
            for alias in contents.list(List::Aliases) {
                line(&mut text, &[b"alias", alias, name]);
                let Some(folded) = fold_alias(alias) else {
                    warnings.push(unmatched(alias).note(module.path.display().to_string()));
                    continue;
                };
                if tell_duplicates {
                    if known.contains(&folded) {
                        let alias = String::from_utf8_lossy(&folded);
                        let warning = format!("duplicate module alias:\n{alias} {}", module.name);
                        warnings.push(Error::said(warning));
                    }
                    known.push(folded.clone());
                }
                if let Err(why) = index.insert(folded, name, rank) {
                    let path = module.path.display().to_string();
                    warnings.push(ignored("alias", alias, why).note(path));
                }
            }
        }
        let bin = finish("modules.alias.bin", index)?;
        Ok((vec![("modules.alias", text), bin], warnings))
    }

    /// `modules.symbols` and its binary form.
    pub fn symbols(&self) -> Result<Made, Error> {
        let mut warnings = Vec::new();
        let mut all: Vec<(&[u8], usize)> = self
            .library
            .symbols
            .iter()
            .filter_map(|(name, symbol)| Some((*name, symbol.owner?)))
            .vec();
        all.sort();
        let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
        let mut index = IndexWriter::default();
        for (name, owner) in all {
            let Some(module) = self.library.modules.get(owner) else { continue };
            let key = [b"symbol:", name].concat();
            line(&mut text, &[b"alias", &key, module.name.as_bytes()]);
            if let Err(why) = index.insert(key, module.name.as_bytes(), owner as u32) {
                let path = module.path.display().to_string();
                warnings.push(ignored("symbol", name, why).note(path));
            }
        }
        let bin = finish("modules.symbols.bin", index)?;
        Ok((vec![("modules.symbols", text), bin], warnings))
    }

    /// `modules.softdep`, `modules.weakdep` and `modules.devname`.
    pub fn texts(&self) -> Made {
        let title = b"# Soft dependencies extracted from modules themselves.\n";
        let softdeps = self.lines(title, b"softdep", List::Softdeps);
        let title = b"# Weak dependencies extracted from modules themselves.\n";
        let weakdeps = self.lines(title, b"weakdep", List::Weakdeps);
        let (devnames, warnings) = self.devnames();
        let files = [
            ("modules.softdep", softdeps),
            ("modules.weakdep", weakdeps),
            ("modules.devname", devnames),
        ];
        (files.into(), warnings)
    }

    fn lines(&self, title: &[u8], word: &[u8], list: List) -> Vec<u8> {
        let mut text = title.to_vec();
        for (module, contents) in self.each() {
            for value in contents.list(list) {
                line(&mut text, &[word, module.name.as_bytes(), value]);
            }
        }
        text
    }

    fn devnames(&self) -> (Vec<u8>, Vec<Error>) {
        let (mut text, mut warnings) = (Vec::new(), Vec::new());
        for (module, contents) in self.each() {
            let (mut node, mut device) = (None, None);
            for alias in contents.list(List::Aliases) {
                match alias.strip_prefix(b"devname:") {
                    Some(name) => node = Some(name),
                    None => device = numbers(alias).or(device),
                }
                if node.is_some() && device.is_some() {
                    break;
                }
            }
            match (node, device) {
                (Some(node), Some(device)) => {
                    if text.is_empty() {
                        text = b"# Device nodes to trigger on-demand module loading.\n".to_vec();
                    }
                    line(&mut text, &[module.name.as_bytes(), node, device.as_bytes()]);
                }
                (Some(node), None) => warnings.push(Error::said(format!(
                    "Module '{}' has devname ({}) but lacks major and minor information. Ignoring.",
                    module.name,
                    String::from_utf8_lossy(node)
                ))),
                (None, _) => {}
            }
        }
        (text, warnings)
    }
}

/// `c10:229` of the alias `char-major-10-229`, `b…` of a `block-major-…`.
fn numbers(alias: &[u8]) -> Option<String> {
    let (kind, rest) = match alias.strip_prefix(b"char-major-") {
        Some(rest) => ('c', rest),
        None => ('b', alias.strip_prefix(b"block-major-")?),
    };
    let (major, rest) = leading(rest)?;
    let (minor, _) = leading(rest.strip_prefix(b"-")?)?;
    Some(format!("{kind}{major}:{minor}"))
}

/// The number that `text` starts with, and the rest.
fn leading(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((number(digits, 10)?, rest))
}

/// `modules.builtin.bin` of what is in `modules.builtin`, at `path`.
pub fn builtins(path: &Path, builtin: &[u8]) -> Result<Made, Error> {
    let mut warnings = Vec::new();
    let mut index = IndexWriter::default();
    for (number, line) in (1..).zip(lines(builtin)) {
        if line.first().is_some_and(u8::is_ascii_alphabetic) {
            let name = ModuleName::from_path(line).as_bytes().to_vec();
            let place = || format!("{} line {number}", path.display());
            if let Err(why) = index.insert(name.clone(), &b""[..], 0) {
                warnings.push(ignored("module", &name, why).note(place()));
            }
        } else if !line.is_empty() {
            let line = String::from_utf8_lossy(line);
            let warning = format!("{} line {number}: ignoring '{line}'", path.display());
            warnings.push(Error::said(warning));
        }
    }
    Ok((vec![finish("modules.builtin.bin", index)?], warnings))
}

/// `modules.builtin.alias.bin` of what is in `modules.builtin.modinfo`, at `path`.
pub fn builtin_aliases(path: &Path, modinfo: &[u8]) -> Result<Made, Error> {
    let mut warnings = Vec::new();
    let mut index = IndexWriter::default();
    for entry in modinfo.split(|&c| c == 0) {
        let Some((name, b"alias", alias @ [_, ..])) = builtin_entry(entry) else { continue };
        let Some(folded) = fold_alias(alias) else {
            warnings.push(unmatched(alias).note(path.display().to_string()));
            continue;
        };
        if let Err(why) = index.insert(folded, name, 0) {
            warnings.push(ignored("alias", alias, why).note(path.display().to_string()));
        }
    }
    Ok((vec![finish("modules.builtin.alias.bin", index)?], warnings))
}

fn line(text: &mut Vec<u8>, words: &[&[u8]]) {
    text.extend_from_slice(&words.join(&b' '));
    text.push(b'\n');
}

fn unmatched(alias: &[u8]) -> Error {
    Error::said(format!("Unmatched bracket in {}", String::from_utf8_lossy(alias)))
}

/// That no index can hold `name`.
fn ignored(what: &str, name: &[u8], why: Refused) -> Error {
    let name = String::from_utf8_lossy(name);
    Error::new(format!("ignoring {what} '{name}'"), why.to_string())
}

fn finish(name: &'static str, index: IndexWriter<'_>) -> Result<File, Error> {
    Ok((name, index.finish().map_err(|why| refused(name, why))?))
}

fn refused(name: &str, why: Refused) -> Error {
    Error::new(format!("could not write {name}"), why.to_string())
}
