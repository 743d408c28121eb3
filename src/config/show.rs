//! The configuration as text, as `modprobe -c` prints it, and as JSON.

use super::{Config, Softdep};
use crate::collect::Collect;
use crate::format::json::Json;

impl Config {
    /// Every directive on a line of its own, sorted by kind, in reading order.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut line = |words: &[&[u8]]| {
            text.extend_from_slice(&words.join(&b' '));
            text.push(b'\n');
        };
        for name in &self.blacklist {
            line(&[b"blacklist", name.as_bytes()]);
        }
        for denial in &self.denials {
            line(&[b"deny", &denial.pattern]);
        }
        for (name, command) in &self.installs {
            line(&[b"install", name, command]);
        }
        for (name, command) in &self.removes {
            line(&[b"remove", name, command]);
        }
        for (pattern, module) in &self.aliases {
            line(&[b"alias", pattern, module.as_bytes()]);
        }
        for (name, options) in &self.options {
            line(&[b"options", name, options]);
        }
        for (name, softdep) in &self.softdeps {
            line(&[b"softdep", name, &softdep_text(softdep)]);
        }
        for (name, names) in &self.weakdeps {
            line(&[b"weakdep", name, &names.join(&b' ')]);
        }
        text
    }

    /// An object with an array for each kind of directive.
    pub fn json(&self) -> Json {
        let pairs = |key, list: &[(Vec<u8>, Vec<u8>)]| {
            let object = |(name, text): &(Vec<u8>, Vec<u8>)| {
                Json::Object(vec![("module", Json::text(name)), (key, Json::text(text))])
            };
            Json::List(list.iter().map(object).vec())
        };
        let alias = |(pattern, module): &(Vec<u8>, crate::name::ModuleName)| {
            let module = Json::text(module.as_bytes());
            Json::Object(vec![("alias", Json::text(pattern)), ("module", module)])
        };
        let softdep = |(name, softdep): &(Vec<u8>, Softdep)| {
            Json::Object(vec![
                ("module", Json::text(name)),
                ("pre", Json::texts(&softdep.pre)),
                ("post", Json::texts(&softdep.post)),
            ])
        };
        let weakdep = |(name, names): &(Vec<u8>, Vec<Vec<u8>>)| {
            Json::Object(vec![("module", Json::text(name)), ("names", Json::texts(names))])
        };
        Json::Object(vec![
            ("blacklist", Json::texts(self.blacklist.iter().map(|name| name.as_bytes()))),
            ("deny", Json::texts(self.denials.iter().map(|denial| &denial.pattern))),
            ("install", pairs("command", &self.installs)),
            ("remove", pairs("command", &self.removes)),
            ("alias", Json::List(self.aliases.iter().map(alias).vec())),
            ("options", pairs("options", &self.options)),
            ("softdep", Json::List(self.softdeps.iter().map(softdep).vec())),
            ("weakdep", Json::List(self.weakdeps.iter().map(weakdep).vec())),
        ])
    }
}

/// kmod's text has no blank before `post:`. Who parses it knows that by now.
fn softdep_text(softdep: &Softdep) -> Vec<u8> {
    let mut text = Vec::new();
    for (word, names) in [(&b"pre: "[..], &softdep.pre), (b"post: ", &softdep.post)] {
        if !names.is_empty() {
            text.extend_from_slice(word);
            text.extend_from_slice(&names.join(&b' '));
        }
    }
    text
}
