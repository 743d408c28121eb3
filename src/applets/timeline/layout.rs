//! Where everything is in the picture. Widths and what is across are in tenths of a
//! pixel, heights in pixels.

use crate::collect::Collect;
use crate::format::trace::path::{Step, critical};
use crate::format::trace::{Module, Trace};

/// The picture's width.
pub const WIDTH: u64 = 12_000;
/// What is left free at either side of the time axis.
const MARGIN: u64 = 280;
/// From one row to the next.
const ROW: usize = 14;
/// Where the rows begin: above them are title, caption, legend and axis.
pub const TOP: usize = 132;
/// What is below the rows: the axis again.
pub const BOTTOM: usize = 34;
/// Between a bar and its label.
const GAP: u64 = 45;
/// How many ticks the axis has at most.
const TICKS: u64 = 12;
/// How many characters of a label are shown at most.
const LABEL: usize = 60;

/// The picture of a trace.
pub struct Layout<'t> {
    /// Microseconds that the axis is long.
    range: u64,
    /// Pixels.
    pub height: usize,
    /// Microseconds between two ticks of the axis.
    pub step: u64,
    /// In the order of their begin.
    pub rows: Vec<Row<'t>>,
    /// From what is needed to what needs it.
    pub wires: Vec<Wire>,
    /// Along the critical path.
    pub path: Vec<Wire>,
    /// The critical path itself.
    pub steps: Vec<Step>,
}

/// A module's row.
pub struct Row<'t> {
    /// Whose it is.
    pub module: &'t Module,
    /// Its place among the modules of the trace.
    at: usize,
    /// The middle of it.
    pub y: usize,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// What its label says.
    pub label: String,
    /// Where that begins, or ends where it is left of the bar.
    pub label_x: u64,
    /// Whether it is left of the bar.
    pub left: bool,
}

/// A line from the end of one bar down or up to another's row and along that.
pub struct Wire {
    /// Where it begins.
    pub from: (u64, usize),
    /// Where it ends.
    pub to: (u64, usize),
    /// Whether the one needs the other.
    pub needed: bool,
}

impl<'t> Layout<'t> {
    /// The picture of `trace`.
    pub fn new(trace: &'t Trace) -> Self {
        let steps = critical(trace);
        let ends = trace.modules.iter().map(|module| module.end().max(module.ready));
        let range = ends.fold(trace.total, u64::max).max(1);
        let mut rows: Vec<Row<'t>> = trace
            .modules
            .iter()
            .enumerate()
            .map(|(at, module)| {
                let critical = steps.iter().any(|step| step.module == at);
                Row { module, at, y: 0, critical, label: label(module), label_x: 0, left: false }
            })
            .vec();
        rows.sort_by_key(|row| (row.module.begin(), row.module.end()));
        let height = TOP + rows.len() * ROW + BOTTOM;
        let mut layout = Self {
            range,
            height,
            step: step(range),
            rows: vec![],
            wires: vec![],
            path: vec![],
            steps,
        };
        for (number, row) in rows.iter_mut().enumerate() {
            row.y = TOP + number * ROW + ROW / 2;
            layout.place(row);
        }
        layout.rows = rows;
        layout.wires = layout.needs(trace);
        layout.path = layout.along(trace);
        layout
    }

    /// Whether `row` is that of `module`, a place among the modules of the trace.
    pub fn is(&self, row: &Row<'_>, module: usize) -> bool {
        row.at == module
    }

    /// Where a time is.
    pub fn x(&self, time: u64) -> u64 {
        MARGIN + time.saturating_mul(WIDTH - 2 * MARGIN) / self.range
    }

    /// The times at which the axis has a tick.
    pub fn ticks(&self) -> impl Iterator<Item = u64> {
        (0..=self.range / self.step).map(|number| number * self.step)
    }

    /// Puts the label right of the bar, or left of it, as there is room.
    fn place(&self, row: &mut Row<'_>) {
        // What a character takes at 10 pixels, in a font that is wide.
        let wide = if row.critical { 70 } else { 64 };
        let mut width = 0;
        for c in row.label.chars() {
            width += if c.is_ascii() { wide } else { 2 * wide };
        }
        let (begin, end) = (self.x(row.module.begin()), self.x(row.module.end()));
        let right = end + GAP;
        row.left = right + width > WIDTH && begin > WIDTH - end;
        row.label_x = if row.left { begin - GAP } else { right };
        let room = if row.left { row.label_x } else { WIDTH.saturating_sub(right) };
        if width > room {
            let count = usize::try_from(room / wide).unwrap_or(0).saturating_sub(1);
            row.label = cut(&row.label, count);
        }
    }

