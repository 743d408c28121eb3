//! A case's expected files against what a run gave, and the diff between.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use super::case::{Case, Kmod};
use super::json;
use super::stage::{Peer, Played};

/// What is wrong, one readable text each.
pub fn compare(case: &Case, peer: Peer, got: &Played) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, got) in parts(got) {
        match matched(case, peer) {
            Some(patterns) if file == "stderr" => complaints.extend(unmatched(&patterns, got)),
            _ if file == "stdout" && case.dir.join("stdout.json").exists() => {
                complaints.extend(other_json(case, got));
            }
            _ => {
                let wanted = expected(case, peer, file);
                if wanted != got {
                    complaints.push(format!("{file}\n{}", diff(&wanted, got)));
                }
            }
        }
    }
    complaints
}

/// Writes what the run gave as the expectation (`CASES_WRITE`). For kmod in a
/// case marked as different that is the `.kmod` file, and only where the two
/// differ: nanomod's own side of such a case is written by hand.
pub fn write(case: &Case, peer: Peer, got: &Played) -> Vec<String> {
    let differs = matches!(case.kmod, Kmod::Differs(_));
    let mut complaints = Vec::new();
    for (file, got) in parts(got) {
        if file == "stdout" && case.dir.join("stdout.json").exists() {
            continue;
        }
        let patterns = matched(case, peer).filter(|_| file == "stderr");
        if patterns.is_some_and(|patterns| !differs || unmatched(&patterns, got).is_empty()) {
            continue;
        }
        let plain = case.dir.join(file);
        let pinned = case.dir.join(format!("{file}.kmod"));
        let written = if peer == Peer::Kmod && differs {
            let wanted = fs::read(&plain).unwrap_or_else(|_| absent(file).to_vec());
            if wanted == got {
                fs::remove_file(&pinned).or(Ok(()))
            } else {
                fs::write(&pinned, got)
            }
        } else if got == absent(file) {
            fs::remove_file(&plain).or(Ok(()))
        } else {
            fs::write(&plain, got)
        };
        if let Err(error) = written {
            let error: std::io::Error = error;
            complaints.push(format!("could not write {file}: {error}"));
        }
    }
    complaints
}

fn parts(got: &Played) -> [(&'static str, &[u8]); 4] {
    [
        ("stdout", &got.stdout),
        ("stderr", &got.stderr),
        ("status", &got.status),
        ("calls", &got.calls),
    ]
}

/// What keeps standard output from being the document of `stdout.json`, in any
/// layout.
fn other_json(case: &Case, got: &[u8]) -> Option<String> {
    let wanted = fs::read(case.dir.join("stdout.json")).unwrap_or_default();
    match (json::lines(&wanted), json::lines(got)) {
        (Ok(wanted), Ok(got)) if wanted == got => None,
        (Ok(wanted), Ok(got)) => {
            Some(format!("stdout\n{}", diff(wanted.as_bytes(), got.as_bytes())))
        }
        (Err(error), _) => Some(format!("stdout.json is no JSON: {error}")),
        (_, Err(error)) => {
            Some(format!("stdout is no JSON: {error}\n{}", String::from_utf8_lossy(got)))
        }
    }
}

/// What a missing file means.
fn absent(file: &str) -> &'static [u8] {
    if file == "status" { b"0\n" } else { b"" }
}

fn expected(case: &Case, peer: Peer, file: &str) -> Vec<u8> {
    let read = |name: &str| fs::read(case.dir.join(name)).ok();
    let pinned = match peer {
        Peer::Kmod => read(&format!("{file}.kmod")),
        Peer::Nanomod => None,
    };
    pinned.or_else(|| read(file)).unwrap_or_else(|| absent(file).to_vec())
}

/// The regular expressions of `stderr.match`, if that is what counts here: an
/// exact text for kmod alone still goes first.
fn matched(case: &Case, peer: Peer) -> Option<String> {
    if peer == Peer::Kmod && case.dir.join("stderr.kmod").exists() {
        return None;
    }
    fs::read_to_string(case.dir.join("stderr.match")).ok()
}

fn unmatched(patterns: &str, got: &[u8]) -> Vec<String> {
    patterns
        .lines()
        .filter(|pattern| !grep(pattern, got))
        .map(|pattern| {
            format!("stderr: nothing matches `{pattern}` in\n{}", String::from_utf8_lossy(got))
        })
        .collect()
}

fn grep(pattern: &str, text: &[u8]) -> bool {
    let child =
        Command::new("grep").args(["-E", "-q", "-e", pattern]).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // grep -q leaves at the first match: a broken pipe is no failure.
        let _ = stdin.write_all(text);
    }
    child.wait().is_ok_and(|status| status.success())
}

/// A line diff: what both share at either end once, the rest as - and +.
fn diff(wanted: &[u8], got: &[u8]) -> String {
    let split = |text: &[u8]| -> Vec<String> {
        text.split_inclusive(|&byte| byte == b'\n')
            .map(|line| match line.strip_suffix(b"\n") {
                Some(line) => shown(line),
                None => format!("{} (no newline)", shown(line)),
            })
            .collect()
    };
    let (wanted, got) = (split(wanted), split(got));
    let head = wanted.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let (wanted_rest, got_rest) = (&wanted[head..], &got[head..]);
    let tail =
        wanted_rest.iter().rev().zip(got_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let mut lines = Vec::new();
    lines.extend(wanted[..head].iter().map(|line| format!("    {line}")));
    for line in &wanted_rest[..wanted_rest.len() - tail] {
        lines.push(format!("  - {line}"));
    }
    for line in &got_rest[..got_rest.len() - tail] {
        lines.push(format!("  + {line}"));
    }
    let tail = &wanted[wanted.len() - tail..];
    lines.extend(tail.iter().map(|line| format!("    {line}")));
    lines.join("\n")
}

/// A line as printed in a diff: a space at its end is visible.
fn shown(line: &[u8]) -> String {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.escape_ascii().to_string(),
    };
    match text.strip_suffix(' ') {
        Some(rest) => format!("{rest}·"),
        None => text,
    }
}
