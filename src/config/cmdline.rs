//! Module options on the kernel command line (`Documentation/admin-guide/
//! kernel-parameters.rst`, `modprobe(8)`):
//!
//! ```text
//! module.param    module.param=value    module.param="two words"
//! "module.param=two words"              (as some boot loaders rewrite it)
//! modprobe.blacklist=module,module
//! modprobe.deny=pattern,pattern         (nanomod's own)
//! ```
//!
//! Words end at white space outside double quotes. A second dot or a quote before
//! the `=`, but for a leading quote, and an unclosed quote make a word somebody
//! else's.

use super::{Config, Denial};
use crate::error::Error;
use crate::name::{ModuleName, fold_alias};

/// Reads `line`, the content of `/proc/cmdline`, into `config`.
pub fn parse(config: &mut Config, line: &[u8]) {
    for word in words(line) {
        if let Some((module, option)) = option(word) {
            add(config, module, option);
        }
    }
}

/// The words of a kernel command line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= *c == b'"';
        !quoted && (c.is_ascii_whitespace() || *c == 0x0b || *c == 0)
    })
}

fn add(config: &mut Config, module: &[u8], option: Vec<u8>) {
    if module == b"modprobe" {
        if let Some(names) = option.strip_prefix(b"blacklist=") {
            let names = names.split(|&c| c == b',').filter(|name| !name.is_empty());
            config.blacklist.extend(names.map(ModuleName::new));
            return;
        }
        if let Some(patterns) = option.strip_prefix(b"deny=") {
            let place = "the kernel command line";
            for pattern in patterns.split(|&c| c == b',').filter(|pattern| !pattern.is_empty()) {
                match fold_alias(pattern) {
                    Some(pattern) => config.denials.push(Denial { pattern, place: place.into() }),
                    None => config.errors.push(bad_name(pattern)),
                }
            }
            return;
        }
    }
    match fold_alias(module) {
        Some(module) => config.options.push((module, option)),
        None => config.errors.push(bad_name(module)),
    }
}

fn bad_name(name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name);
    let doing = "Ignoring bad option on kernel command line while parsing module name";
    Error::said(format!("{doing}: '{name}'"))
}

/// Splits a word into module and option, the latter as the kernel wants it.
fn option(word: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    if word.iter().filter(|&&c| c == b'"').count() % 2 == 1 {
        return None;
    }
    let unquoted = word.strip_prefix(b"\"");
    let body = unquoted.unwrap_or(word);
    let end_of_key = body.iter().position(|&c| c == b'=').unwrap_or(body.len());
    let (key, value) = body.split_at_checked(end_of_key)?;
    if key.iter().any(|c| c.is_ascii_whitespace() || *c == b'"') {
        return None;
    }
    let dot = key.iter().position(|&c| c == b'.')?;
    let (module, param) = (key.get(..dot)?, key.get(dot + 1..)?);
    if param.contains(&b'.') {
        return None;
    }
    let option = match (unquoted, value) {
        // The closing quote is at the value's end already.
        (Some(_), [b'=', value @ ..]) => [param, b"=\"", value].concat(),
        _ => [param, value].concat(),
    };
    Some((module, option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quoting_form_reaches_the_kernel_as_one_parameter() {
        let line = b"root=/dev/sda1 ro.x snd-hda.a=1 m.p=\"two words\" \"m.q=more words\" m.flag \
            a.b.c=2 m.v=1.5 =x \"m.bad m.r\"=1 m.s=x.y=z\tm.t=1\n";
        let mut config = Config::default();
        parse(&mut config, line);
        let options = |name: &[u8]| config.options(&ModuleName::new(name), None);
        assert_eq!(options(b"snd_hda"), b"a=1");
        assert_eq!(
            String::from_utf8(options(b"m")).unwrap(),
            "p=\"two words\" q=\"more words\" flag v=1.5 s=x.y=z t=1"
        );
        assert_eq!(options(b"ro"), b"x");
        assert_eq!(options(b"a"), b"");
    }

    #[test]
    fn blacklisted_names_fold() {
        let mut config = Config::default();
        parse(&mut config, b"modprobe.blacklist=a-b,c modprobe.blacklist=d modprobe.x=1");
        for name in [&b"a_b"[..], b"c", b"d"] {
            assert!(config.is_blacklisted(&ModuleName::new(name)));
        }
        assert_eq!(config.options(&ModuleName::new(b"modprobe"), None), b"x=1");
    }

    #[test]
    fn an_unclosed_quote_swallows_the_rest() {
        let mut config = Config::default();
        parse(&mut config, b"m.a=1 m.b=\"x m.c=3");
        assert_eq!(config.options(&ModuleName::new(b"m"), None), b"a=1");
    }
}
