//! Runs the cases of `tests/cases`: what nanomod prints, returns and asks of
//! the kernel in a fake root, held against files.
//!
//! The same case is run with Debian's kmod too, and both are held against the
//! same expected files, so that an expectation cannot drift away from what
//! kmod really does. Where nanomod is meant to differ, kmod's own result is
//! pinned beside it and the reason is in the case. `tests/cases/README.md`
//! describes the files of a case.
//!
//! `cargo test --test cases [-- NAME…]`: a NAME is part of a case's name;
//! `--list` names the cases, `--differences` those that differ from kmod and why. A case
//! that needs a feature which the binary lacks is left out, and counted.
//! Environment: `NANOMOD` the binary to test, or `none` for kmod alone;
//! `BUSYBOX` the static shell; `CASES_KMOD=none` leaves the comparison with
//! kmod out (and says so); `CASES_WRITE=kmod|nanomod` writes the expected files
//! from that run.

// A panic is a failed test here, and what is read are the cases' own files.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

mod support;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use support::case::{Case, Kmod};
use support::expect;
use support::stage::{Peer, Stage};

/// What became of one case.
#[derive(Default)]
struct Outcome {
    name: String,
    complaints: Vec<String>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cases: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode, String> {
    let wanted: Vec<&str> =
        args.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let all = Case::read_all()?;
    let total = all.len();
    let cases: Vec<Case> = all
        .into_iter()
        .filter(|case| wanted.is_empty() || wanted.iter().any(|word| case.name.contains(word)))
        .collect();
    if args.iter().any(|word| word == "--differences") {
        for case in &cases {
            if let Kmod::Differs(reason) = &case.kmod {
                println!("{}: {reason}", case.name);
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.iter().any(|word| word == "--list") {
        for case in &cases {
            println!("{}: test", case.name);
        }
        return Ok(ExitCode::SUCCESS);
    }

    let started = Instant::now();
    let stage = Stage::new()?;
    let mut able = Vec::new();
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &cases {
        match stage.lacks(case)? {
            None => able.push(case),
            Some(feature) => *left_out.entry(feature).or_default() += 1,
        }
    }
    let cases = able;
    let ignored: usize = left_out.values().sum();
    println!("\nrunning {} tests", cases.len());
    let outcomes = in_parallel(&cases, |case| check(&stage, case));
    let failed = outcomes.iter().filter(|outcome| !outcome.complaints.is_empty()).count();
    for outcome in &outcomes {
        for complaint in &outcome.complaints {
            println!("\n---- {}: {complaint}", outcome.name);
        }
    }
    println!();
    for outcome in &outcomes {
        if !outcome.complaints.is_empty() {
            println!("test {} ... FAILED", outcome.name);
        }
    }

    let count = |wanted: fn(&Kmod) -> bool| cases.iter().filter(|c| wanted(&c.kmod)).count();
    if stage.has_kmod() {
        println!(
            "kmod: {} cases the same, {} pinned as different, {} not asked",
            count(|kmod| matches!(kmod, Kmod::Same)),
            count(|kmod| matches!(kmod, Kmod::Differs(_))),
            count(|kmod| matches!(kmod, Kmod::Skip(_))),
        );
        let mut unasked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for case in &cases {
            if let Kmod::Skip(reason) = &case.kmod {
                unasked.entry(reason).or_default().push(&case.name);
            }
        }
        for (reason, names) in unasked {
            println!("kmod: not asked, as {reason}: {}", names.join(" "));
        }
    } else {
        println!("kmod: no case compared (CASES_KMOD=none)");
    }
    if !stage.runs(Peer::Nanomod) {
        println!("nanomod: not run");
    }
    if ignored > 0 {
        let lacks: Vec<String> =
            left_out.iter().map(|(feature, count)| format!("{feature} ({count})")).collect();
        println!("nanomod: {ignored} left out, as this one lacks {}", lacks.join(", "));
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; {ignored} ignored; 0 measured; \
         {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        cases.len() - failed,
        total - cases.len() - ignored,
        started.elapsed().as_secs_f32(),
    );
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one case with both peers, or writes its files when told to.
fn check(stage: &Stage, case: &Case) -> Outcome {
    let mut outcome = Outcome { name: case.name.clone(), ..Outcome::default() };
    if let Some(problem) = case.problem() {
        outcome.complaints.push(problem);
    }
    for peer in [Peer::Nanomod, Peer::Kmod] {
        let skipped = peer == Peer::Kmod && matches!(case.kmod, Kmod::Skip(_));
        if skipped || !stage.runs(peer) {
            continue;
        }
        let complaints = match stage.play(case, peer) {
            Ok(result) if stage.writes() == Some(peer) => expect::write(case, peer, &result),
            Ok(result) => expect::compare(case, peer, &result),
            Err(error) => vec![format!("could not run: {error}")],
        };
        outcome
            .complaints
            .extend(complaints.into_iter().map(|text| format!("{} {text}", peer.name())));
    }
    outcome
}

/// Maps every case on as many threads as there are processors; results keep
/// the order of the cases.
fn in_parallel(cases: &[&Case], work: impl Fn(&Case) -> Outcome + Sync) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from) * 2;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, case)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).map(|case| (index, case))
                } {
                    let outcome = work(case);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
