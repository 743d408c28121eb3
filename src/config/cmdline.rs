//! What the kernel command line says of modules (`Documentation/admin-guide/
//! kernel-parameters.rst`, `modprobe(8)`):
//!
//! ```text
//! module.param    module.param=value    module.param="two words"
//! "module.param=two words"              (as some boot loaders rewrite it)
//! modprobe.blacklist=module,module
//! modprobe.deny=pattern,pattern         (nanomod's own)
//! module_blacklist=module,module        (the kernel's own)
//! ```
//!
//! Words are taken apart as the kernel does it (`next_arg` in `lib/cmdline.c`), so that it
//! and all of nanomod mean the same by a line. A second dot before the `=` makes a word
//! somebody else's.

use std::path::Path;

use super::Config;
use super::written::{List, NO_NAME, Place, items, unquoted};
use crate::collect::Collect;
use crate::name::fold_alias;

/// Who says what is said here.
pub const SOURCE: &str = "the kernel command line";

/// Words that list modules. The kernel takes `-` and `_` for one.
const LISTS: [(&[u8], List); 4] = [
    (b"modprobe.blacklist", List::Blacklist),
    (b"modprobe.deny", List::Deny),
    (b"module_blacklist", List::Refused),
    (b"module-blacklist", List::Refused),
];

/// Reads `line`, the content of `/proc/cmdline`, into `config`.
pub fn parse(config: &mut Config, line: &[u8]) {
    let place = Place { source: Path::new(SOURCE), line: 0 };
    let (mut refusal, mut is_for_init) = (None, false);
    for word in words(line) {
        let (key, assignment) = key_and_assignment(word);
        is_for_init |= word == b"--";
        let is_open = word.iter().filter(|&&c| c == b'"').count() % 2 == 1;
        if is_open {
            config.errors.push(place.tell("no end of the quotes in", word));
        }
        if let Some((_, list)) = LISTS.iter().find(|(name, _)| *name == unquoted(key)) {
            if *list == List::Refused {
                if is_for_init {
                    continue;
                }
                // Whoever wrote it wants the module away: here it counts all the same.
                if let Some(before) = refusal.replace(word) {
                    config
                        .errors
                        .push(place.tell("the kernel takes a later list in place of", before));
                }
                tell_exactly(config, value(word), place);
            }
            let is_any = config.add_list(*list, assignment.get(1..).unwrap_or_default(), place);
            // An empty list of all others says nothing.
            if !is_any && *list == List::Deny {
                config.errors.push(place.tell("no module in", word));
            }
            continue;
        }
        let is_quoted = word.starts_with(b"\"");
        let Some((module, option)) = option(key, assignment, is_quoted, is_open) else { continue };
        match fold_alias(module) {
            Some(module) => config.options.push((module, option)),
            None => config.errors.push(place.tell(NO_NAME, module)),
        }
    }
}

/// Tells what the kernel passes over in `list`, as it compares byte for byte
/// (`blacklisted` in `kernel/module/main.c`).
fn tell_exactly(config: &mut Config, list: &[u8], place: Place<'_>) {
    for written in list.split(|&c| c == b',').filter(|written| !written.is_empty()) {
        let meant = items(written, b"");
        let meant = meant.iter().filter_map(|name| fold_alias(name)).vec().join(&b',');
        if !meant.is_empty() && meant != written {
            let meant = String::from_utf8_lossy(&meant);
            let what = format!("the kernel compares byte for byte: write {meant} for");
            config.errors.push(place.tell(&what, written));
        }
    }
}

/// The value of a word as the kernel takes it.
fn value(word: &[u8]) -> &[u8] {
    let (_, assignment) = key_and_assignment(word);
    let value = assignment.get(1..).unwrap_or_default();
    let inner = value.strip_prefix(b"\"");
    let is_quoted = inner.is_some() || word.starts_with(b"\"");
    let value = inner.unwrap_or(value);
    value.strip_suffix(b"\"").filter(|_| is_quoted).unwrap_or(value)
}

