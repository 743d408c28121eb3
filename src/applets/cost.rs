//! `nanomod cost`: what each module of a run costs, for who has to decide whether it
//! is compiled in, loaded, or left out.

use std::cmp::Reverse;

use crate::applets::trace;
use crate::cli::{Applet, Args, Opt};
use crate::collect::Collect;
use crate::error::Status;
use crate::format::json::Json;
use crate::format::trace::figures::{Totals, kb, ms};
use crate::format::trace::path::critical;
use crate::format::trace::{Module, Trace};
use crate::output::{Level, Log, print};

static JSON: Opt = Opt::long("json", "Print JSON: microseconds and bytes");

/// The command.
pub static APPLET: Applet = Applet {
    name: "nanomod cost",
    about: "Print what each module of a traced run costs",
    operands: "TRACE",
    notes: "TRACE is what --trace has written; - is standard input. The columns:

  path ms  on the critical path: what the run would be shorter by at most
  all ms   reading, decompressing, and in the kernel
  core KB  memory that it keeps in the kernel
  lost KB  what of this is lost to page rounding, which a module that is
           compiled in does not have
  disk KB  its file",
    options: &[&JSON],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

/// One module and its share of the critical path.
struct Row<'t> {
    module: &'t Module,
    /// Microseconds.
    share: u64,
}

fn run(args: &Args, log: &Log) -> Status {
    let trace = match trace(&APPLET, args) {
        Ok(trace) => trace,
        Err(error) => return log.error(error),
    };
    let rows = rows(&trace);
    let text = if args.has(&JSON) { json(&trace, &rows).document() } else { table(&trace, &rows) };
    print(log, text.as_bytes())
}

/// What costs most first.
fn rows(trace: &Trace) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = trace.modules.iter().map(|module| Row { module, share: 0 }).vec();
    for step in critical(trace) {
        if let Some(row) = rows.get_mut(step.module) {
            row.share += step.share;
        }
    }
    rows.sort_by_key(|row| Reverse((row.share, row.module.core)));
    rows
}

/// How many columns the names have.
const NAMES: usize = 28;

fn table(trace: &Trace, rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    let columns = ["path ms", "all ms", "core KB", "lost KB", "disk KB"];
    line(&mut text, "module", &columns.map(str::to_owned), "");
    for row in rows {
        let module = row.module;
        // What would move a terminal's cursor has no place in a table.
        let name = module.name.to_string().replace(char::is_control, "?");
        let numbers =
            [ms(row.share), ms(module.work()), kb(module.core), kb(module.wasted), kb(module.file)];
        line(&mut text, &name, &numbers, if module.failed() { " failed" } else { "" });
    }
    let (share, work, totals) = sums(trace, rows);
    let count = match rows.len() {
        1 => "1 module".to_owned(),
        count => format!("{count} modules"),
    };
    let (core, wasted, file) = (kb(totals.core), kb(totals.wasted), kb(totals.file));
    let sums = [ms(share), ms(work), core.clone(), wasted.clone(), file.clone()];
    line(&mut text, &count, &sums, "");
    text + &format!(
        "\nAgainst loading nothing: {} ms of boot, {core} KB of memory\n\
         (of which {wasted} KB lost to page rounding), {file} KB on disk.\n",
        ms(trace.total)
    )
}

fn line(text: &mut String, name: &str, numbers: &[String], mark: &str) {
    text.push_str(name);
    let mut width = name.chars().count();
    if width > NAMES {
        text.push('\n');
        width = 0;
    }
    for (at, number) in numbers.iter().enumerate() {
        // Against the right edge of its column, with a blank at least before it.
        let edge = NAMES + 9 * (at + 1);
        let blanks = edge.saturating_sub(width + number.len()).max(1);
        text.extend(std::iter::repeat_n(' ', blanks));
        text.push_str(number);
        width += blanks + number.len();
    }
    text.push_str(mark);
    text.push('\n');
}

/// Microseconds on the critical path and of work, and the rest.
fn sums(trace: &Trace, rows: &[Row<'_>]) -> (u64, u64, Totals) {
    let totals = trace.totals();
    (rows.iter().map(|row| row.share).sum(), totals.phases.iter().sum(), totals)
}

fn json(trace: &Trace, rows: &[Row<'_>]) -> Json {
    let modules = rows.iter().map(|row| {
        let module = row.module;
        let sizes = [module.core, module.wasted, module.file];
        let mut members = vec![
            ("name", Json::text(module.name.as_bytes())),
            ("result", Json::text(&module.result)),
        ];
        members.extend(figures(row.share, module.work(), sizes));
        Json::Object(members)
    });
    let modules = modules.vec();
    let (share, work, totals) = sums(trace, rows);
    let mut sums = Vec::from(figures(share, work, [totals.core, totals.wasted, totals.file]));
    sums.push(("total_us", number(trace.total)));
    sums.push(("failed", number(totals.failed as u64)));
    Json::Object(vec![("modules", Json::List(modules)), ("totals", Json::Object(sums))])
}

/// What a module or all of them cost: microseconds, then bytes.
fn figures(share: u64, work: u64, sizes: [u64; 3]) -> [(&'static str, Json); 5] {
    let [core, wasted, file] = sizes;
    [
        ("path_us", number(share)),
        ("work_us", number(work)),
        ("core", number(core)),
        ("wasted", number(wasted)),
        ("file", number(file)),
    ]
}

fn number(number: u64) -> Json {
    Json::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::trace::PhaseKind::Kernel;
    use crate::format::trace::tests::{module, phase, sample};

    #[test]
    fn the_dearest_comes_first() {
        let trace = sample();
        let names: Vec<String> =
            rows(&trace).iter().map(|row| row.module.name.to_string()).collect();
        assert_eq!(names, ["high", "low", "script", "lost"]);
    }

    #[test]
    fn tables_fit_a_terminal() {
        let phases = || vec![phase(Kernel, 1, 0, 9_999_949)];
        let mut trace = sample();
        trace.modules.push(module(
            "a_name_that_has_more_than_twenty_eight_bytes",
            &[],
            0,
            phases(),
        ));
        trace.modules.push(Module {
            result: "No such device".into(),
            wasted: 9 << 30,
            ..module("a_name_of_just_28_bytes_____", &[], 0, phases())
        });
        trace.modules.push(module("esc\u{1b}[2J", &[], 0, vec![]));
        let text = table(&trace, &rows(&trace));
        for line in text.lines() {
            assert!(line.chars().count() <= 80 && !line.contains(char::is_control), "{text}");
        }
        assert!(text.contains("a_name_of_just_28_bytes_____"), "{text}");
        assert!(text.contains(" failed\n"), "{text}");
    }
}
