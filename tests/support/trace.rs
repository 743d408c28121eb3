//! strace's output → the list of module system calls in a case's `calls`.
//!
//! ```text
//! 71 finit_module(3</tmp/x/lib/modules/a.ko>, "k=v", 0x2) = 0 (INJECTED)
//!    → finit_module /lib/modules/a.ko "k=v" 0x2
//! 71 init_module(0x7f01, 19, "k=v")      → init_module [19 bytes] "k=v"
//! 71 delete_module("a", 0x800)           → delete_module "a" 0x800
//! ```
//!
//! What differs from run to run goes: process ids, descriptors, addresses and
//! the prefix of the fake root. A memfd's path is `memfd`, whatever its name.
//! With `once`, a call that repeats the one before it is left out: how often a
//! loader tries again within a time is nothing to pin.

use std::path::Path;

pub fn calls(trace: &str, root: &Path, once: bool) -> String {
    let root = root.to_string_lossy();
    let mut out: Vec<String> = Vec::new();
    for line in trace.lines() {
        // A process id, padded to five columns, stands in front.
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((call, rest)) = line.split_once('(') else {
            continue;
        };
        if !call.ends_with("_module") {
            continue;
        }
        let Some(end) = rest.rfind(") = ").or_else(|| rest.rfind(")  ")) else {
            continue;
        };
        let args = split_arguments(rest.get(..end).unwrap_or_default());
        let words: Vec<String> = match (call, args.as_slice()) {
            ("finit_module", [fd, params, flags]) => {
                vec![path(fd, &root), (*params).to_owned(), (*flags).to_owned()]
            }
            ("init_module", [_, size, params]) => {
                vec![format!("[{size} bytes]"), (*params).to_owned()]
            }
            _ => args.iter().map(|word| (*word).to_owned()).collect(),
        };
        let line = format!("{call} {}\n", words.join(" "));
        if !once || out.last() != Some(&line) {
            out.push(line);
        }
    }
    out.concat()
}

/// `3</tmp/root/lib/a.ko>` → `/lib/a.ko`
fn path(fd: &str, root: &str) -> String {
    let fd = fd.trim_end_matches("(deleted)");
    let shown = fd.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(fd);
    if shown.starts_with("/memfd:") {
        return "memfd".to_owned();
    }
    shown.strip_prefix(root).unwrap_or(shown).to_owned()
}

/// Splits at `, ` outside of a quoted string.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut args, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                args.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    args.push(text[start..].trim());
    args
}
