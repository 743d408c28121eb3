//! Words about symbols: which ones nobody exports, and why modules need one another
//! in a circle.

use std::os::unix::ffi::OsStrExt;

use super::depend::{Symbols, look_up};
use super::find::Found;
use super::read::{Contents, List};
use crate::collect::Collect;
use crate::error::Error;

/// Modules and the symbols that they and the kernel export; the lists go together.
pub struct Library<'a> {
    /// The modules' files.
    pub modules: &'a [Found],
    /// What is in them.
    pub contents: &'a [Contents],
    /// All symbols.
    pub symbols: &'a Symbols<'a>,
    /// What an architecture puts before each symbol.
    pub prefix: Option<u8>,
}

impl Library<'_> {
    /// A warning for each symbol that a module needs and nobody exports; with `crcs`,
    /// for each that is of another type than it was built against, too.
    pub fn unresolved(&self, crcs: bool) -> Vec<Error> {
        let mut warnings = Vec::new();
        for (module, contents) in self.modules.iter().zip(self.contents) {
            let Some(checks) = &contents.checks else { continue };
            let path = module.path.display();
            let mut weak = checks.weak.iter();
            let undefined: Vec<&[u8]> = contents.list(List::Undefined).vec();
            let strong = undefined.iter().filter(|_| weak.next() == Some(&false)).copied();
            // And those that no symbol of the file stands for.
            let others = checks.versions.iter().map(|(name, _)| name.as_slice());
            let others = others.filter(|name| !undefined.contains(name));
            for name in strong.chain(others) {
                let versions = &checks.versions;
                let place = versions.binary_search_by(|(other, _)| other.as_slice().cmp(name));
                let crc = place.ok().and_then(|place| versions.get(place));
                let crc = crc.map_or(0, |(_, crc)| *crc);
                let shown = String::from_utf8_lossy(name);
                match look_up(self.symbols, name, self.prefix) {
                    None => {
                        warnings.push(Error::said(format!("{path} needs unknown symbol {shown}")))
                    }
                    Some(symbol) if crcs && symbol.crc != crc => warnings.push(Error::said(
                        format!("{path} disagrees about version of symbol {shown}"),
                    )),
                    Some(_) => {}
                }
            }
        }
        warnings
    }

    /// A line for each module that a module needs itself, with the first symbol that
    /// it needs of it.
    pub fn needs(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (module, contents) in self.modules.iter().zip(self.contents) {
            let mut told = Vec::new();
            for name in contents.wanted() {
                let symbol = look_up(self.symbols, name, self.prefix);
                let Some(number) = symbol.and_then(|symbol| symbol.owner) else { continue };
                let Some(owner) = self.modules.get(number) else { continue };
                if told.contains(&number) {
                    continue;
                }
                told.push(number);
                let path = |module: &Found| module.path.as_os_str().as_bytes().to_vec();
                let words = [&path(module)[..], b" needs \"", name, b"\": ", &path(owner), b"\n"];
                text.extend_from_slice(&words.concat());
            }
        }
        text
    }

    /// The circles that modules, by number, depend on one another in, each with the
    /// symbols that make it.
    pub fn explain(&self, circles: &[Vec<usize>]) -> Vec<Error> {
        let mut errors: Vec<Error> = circles.iter().map(|circle| self.circle(circle)).vec();
        // A module may be in several.
        let mut modules: Vec<usize> = circles.concat();
        modules.sort_unstable();
        modules.dedup();
        let count = modules.len();
        errors.push(Error::said(format!("Found {count} modules in dependency cycles!")));
        errors
    }

    fn circle(&self, circle: &[usize]) -> Error {
        let name = |number: usize| {
            self.modules.get(number).map_or_else(String::new, |module| module.name.to_string())
        };
        let ways = circle.iter().zip(circle.iter().cycle().skip(1));
        let mut text = "Cycle detected:".to_owned();
        circle.iter().for_each(|&number| text.push_str(&format!(" {} ->", name(number))));
        circle.first().into_iter().for_each(|&number| text.push_str(&format!(" {}", name(number))));
        ways.fold(Error::said(text), |error, (&from, &to)| {
            let symbol = self.symbol_between(from, to);
            error.note(format!("{} needs {symbol} of {}", name(from), name(to)))
        })
    }

    /// A symbol that module `from` needs of module `to`.
    fn symbol_between(&self, from: usize, to: usize) -> String {
        let mut wanted = self.contents.get(from).into_iter().flat_map(Contents::wanted);
        let is_between = |name: &&[u8]| {
            look_up(self.symbols, name, self.prefix).is_some_and(|s| s.owner == Some(to))
        };
        let name = wanted.find(is_between).unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}
