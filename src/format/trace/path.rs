//! The critical path: what had to be faster for the run to be faster.
//!
//! It goes back from the module that was done last, each time to what that waited for:
//! the last that came of what it needs; or what its worker was still busy with then.
//! What lies between the end of one and the end of the next is the next one's share.

use super::{Module, Trace};

/// A module on the critical path.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it is among the modules of the trace.
    pub module: usize,
    /// Microseconds from the end of the step before to its own end.
    pub share: u64,
    /// Whether it needs the step before; otherwise that kept its worker busy.
    pub needed: bool,
}

/// Where the path is: a module, and the end of that phase of it which counts.
type Place = (usize, u64);

/// The critical path, in order of time. The shares come to the time from the begin of
/// the first step to the end of the last.
pub fn critical(trace: &Trace) -> Vec<Step> {
    let mut path = Vec::new();
    let mut seen = vec![false; trace.modules.len()];
    let ends = trace.modules.iter().map(Module::end).enumerate();
    // Of several, the first.
    let mut place = ends.rev().max_by_key(|&(_, end)| end);
    while let Some((at, end)) = place {
        let Some(module) = trace.modules.get(at) else { break };
        if let Some(seen) = seen.get_mut(at) {
            *seen = true;
        }
        // Where times are the same, no module comes twice: the path has an end.
        let earlier =
            |&(at, time): &Place| time < end || time == end && seen.get(at) == Some(&false);
        let before = before(trace, (at, end), earlier);
        let from = before.map_or(module.begin(), |((_, end), _)| end);
        let needed = before.is_some_and(|(_, needed)| needed);
        path.push(Step { module: at, share: end.saturating_sub(from), needed });
        place = before.map(|(place, _)| place);
    }
    path.reverse();
    path
}

/// What is before `place`, and whether it is needed there.
fn before(trace: &Trace, place: Place, earlier: impl Fn(&Place) -> bool) -> Option<(Place, bool)> {
    let (at, end) = place;
    let module = trace.modules.get(at)?;
    let count = module.phases.iter().take_while(|phase| phase.end <= end).count();
    let start = module.start_of(module.phases.get(..count).unwrap_or_default());
    let begin = start.map_or(module.ready, |start| start.begin);
    let fits = |place: &Place| place.1 <= begin && earlier(place);

    let needs = module.needs.iter().filter_map(|need| {
        let at = trace.find(need)?;
        Some((at, trace.modules.get(at)?.end()))
    });
    let need = needs.filter(fits).max_by_key(|place| place.1);

    let others = trace.modules.iter().enumerate().filter(|(other, _)| *other != at);
    let phases = others.flat_map(|(at, other)| {
        let same = other
            .phases
            .iter()
            .filter(|phase| start.is_some_and(|start| start.worker == phase.worker));
        same.map(move |phase| (at, phase.end))
    });
    let busy = phases.filter(fits).max_by_key(|place| place.1);

    match (need, busy) {
        // Without anything that it needs, whatever was before.
        (None, busy) => busy.map(|busy| (busy, false)),
        (Some(need), Some(busy)) if busy.1 > module.ready.max(need.1) => Some((busy, false)),
        (Some(need), _) => Some((need, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::trace::PhaseKind::{Decompress, Kernel, Read};
    use crate::format::trace::tests::{module, phase, sample};

    /// The path as `NAME SHARE`, behind `>` where it needs the one before and behind
    /// `|` where it had to wait for the worker.
    fn path(modules: Vec<Module>) -> String {
        let trace = Trace { modules, ..Trace::default() };
        let mut text = String::new();
        for (at, step) in critical(&trace).iter().enumerate() {
            let between = [" | ", " > "][usize::from(step.needed)];
            let name = &trace.modules[step.module].name;
            text += &format!("{}{name} {}", if at == 0 { "" } else { between }, step.share);
        }
        text
    }

    fn loaded(name: &str, needs: &[&str], worker: usize, [ready, begin, end]: [u64; 3]) -> Module {
        module(name, needs, ready, vec![phase(Kernel, worker, begin, end)])
    }

    #[test]
    fn it_goes_along_what_is_needed() {
        let modules = vec![
            loaded("a", &[], 1, [0, 5, 20]),
            loaded("b", &[], 2, [0, 5, 30]),
            loaded("c", &["a", "b"], 1, [30, 31, 50]),
            loaded("d", &["c"], 2, [50, 50, 90]),
            loaded("e", &[], 1, [0, 50, 80]),
        ];
        assert_eq!(path(modules), "b 25 > c 20 > d 40");
    }

    #[test]
    fn it_goes_along_a_busy_worker() {
        let modules = vec![
            loaded("a", &[], 1, [0, 5, 20]),
            loaded("b", &[], 1, [0, 20, 60]),
            loaded("c", &["a"], 1, [20, 61, 80]),
        ];
        assert_eq!(path(modules), "a 15 | b 40 | c 20");
    }

    #[test]
    fn what_was_read_ahead_is_waited_for_only_where_it_is_late() {
        let ahead = |decompressed: u64, ready: u64| {
            let begin = decompressed.max(ready);
            let phases = vec![
                phase(Read, 2, 0, 5),
                phase(Decompress, 2, 5, decompressed),
                phase(Kernel, 2, begin, begin + 10),
            ];
            vec![loaded("low", &[], 1, [0, 0, ready]), module("high", &["low"], ready, phases)]
        };
        assert_eq!(path(ahead(20, 30)), "low 30 > high 10");
        assert_eq!(path(ahead(40, 30)), "high 50");
        // What a worker read ahead for another keeps it busy, too.
        let modules = vec![
            module("x", &[], 5, vec![phase(Read, 1, 5, 40), phase(Kernel, 2, 40, 50)]),
            loaded("y", &[], 1, [5, 40, 90]),
        ];
        assert_eq!(path(modules), "x 35 | y 50");
    }

    #[test]
    fn it_ends_whatever_the_times_are() {
        assert_eq!(path(vec![]), "");
        let ring = vec![loaded("a", &["b"], 1, [7, 7, 7]), loaded("b", &["a"], 1, [7, 7, 7])];
        assert_eq!(path(ring), "b 0 > a 0");
        let backwards = vec![loaded("a", &["a"], 1, [9, 8, 2]), loaded("b", &["a"], 1, [1, 5, 3])];
        assert_eq!(path(backwards), "a 0 > b 1");
        assert_eq!(path(sample().modules), "low 160 > high 175");
    }
}