    fn y(&self, module: usize) -> Option<usize> {
        self.rows.iter().find(|row| row.at == module).map(|row| row.y)
    }

    fn needs(&self, trace: &Trace) -> Vec<Wire> {
        let mut wires = Vec::new();
        for row in &self.rows {
            for need in &row.module.needs {
                let Some(at) = trace.find(need) else { continue };
                let (Some(y), Some(need)) = (self.y(at), trace.modules.get(at)) else { continue };
                // From when it is ready on, it waits for a worker.
                let (from, to) = (self.x(need.end()), self.x(row.module.ready));
                wires.push(Wire { from: (from, y), to: (to, row.y), needed: true });
            }
        }
        wires
    }

    fn along(&self, trace: &Trace) -> Vec<Wire> {
        let mut wires = Vec::new();
        let mut before: Option<usize> = None;
        let last = self.steps.last().and_then(|step| trace.modules.get(step.module));
        let shares: u64 = self.steps.iter().map(|step| step.share).sum();
        let mut end = last.map_or(0, Module::end).saturating_sub(shares);
        for step in &self.steps {
            let (y, module) = (self.y(step.module), trace.modules.get(step.module));
            if let (Some(from), Some(to), Some(module)) = (before, y, module) {
                let start = module.start().map_or(module.ready, |phase| phase.begin);
                let x = self.x(start.max(end));
                wires.push(Wire { from: (self.x(end), from), to: (x, to), needed: step.needed });
            }
            before = y;
            end += step.share;
        }
        wires
    }
}

/// A round time between ticks, so that there are not too many.
fn step(range: u64) -> u64 {
    let mut unit = 1;
    loop {
        for step in [unit, 2 * unit, 5 * unit] {
            if range / step <= TICKS {
                return step;
            }
        }
        unit *= 10;
    }
}

/// The name, and why it failed where it did.
fn label(module: &Module) -> String {
    let name = module.name.to_string();
    if module.failed() {
        cut(&format!("{name}: {}", module.result), LABEL)
    } else {
        cut(&name, LABEL)
    }
}

/// `text`, or its first `count` characters where it has more.
fn cut(text: &str, count: usize) -> String {
    match text.char_indices().nth(count) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::trace::PhaseKind::Kernel;
    use crate::format::trace::tests::{module, phase, sample};

    fn trace(modules: Vec<Module>) -> Trace {
        Trace { modules, ..Trace::default() }
    }

    #[test]
    fn labels_stay_on_the_page_and_off_their_bars() {
        let name = "a_name_that_goes_on_and_on_until_there_is_no_room_for_it";
        for (begin, end, left, whole) in [
            (0, 100, false, true),
            (0, 800, false, false),
            (500, 990, true, true),
            (10, 980, false, false),
            (150, 990, true, false),
            (0, 1000, false, false),
        ] {
            let mut modules = vec![module(name, &[], 0, vec![phase(Kernel, 1, begin, end)])];
            modules.push(module("last", &[], 1000, vec![]));
            let trace = trace(modules);
            let layout = Layout::new(&trace);
            let row = layout.rows.iter().find(|row| row.module.name.to_string() == name).unwrap();
            let case = format!("{begin} {end} {}", row.label);
            assert_eq!(row.left, left, "{case}");
            assert_eq!(row.label == name, whole, "{case}");
            let width = 64 * row.label.chars().count() as u64;
            if row.left {
                assert!(row.label_x < layout.x(begin) && width <= row.label_x, "{case}");
            } else {
                assert!(row.label_x > layout.x(end), "{case}");
                assert!(row.label_x + width <= WIDTH || row.label == "\u{2026}", "{case}");
            }
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (range, wanted) in [(1, 1), (12, 1), (13, 2), (612_000, 50_000), (1_300_000, 200_000)] {
            assert_eq!(step(range), wanted, "{range}");
        }
        assert_eq!(step(1 << 41), 200_000_000_000);
    }

    #[test]
    fn rows_begin_in_order_and_lines_join_them() {
        let trace = sample();
        let layout = Layout::new(&trace);
        let names: Vec<String> =
            layout.rows.iter().map(|row| row.module.name.to_string()).collect();
        assert_eq!(names, ["low", "high", "lost", "script"]);
        let at = |time: u64, row: usize| (layout.x(time), TOP + row * ROW + ROW / 2);
        let wires: Vec<_> = layout.wires.iter().map(|wire| (wire.from, wire.to)).collect();
        assert_eq!(wires, [(at(170, 0), at(170, 1)), (at(170, 0), at(170, 2))]);
        let path: Vec<_> = layout.path.iter().map(|wire| (wire.from, wire.to)).collect();
        assert_eq!(path, [(at(170, 0), at(175, 1))]);
    }
}