/// The words of a kernel command line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.trim_ascii_end().split(move |c| {
        quoted ^= *c == b'"';
        !quoted && matches!(c, b' ' | 0x09..=0x0d | 0xa0 | 0)
    })
}

/// What is before the first `=` of a word, and from there on what is behind it: as it is
/// written, but for the quote before the word.
pub fn key_and_assignment(word: &[u8]) -> (&[u8], &[u8]) {
    let word = word.strip_prefix(b"\"").unwrap_or(word);
    let end_of_key = word.iter().position(|&c| c == b'=').unwrap_or(word.len());
    word.split_at_checked(end_of_key).unwrap_or_default()
}

/// Module and option of a word that is one, the latter as the module has to get it.
fn option<'a>(
    key: &'a [u8],
    assignment: &[u8],
    is_quoted: bool,
    is_open: bool,
) -> Option<(&'a [u8], Vec<u8>)> {
    // With no value, the closing quote of the word is here.
    let key = key.strip_suffix(b"\"").filter(|_| assignment.is_empty()).unwrap_or(key);
    let dot = key.iter().position(|&c| c == b'.')?;
    let (module, param) = (key.get(..dot)?, key.get(dot + 1..)?);
    if param.contains(&b'.') || key.iter().any(|c| matches!(c, b' ' | b'"')) {
        return None;
    }
    let (equals, value): (&[u8], _) = match assignment {
        // With one, it is at its end.
        [b'=', value @ ..] if is_quoted => (b"=\"", value),
        assignment => (b"", assignment),
    };
    let end: &[u8] = if is_open { b"\"" } else { b"" };
    Some((module, [param, equals, value, end].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ModuleName;

    fn config(line: &str) -> Config {
        let mut config = Config::default();
        parse(&mut config, line.as_bytes());
        config
    }

    fn name(name: &str) -> ModuleName {
        ModuleName::new(name.as_bytes())
    }

    #[test]
    fn every_quoting_form_reaches_the_kernel_as_one_parameter() {
        let config = config(
            "root=/dev/sda1 ro.x snd-hda.a=1 m.p=\"two words\" \"m.q=more words\" m.flag \
             a.b.c=2 m.v=1.5 =x \"m.bad m.r\"=1 m.s=x.y=z\tm.t=1 \"m.f\" m.e= m.i=a\"b c\"\n",
        );
        let options = |text: &str| String::from_utf8(config.options(&name(text), None)).unwrap();
        assert_eq!(options("snd_hda"), "a=1");
        assert_eq!(
            options("m"),
            "p=\"two words\" q=\"more words\" flag v=1.5 s=x.y=z t=1 f e= i=a\"b c\""
        );
        assert_eq!(options("ro"), "x");
        assert_eq!(options("a"), "");
        assert!(config.errors.is_empty());
    }

    #[test]
    fn lists_of_modules_may_be_in_quotes_of_any_kind() {
        for list in
            ["a-b,c", "\"a-b,c\"", "\"a-b\",\"c\"", "'a-b,c'", "a-b.ko,/x/c.ko.xz", "\"a-b c"]
        {
            for (word, in_quotes) in
                ["modprobe.blacklist", "modprobe.deny", "module_blacklist", "module-blacklist"]
                    .into_iter()
                    .flat_map(|word| [(word, false), (word, true)])
            {
                if in_quotes && list.contains('"') {
                    continue;
                }
                let line = match in_quotes {
                    false => format!("quiet {word}={list}\n"),
                    true => format!("quiet \"{word}={list}\" x\n"),
                };
                let config = config(&line);
                for module in [name("a_b"), name("c")] {
                    let listed = match word {
                        "modprobe.blacklist" => config.is_blacklisted(&module),
                        "modprobe.deny" => config.denial(&module) == Some(SOURCE),
                        _ => config.is_refused_by_kernel(&module),
                    };
                    assert!(listed, "{line} {module}");
                }
                let is_open = list.matches('"').count() == 1;
                let told = config.errors.iter().map(ToString::to_string);
                let is_told = |text: &String| text.contains("byte for byte");
                let (exactly, rest): (Vec<_>, Vec<_>) = told.partition(is_told);
                assert_eq!(!exactly.is_empty(), word.starts_with("module"), "{line}");
                assert_eq!(rest.len(), usize::from(is_open), "{line}");
            }
        }
    }

    #[test]
    fn names_add_up_and_other_words_of_modprobe_are_its_own() {
        let config = config("modprobe.blacklist=a-b,c modprobe.blacklist=d modprobe.x=1");
        for module in ["a_b", "c", "d"] {
            assert!(config.is_blacklisted(&name(module)));
        }
        assert_eq!(config.options(&name("modprobe"), None), b"x=1");
    }

    #[test]
    fn what_the_kernel_refuses_is_told_where_it_reads_the_words_in_another_way() {
        for (line, refused, told) in [
            ("module_blacklist=a,snd_hda", &["a", "snd_hda"][..], &[][..]),
            ("module-blacklist=\"a,b\"", &["a", "b"], &[]),
            ("\"module_blacklist=a,b\" c", &["a", "b"], &[]),
            ("module_blacklist=a -- module_blacklist=b", &["a"], &[]),
            ("module_blacklist=a,,b,", &["a", "b"], &[]),
            (
                "module_blacklist=snd-hda",
                &["snd_hda"],
                &["the kernel compares byte for byte: write snd_hda for 'snd-hda'"],
            ),
            (
                "\"module_blacklist=a-b c\"",
                &["a_b", "c"],
                &["the kernel compares byte for byte: write a_b,c for 'a-b c'"],
            ),
            (
                "module_blacklist=/x/b.ko",
                &["b"],
                &["the kernel compares byte for byte: write b for '/x/b.ko'"],
            ),
            (
                "module_blacklist=a module-blacklist=b",
                &["a", "b"],
                &["the kernel takes a later list in place of 'module_blacklist=a'"],
            ),
        ] {
            let config = config(line);
            assert_eq!(config.refused, refused.iter().map(|one| name(one)).vec(), "{line}");
            let errors = config.errors.iter().map(ToString::to_string).vec();
            let told = told.iter().map(|text| format!("{SOURCE}: {text}")).vec();
            assert_eq!(errors, told, "{line}");
        }
    }

    #[test]
    fn what_counts_for_nothing_is_told() {
        for (line, errors) in [
            // Quotes that are none for the kernel.
            ("'modprobe.deny=a,b'", 0),
            ("modprobe.deny", 1),
            ("modprobe.deny=", 1),
            ("modprobe.deny=\"\"", 1),
            ("modprobe.deny=pci:v*,x/y", 2),
            ("modprobe.blacklist=snd*", 1),
            ("module_blacklist=snd*", 1),
            ("modprobe.blacklist=,a,, modprobe.blacklist", 0),
            ("BOOT_IMAGE=/vmlinuz-6.1 /vmlinuz-6.1 root=UUID=1.2 (hd0,1)/x.y=1", 0),
        ] {
            assert_eq!(config(line).errors.len(), errors, "{line}");
        }
    }

    #[test]
    fn an_unclosed_quote_swallows_the_rest_and_is_told() {
        let swallowed = config("m.a=1 m.b=\"x m.c=3\n");
        assert_eq!(swallowed.options(&name("m"), None), b"a=1 b=\"x m.c=3\"");
        assert_eq!(
            swallowed.errors[0].to_string(),
            "the kernel command line: no end of the quotes in 'm.b=\"x m.c=3'"
        );
        assert_eq!(config("a \"m.b=x y").options(&name("m"), None), b"b=\"x y\"");
    }
}
