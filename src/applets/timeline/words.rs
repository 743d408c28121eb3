//! What the picture says.

use super::layout::Layout;
use crate::collect::Collect;
use crate::format::trace::figures::{kb, ms};
use crate::format::trace::{Module, Phase, PhaseKind, Trace};
use crate::name::ModuleName;

/// Whose run it is and how long it took.
pub fn title(trace: &Trace) -> String {
    let release = String::from_utf8_lossy(&trace.release);
    format!(
        "{}: {} in {} ms, {}, kernel {release}",
        trace.command,
        counted(trace.modules.len(), "module"),
        ms(trace.total),
        counted(trace.jobs, "worker"),
    )
}

/// What the modules come to, in two lines.
pub fn caption(trace: &Trace, layout: &Layout<'_>) -> [String; 2] {
    let totals = trace.totals();
    let path: u64 = layout.steps.iter().map(|step| step.share).sum();
    let mut time = format!("Critical path {} ms. In all workers: ", ms(path));
    for (kind, time_of) in PhaseKind::ALL.iter().zip(totals.phases) {
        time += &format!("{} {} ms, ", kind.name(), ms(time_of));
    }
    time += "the rest is waiting.";
    let mut size = format!(
        "{} KB resident, {} KB of them lost to page rounding. {} KB on disk.",
        kb(totals.core),
        kb(totals.wasted),
        kb(totals.file)
    );
    if totals.failed > 0 {
        size += &format!(" {} failed.", counted(totals.failed, "module"));
    }
    [time, size]
}

/// All that is known of a module.
pub fn tooltip(module: &Module, share: Option<u64>) -> String {
    let (begin, end) = (module.begin(), module.end());
    let mut text = format!("{}: {}", module.name, module.result);
    if !module.how.is_empty() {
        text += &format!(" ({})", module.how);
    }
    text += &format!(
        "\nready {} ms, begun {} ms, done {} ms, worker {}\n",
        ms(module.ready),
        ms(begin),
        ms(end),
        module.worker
    );
    for kind in PhaseKind::ALL {
        let phases = module.phases.iter().filter(|phase| phase.kind == kind);
        let time: u64 = phases.map(Phase::length).sum();
        if time > 0 {
            text += &format!("{} {} ms, ", kind.name(), ms(time));
        }
    }
    text += &format!("in all {} ms", ms(module.work()));
    if let Some(share) = share {
        text += &format!(", {} ms of the critical path", ms(share));
    }
    text += &format!(
        "\n{} KB on disk, {} KB as ELF, {} KB resident ({} KB lost to page rounding), {} KB for init",
        kb(module.file),
        kb(module.image),
        kb(module.core),
        kb(module.wasted),
        kb(module.init)
    );
    if !module.needs.is_empty() {
        let needs: Vec<String> = module.needs.iter().map(ModuleName::to_string).vec();
        text += &format!("\nneeds {}", needs.join(", "));
    }
    if !module.path.is_empty() {
        text += &format!("\n{}", String::from_utf8_lossy(&module.path));
    }
    text
}

/// A tick's time, `step` microseconds from the next.
pub fn tick(time: u64, step: u64) -> String {
    let whole = time / 1000;
    match step {
        1000.. => format!("{whole} ms"),
        100.. => format!("{whole}.{} ms", time % 1000 / 100),
        10.. => format!("{whole}.{:02} ms", time % 1000 / 10),
        _ => format!("{whole}.{:03} ms", time % 1000),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
