//! What `--version` prints: the version, and what was built in (`+`) and what was not
//! (`-`), as kmod writes it. The codecs are first; then come all other features, and where
//! modules are looked for.

use crate::moddir::DIRECTORIES;

/// What of [`TEXT`]'s words is there, in its order.
const BUILT_IN: [bool; 20] = [
    cfg!(feature = "gzip"),
    cfg!(feature = "xz"),
    cfg!(feature = "zstd"),
    cfg!(feature = "clap"),
    cfg!(feature = "coldplug"),
    cfg!(feature = "cost"),
    cfg!(feature = "depmod"),
    cfg!(feature = "firmware"),
    cfg!(feature = "insmod"),
    cfg!(feature = "install"),
    cfg!(feature = "jobs"),
    cfg!(feature = "json"),
    cfg!(feature = "lsmod"),
    cfg!(feature = "modinfo"),
    cfg!(feature = "modprobe"),
    cfg!(feature = "rmmod"),
    cfg!(feature = "show"),
    cfg!(feature = "static-nodes"),
    cfg!(feature = "timeline"),
    cfg!(feature = "trace"),
];

/// Each `?` is one of them.
const TEXT: &[u8] = concat!(
    "nanomod version ",
    env!("CARGO_PKG_VERSION"),
    "\n?GZIP ?XZ ?ZSTD\n",
    "?CLAP ?COLDPLUG ?COST ?DEPMOD ?FIRMWARE ?INSMOD ?INSTALL ?JOBS ?JSON\n",
    "?LSMOD ?MODINFO ?MODPROBE ?RMMOD ?SHOW ?STATIC-NODES ?TIMELINE ?TRACE\n",
)
.as_bytes();

/// What stands before the directories.
const PLACES: &[u8] = b"modules in ";

/// How long it is all together, with a line feed at the end.
const LENGTH: usize = TEXT.len() + PLACES.len() + DIRECTORIES.len() + 1;

/// The whole text. The compiler makes it, and would say if an index were beyond the end.
#[allow(clippy::indexing_slicing)]
pub static VERSION_TEXT: [u8; LENGTH] = {
    let mut text = [b'\n'; LENGTH];
    let (mut at, mut next) = (0, 0);
    while at < TEXT.len() {
        text[at] = TEXT[at];
        if TEXT[at] == b'?' {
            text[at] = if BUILT_IN[next] { b'+' } else { b'-' };
            next += 1;
        }
        at += 1;
    }
    assert!(next == BUILT_IN.len());
    let mut rest = 0;
    while rest < PLACES.len() + DIRECTORIES.len() {
        text[at + rest] = match rest.checked_sub(PLACES.len()) {
            None => PLACES[rest],
            Some(rest) => DIRECTORIES.as_bytes()[rest],
        };
        rest += 1;
    }
    text
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_told() {
        let manifest = include_str!("../../Cargo.toml");
        let features = manifest.split("[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
        let tiers = ["default", "full", "boot", "tiny"];
        let mut expected: Vec<String> = features
            .lines()
            .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
            .filter(|name| !tiers.contains(&name.as_str()))
            .collect();
        let text = String::from_utf8(VERSION_TEXT.to_vec()).unwrap();
        let words = text.lines().skip(1).take(3).flat_map(|line| line.split(' '));
        let mut told: Vec<String> =
            words.map(|word| word.trim_start_matches(['+', '-']).to_lowercase()).collect();
        expected.sort();
        told.sort();
        assert_eq!(told, expected);
        assert!(text.lines().all(|line| line.len() < 80));
        assert_eq!(text.lines().nth(1).unwrap().contains("+XZ"), cfg!(feature = "xz"));
        assert_eq!(text.lines().last().unwrap(), format!("modules in {DIRECTORIES}"));
        assert!(text.ends_with('\n'));
    }
}
