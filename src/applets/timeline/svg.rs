//! How the picture looks: SVG, in light and dark as the reader has it.
//!
//! The colours of the phases are Okabe and Ito's, which who is blind to some colours
//! tells apart, too.

use super::layout::{BOTTOM, Layout, Row, TOP, WIDTH, Wire};
use super::words;
use crate::format::trace::{PhaseKind, Trace};

/// How high a bar is.
const BAR: usize = 9;

const STYLE: &str = "\
text{font:10px system-ui,sans-serif;fill:#57606a}
.title{font-size:18px;font-weight:600;fill:#1f2328}
.caption{font-size:12px}
.page{fill:#fff}
.label{fill:#424a53;stroke:#fff;stroke-width:3px;stroke-linejoin:round;paint-order:stroke}
.grid,.wait{shape-rendering:crispEdges}
.grid{stroke:#eaeef2}
.wait{stroke:#a3adb8;stroke-dasharray:1 3}
.wire{stroke:#cbd3db;fill:none}
.read{fill:#56b4e9}
.decompress{fill:#e69f00}
.kernel{fill:#0072b2}
.command{fill:#009e73}
.box{fill:none}
.bad rect{opacity:.4}
.bad .box{fill:url(#hatch);stroke:#d1242f;stroke-width:1.5px;opacity:1}
.on .box{stroke:#c4006a;stroke-width:2px}
.on .label{fill:#a3005a;font-weight:700}
.path{stroke:#c4006a;stroke-width:2px;fill:none}
.busy{stroke-dasharray:4 3}
.bad .label{fill:#c21c2c}
.stripe{fill:#d1242f}
@media (prefers-color-scheme:dark){
text{fill:#9198a1}
.title{fill:#f0f6fc}
.page{fill:#0d1117}
.label{fill:#b7bdc8;stroke:#0d1117}
.grid{stroke:#1c2128}
.wait{stroke:#656d76}
.wire{stroke:#30363d}
.kernel{fill:#2b87d1}
.command{fill:#12a87e}
.bad .box{stroke:#ff7b72}
.on .box,.path{stroke:#ff7ab8}
.on .label{fill:#ff9ecb}
.bad .label{fill:#ff938a}
.stripe{fill:#ff7b72}
}
";

/// The picture of `trace`.
pub fn draw(trace: &Trace) -> String {
    let layout = Layout::new(trace);
    let (width, height) = (WIDTH / 10, layout.height);
    let title = words::title(trace);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>"
    );
    escape(&mut out, &title);
    out += "</title>\n<style>\n";
    out += STYLE;
    out += "</style>\n<defs><pattern id=\"hatch\" width=\"4\" height=\"4\" \
            patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">";
    rect(&mut out, "stripe", 0, 0, 15, 4);
    out += "</pattern></defs>\n";
    rect(&mut out, "page", 0, 0, WIDTH, height);
    text(&mut out, "title", "start", 200, 32, &title);
    for (line, y) in words::caption(trace, &layout).iter().zip([54, 71]) {
        text(&mut out, "caption", "start", 200, y, line);
    }
    legend(&mut out);
    axis(&mut out, &layout);
    for row in &layout.rows {
        waiting(&mut out, &layout, row);
    }
    layout.wires.iter().for_each(|wire| line(&mut out, "wire", wire));
    for wire in &layout.path {
        line(&mut out, if wire.needed { "path" } else { "path busy" }, wire);
    }
    for row in &layout.rows {
        let shares = layout.steps.iter().filter(|step| layout.is(row, step.module));
        let share = row.critical.then(|| shares.map(|step| step.share).sum());
        bar(&mut out, &layout, row, share);
    }
    out += "</svg>\n";
    out
}

fn legend(out: &mut String) {
    let mut x = 200;
    let y = 92;
    let mut entry = |out: &mut String, class: &str, word: &str, width: u64| {
        match class {
            "wait" | "wire" | "path" | "path busy" => {
                line(out, class, &Wire { from: (x, y), to: (x + 200, y), needed: true });
            }
            "bad" => {
                *out += "<g class=\"bad\">";
                rect(out, "box", x, y - 4, 200, BAR);
                *out += "</g>\n";
            }
            class => rect(out, class, x, y - 4, 200, BAR),
        }
        text(out, "caption", "start", x + 260, y + 4, word);
        x += 260 + width;
    };
    for (kind, width) in PhaseKind::ALL.into_iter().zip([360, 820, 500, 760]) {
        entry(out, kind.name(), kind.name(), width);
    }
    entry(out, "bad", "failed", 500);
    entry(out, "wait", "waits for a worker", 1220);
    entry(out, "wire", "is needed by", 880);
    entry(out, "path", "critical path", 880);
    entry(out, "path busy", "critical path: a busy worker", 0);
}

fn axis(out: &mut String, layout: &Layout<'_>) {
    let bottom = layout.height - BOTTOM;
    for time in layout.ticks() {
        let x = layout.x(time);
        line(out, "grid", &Wire { from: (x, TOP - 6), to: (x, bottom + 6), needed: true });
        let tick = words::tick(time, layout.step);
        text(out, "tick", "middle", x, TOP - 11, &tick);
        text(out, "tick", "middle", x, bottom + 18, &tick);
    }
}

/// A line where a module waits: until its begin, and between its phases.
fn waiting(out: &mut String, layout: &Layout<'_>, row: &Row<'_>) {
    let mut from = row.module.ready;
    for phase in &row.module.phases {
        if from < phase.begin {
            let (from, to) = (layout.x(from), layout.x(phase.begin));
            line(out, "wait", &Wire { from: (from, row.y), to: (to, row.y), needed: true });
        }
        from = phase.end;
    }
}

fn bar(out: &mut String, layout: &Layout<'_>, row: &Row<'_>, share: Option<u64>) {
    let module = row.module;
    let on = if row.critical { " on" } else { "" };
    let bad = if module.failed() { " bad" } else { "" };
    *out += &format!("<g class=\"bar{on}{bad}\"><title>");
    escape(out, &words::tooltip(module, share));
    *out += "</title>";
    let top = row.y - BAR / 2;
    for phase in &module.phases {
        let (x, end) = (layout.x(phase.begin), layout.x(phase.end));
        rect(out, phase.kind.name(), x, top, end.saturating_sub(x).max(5), BAR);
    }
    if row.critical || module.failed() {
        let (x, end) = (layout.x(module.begin()), layout.x(module.end()));
        let width = end.saturating_sub(x).max(10);
        rect(out, "box", x.saturating_sub(5), top, width + 10, BAR);
    }
    let anchor = if row.left { "end" } else { "start" };
    text(out, "label", anchor, row.label_x, row.y + 4, &row.label);
    *out += "</g>\n";
}

/// A line that first goes up or down, then along, around a corner where there is room
/// for one.
fn line(out: &mut String, class: &str, wire: &Wire) {
    let ((x, y), (to_x, to_y)) = (wire.from, wire.to);
    *out += &format!("<path class=\"{class}\" d=\"M{} {y}", px(x));
    if y != to_y {
        if to_x > x + 40 {
            let (short, bend) = if y < to_y { (to_y - 4, "4") } else { (to_y + 4, "-4") };
            *out += &format!("V{short}q0 {bend} 4 {bend}");
        } else {
            *out += &format!("V{to_y}");
        }
    }
    if x != to_x {
        *out += &format!("H{}", px(to_x));
    }
    *out += "\"/>\n";
}

fn rect(out: &mut String, class: &str, x: u64, y: usize, width: u64, height: usize) {
    *out += &format!(
        "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
        px(x),
        px(width)
    );
}

fn text(out: &mut String, class: &str, anchor: &str, x: u64, y: usize, words: &str) {
    *out += &format!("<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{}\" y=\"{y}\">", px(x));
    escape(out, words);
    *out += "</text>\n";
}

/// Tenths of a pixel as pixels.
fn px(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `text` as XML has it. What XML has no way to hold becomes U+FFFD.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '\n' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::trace::Module;
    use crate::format::trace::tests::{module, sample};

    #[test]
    fn every_module_has_its_bar() {
        let picture = draw(&sample());
        assert_eq!(picture.matches("<g class=\"bar").count(), 4);
        assert_eq!(picture.matches("<g class=\"bar on\">").count(), 2);
        assert_eq!(picture.matches("<g class=\"bar bad\">").count(), 1);
        assert_eq!(picture.matches("<g").count(), picture.matches("</g>").count());
        assert!(
            picture.contains("<title>coldplug: 4 modules in 0.4 ms, 2 workers, kernel 6.1.0-test<")
        );
        assert!(picture.contains(">lost: No such file or directory</text>"));
        assert!(picture.contains("ready 0.2 ms, begun 0.0 ms, done 0.3 ms, worker 2\n"));
    }

    #[test]
    fn nothing_is_a_picture_too() {
        let picture = draw(&Trace::default());
        assert!(picture.contains(": 0 modules in 0.0 ms, 0 workers"), "{picture}");
        assert!(picture.contains("0 KB resident") && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn names_may_hold_any_bytes() {
        let odd = module("<&>\u{1b}\u{fffe}\"'", &[], 0, vec![]);
        let bytes = Module { path: b"/\xff".to_vec(), ..odd };
        let picture = draw(&Trace { modules: vec![bytes], ..Trace::default() });
        assert!(picture.contains(">&lt;&amp;&gt;\u{fffd}\u{fffd}\"'</text>"), "{picture}");
        assert!(!picture.contains(|c: char| c < ' ' && c != '\n'));
    }
}
