//! Command lines, each through every parser that there is: they have to agree on what is
//! given, in which order, and on every word of what is wrong.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::applets;

type Parser = fn(&'static Applet, &[OsString]) -> Result<Args, Vec<u8>>;

#[cfg(feature = "clap")]
const PARSERS: &[Parser] = &[scan::parse, clap::parse];
#[cfg(not(feature = "clap"))]
const PARSERS: &[Parser] = &[scan::parse];

/// An applet with options of every kind, whatever is built in.
static TRIAL: Applet = Applet {
    name: "trial",
    about: "Take any option",
    operands: "[NAME]...",
    notes: "",
    options: &[
        &Opt::switch('a', "all", "A switch"),
        &Opt::switch('r', "remove", "A switch that others start like"),
        &Opt::long("remove-dependencies", ""),
        &Opt::long("remove-holders", "A switch without a letter"),
        &Opt::switch('n', "dry-run", "A switch with two names").also(&["show"]),
        &Opt::switch('D', "show-depends", "Another"),
        &Opt::switch('R', "show-alias", "Another").also(&["resolve-alias", "show-aliases"]),
        &Opt::switch('b', "use-blacklist", "Another"),
        &SETTLE,
        &Opt { short: Some('l'), default: Some("9"), ..Opt::long_value("limit", "N", "Both") },
        &TRACE,
        &CONFIG,
        &DIRNAME,
        &SET_VERSION,
        &QUIET,
        &VERBOSE,
    ],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run: |_, _| Status::Success,
};
static SETTLE: Opt = Opt { default: Some("250"), ..Opt::long_value("settle", "MS", "A default") };

/// Every applet that is built in, and the one above.
fn all() -> impl Iterator<Item = &'static Applet> {
    applets::all().chain([&TRIAL])
}

/// What all parsers make of `words`.
fn agreed(applet: &'static Applet, words: &[OsString]) -> Result<Args, String> {
    let mut results = PARSERS.iter().map(|parse| parse(applet, words));
    let first = results.next().unwrap();
    results.for_each(|other| assert_eq!(first, other, "{} {words:?}", applet.name));
    first.map_err(|why| String::from_utf8_lossy(&why).into_owned())
}

fn parse(words: &[&str]) -> Result<Args, String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    agreed(&TRIAL, &words)
}

fn args(words: &[&str]) -> Args {
    parse(words).unwrap_or_else(|text| panic!("{words:?}: {text}"))
}

#[test]
fn options_and_operands_mix_as_with_getopt() {
    let all = args(&["x", "-qab", "-S6.1", "y", "--dirname=/r", "-C", "a", "-C", "b", "--", "-z"]);
    assert_eq!(all.operands, ["x", "y", "-z"]);
    let count = |words: &[&str], long: &str| {
        let args = args(words);
        let given = args.given.iter().find(|given| given.option.long == long);
        given.map_or(0, |given| args.count(given.option))
    };
    for long in ["quiet", "all", "use-blacklist"] {
        assert_eq!(count(&["x", "-qab"], long), 1, "{long}");
    }
    assert_eq!(count(&["-qq", "x", "-q"], "quiet"), 1);
    assert_eq!(count(&["-vv", "--verbose", "x"], "verbose"), 3);
    assert_eq!(count(&["--show-d", "x"], "show-depends"), 1);
    assert_eq!(count(&["--resolve-alias", "x"], "show-alias"), 1);
    assert_eq!(all.values(&CONFIG), ["a", "b"]);
    assert!(parse(&["--nosuch"]).is_err_and(|text| text.contains("--nosuch")));
    assert!(parse(&["--set-version"]).is_err());
    assert!(args(&["x", "-h"]).has(&HELP));
}

#[test]
fn operands_may_hold_any_bytes() {
    let word = OsString::from_vec(b"x\xff=\"a b\"".to_vec());
    let args = agreed(&TRIAL, std::slice::from_ref(&word));
    assert_eq!(args.unwrap().operands, [word]);
}

/// What a line is understood as: its options in order, and what is no option behind `|`.
fn shown(result: Result<Args, String>) -> String {
    let args = match result {
        Ok(args) => args,
        Err(why) => return why,
    };
    let mut words = Vec::new();
    for given in &args.given {
        let values = given.values.join("+".as_ref());
        words.push(match given.option.value {
            Some(_) => format!("{}={}", given.option.long, values.to_string_lossy()),
            None => format!("{}*{}", given.option.long, args.count(given.option)),
        });
    }
    words.push("|".to_owned());
    words.extend(args.operands.iter().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A command line, its words between blanks, `\xff` a byte that is no text; and what it is
/// understood as.
const LINES: &[(&str, &str)] = &[
    ("loop", "| loop"),
    ("-", "| -"),
    ("- -q -", "quiet*1 | - -"),
    ("x a=1 --quiet", "quiet*1 | x a=1"),
    // Letters.
    ("-qv", "quiet*1 verbose*1 |"),
    ("-vqvqv", "quiet*1 verbose*3 |"),
    ("-S6.1", "set-version=6.1 |"),
    ("-S=6.1", "set-version=6.1 |"),
    ("-S==6", "set-version==6 |"),
    ("-S=", "set-version= |"),
    ("-S 6.1", "set-version=6.1 |"),
    ("-qS6.1v", "quiet*1 set-version=6.1v |"),
    ("-qS -v", "quiet*1 set-version=-v |"),
    ("-S --", "set-version=-- |"),
    ("-S -- --", "set-version=-- |"),
    ("-S\\xff", "set-version=\u{fffd} |"),
    ("-qx", "unrecognized option '-x'"),
    ("-xyz", "unrecognized option '-x'"),
    ("-x\u{e4}", "unrecognized option '-x'"),
    ("-q-", "unrecognized option '--'"),
    ("-q-v", "unrecognized option '--'"),
    ("-=", "unrecognized option '-='"),
    ("-\u{e4}q", "unrecognized option '-\u{e4}'"),
    ("-q\u{20ac}", "unrecognized option '-\u{20ac}'"),
    ("-q\\xffv", "unrecognized option '-\u{fffd}'"),
    ("-q=1", "unrecognized option '-='"),
    ("-1", "unrecognized option '-1'"),
    // Names.
    ("--set-version=6.1", "set-version=6.1 |"),
    ("--set-version 6.1", "set-version=6.1 |"),
    ("--set-version=", "set-version= |"),
    ("--set-version -- x", "set-version=-- | x"),
    ("--set-version --quiet", "set-version=--quiet |"),
    ("--set-=a=b", "set-version=a=b |"),
    ("--config=\\xff", "config=\u{fffd} |"),
    ("--show", "dry-run*1 |"),
    ("--show-d", "show-depends*1 |"),
    ("--show-a", "show-alias*1 |"),
    ("--sho", "option '--sho' is ambiguous: --show, --show-depends, --show-aliases, --show-alias"),
    ("--rem", "option '--rem' is ambiguous: --remove, --remove-dependencies, --remove-holders"),
    ("--se=1", "option '--se' is ambiguous: --settle, --set-version"),
    ("--remove", "remove*1 |"),
    ("--resolve", "show-alias*1 |"),
    ("--nosuch=1", "unrecognized option '--nosuch'"),
    ("--quietly", "unrecognized option '--quietly'"),
    ("---quiet", "unrecognized option '---quiet'"),
    ("--=", "unrecognized option '--'"),
    ("--=x", "unrecognized option '--'"),
    ("--qui\\xff=x", "unrecognized option '--qui\u{fffd}'"),
    ("--Quiet", "unrecognized option '--Quiet'"),
    ("--qui=x", "unexpected value 'x' for '--quiet' found; no more were expected"),
    ("--quiet=\\xff", "unexpected value '\u{fffd}' for '--quiet' found; no more were expected"),
    ("--verbose=", "unexpected value '' for '--verbose...' found; no more were expected"),
    // Values that are missing, and may be.
    ("-C", "a value is required for '--config <PATH>' but none was supplied"),
    ("-C a x -qS", "a value is required for '--set-version <RELEASE>' but none was supplied"),
    ("--tr", "a value is required for '--trace <FILE>' but none was supplied"),
    ("--settle x", "settle=250 | x"),
    ("--settle=5 --settle", "settle=5+250 |"),
    ("--settle=", "settle= |"),
    ("--sett -- --settle", "settle=250 | --settle"),
    ("-l -q5", "unrecognized option '-5'"),
    ("-lq -l=5 -ql=", "quiet*1 limit=9+5+ |"),
    // The first mistake is told, wherever help is asked for.
    ("-h", "help*1 |"),
    ("-hV", "help*1 version*1 |"),
    ("-h --nosuch -x", "unrecognized option '--nosuch'"),
    ("-x --q=1 -C", "unrecognized option '-x'"),
    ("--q=1 -x -C", "unexpected value '1' for '--quiet' found; no more were expected"),
    ("-C -x -S -x -x -C", "unrecognized option '-x'"),
    // Which was given last.
    ("-C a -q -v -C b", "quiet*1 verbose*1 config=a+b |"),
    ("-d / -n -a -d . -a -D", "dry-run*1 dirname=/+. all*1 show-depends*1 |"),
    // Behind the end of options.
    ("-q -- -q -- --nosuch", "quiet*1 | -q -- --nosuch"),
    ("-- -", "| -"),
];

/// The words of a line of [`LINES`].
fn words(line: &str) -> Vec<OsString> {
    let word = |word: &str| match word.split_once("\\xff") {
        Some((before, after)) => [before.as_bytes(), b"\xff", after.as_bytes()].concat(),
        None => word.as_bytes().to_vec(),
    };
    line.split(' ').map(|text| OsString::from_vec(word(text))).collect()
}

#[test]
fn lines_are_understood() {
    for (line, expected) in LINES {
        assert_eq!(shown(agreed(&TRIAL, &words(line))), *expected, "{line}");
    }
}

#[test]
fn an_empty_word_is_an_operand_or_a_value() {
    assert_eq!(args(&["", "-q", ""]).operands, ["", ""]);
    assert_eq!(args(&["-C", "", "--dirname", ""]).values(&CONFIG), [""]);
}

/// What may stand on a line: each option of `applet` in all its forms, right and wrong.
fn pieces(applet: &Applet) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = ["", "-", "--", "---", "x", "a=1", "-\u{e4}", "=", "--="]
        .into_iter()
        .map(|piece| piece.as_bytes().to_vec())
        .collect();
    pieces.extend([b"\xff".to_vec(), b"-\xff".to_vec(), b"--v\xff".to_vec()]);
    let mut letters = vec![];
    for option in applet.all_options() {
        for long in option.also.iter().chain([&option.long]) {
            for length in 0..=long.len() {
                let name = [b"--", &long.as_bytes()[..length]].concat();
                let ends: [&[u8]; 6] = [b"", b"=", b"=x", b"=-v", b"y", b"=\xfe"];
                pieces.extend(ends.map(|end| [&name, end].concat()));
            }
        }
        letters.extend(option.short.map(|letter| letter as u8));
    }
    letters.extend(b"=-x\xff\xc3\xa4");
    for &first in &letters {
        pieces.push(vec![b'-', first]);
        for &second in &letters {
            pieces.push(vec![b'-', first, second]);
            pieces.push(vec![b'-', first, second, b'=', first]);
        }
    }
    pieces
}

#[test]
fn parsers_agree_on_every_piece() {
    for applet in all() {
        for piece in pieces(applet) {
            let _ = agreed(applet, &[OsString::from_vec(piece)]);
        }
    }
}

/// How many lines there are by chance for each applet. A debug build, of which there is
/// one for each feature, takes ten times as long.
const BY_CHANCE: usize = if cfg!(debug_assertions) { 200 } else { 2000 };

/// Lines of up to eight pieces, by chance, the same ones each time.
#[test]
fn parsers_agree_on_lines_by_chance() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % limit
    };
    let (mut right, mut wrong) = (0, 0);
    for applet in all() {
        let pieces = pieces(applet);
        // Most pieces are wrong, and so would be nearly every line.
        let (good, bad): (Vec<_>, Vec<_>) = pieces.into_iter().partition(|piece| {
            let word = OsString::from_vec(piece.clone());
            agreed(applet, std::slice::from_ref(&word)).is_ok()
        });
        for _ in 0..BY_CHANCE {
            let line: Vec<OsString> = (0..below(9))
                .map(|_| {
                    let pieces = if below(12) == 0 { &bad } else { &good };
                    OsString::from_vec(pieces[below(pieces.len())].clone())
                })
                .collect();
            match agreed(applet, &line) {
                Ok(_) => right += 1,
                Err(_) => wrong += 1,
            }
        }
    }
    assert!(right > BY_CHANCE / 4 && wrong > BY_CHANCE / 4, "{right} {wrong}");
}

#[test]
fn definitions_are_sound_and_help_fits_a_terminal() {
    for applet in all() {
        let options: Vec<_> = applet.all_options().collect();
        let names = |option: &Opt| [option.also, &[option.long]].concat();
        for (at, option) in options.iter().enumerate() {
            for other in options.iter().skip(at + 1) {
                for name in names(option) {
                    assert!(!names(other).contains(&name), "{}: {name}", applet.name);
                }
                assert!(option.short.is_none() || option.short != other.short, "{}", option.long);
            }
            assert!(option.short.is_none_or(|letter| letter.is_ascii_alphanumeric()));
            assert!(!option.help.ends_with('.'), "{}: {}", applet.name, option.long);
        }
        for line in help::text(applet).lines() {
            assert!(line.chars().count() <= 80 && line.is_ascii(), "{}: {line}", applet.name);
        }
    }
}
