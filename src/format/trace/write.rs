//! A trace to its file.

use super::{Module, Phase, Trace};
use crate::format::json::Json;
use crate::name::ModuleName;

/// There is one process; viewers want a number for it.
const PID: Json = Json::Number(1);

impl Trace {
    /// The file, a line for each event.
    pub fn document(&self) -> String {
        let events = Json::List(self.events()).document();
        let other = Json::Object(vec![
            ("program", Json::text(concat!("nanomod ", env!("CARGO_PKG_VERSION")))),
            ("command", Json::text(&self.command)),
            ("release", Json::text(&self.release)),
            ("jobs", count(self.jobs)),
            ("total", number(self.total)),
        ]);
        let (events, other) = (events.trim_end(), other.document());
        let other = other.trim_end();
        format!(
            "{{\"traceEvents\": {events},\n\"displayTimeUnit\": \"ms\",\n\"otherData\": {other}}}\n"
        )
    }

    fn events(&self) -> Vec<Json> {
        let mut events = vec![naming("process_name", 0, format!("nanomod {}", self.command))];
        for worker in 1..=self.jobs {
            events.push(naming("thread_name", worker, format!("worker {worker}")));
        }
        for module in &self.modules {
            match module.phases.split_last() {
                None => {
                    let mut members =
                        event("i", &module.name, "module", module.worker, module.ready);
                    members.extend([("s", Json::text("t")), ("args", args(module))]);
                    events.push(Json::Object(members));
                }
                Some((last, before)) => {
                    events.extend(before.iter().map(|each| Json::Object(phase(module, each))));
                    let mut members = phase(module, last);
                    members.push(("args", args(module)));
                    events.push(Json::Object(members));
                }
            }
        }
        let mut id = 0;
        for module in &self.modules {
            let Some(to) = module.phases.last() else { continue };
            for need in &module.needs {
                let need = self.find(need).and_then(|at| self.modules.get(at));
                let Some(from) = need.and_then(|need| need.phases.last()) else { continue };
                id += 1;
                // Viewers tie the arrow to what lasts at its time: at the very end
                // that is nothing any more.
                let end = from.end.saturating_sub(1).max(from.begin);
                events.push(arrow("s", &module.name, from.worker, end, id));
                events.push(arrow("f", &module.name, to.worker, to.begin, id));
            }
        }
        events
    }
}

fn naming(what: &str, worker: usize, name: String) -> Json {
    Json::Object(vec![
        ("ph", Json::text("M")),
        ("name", Json::text(what)),
        ("pid", PID),
        ("tid", count(worker)),
        ("args", Json::Object(vec![("name", Json::text(name))])),
    ])
}

fn event(
    ph: &str,
    name: &ModuleName,
    category: &str,
    worker: usize,
    at: u64,
) -> Vec<(&'static str, Json)> {
    vec![
        ("ph", Json::text(ph)),
        ("name", Json::text(name.as_bytes())),
        ("cat", Json::text(category)),
        ("pid", PID),
        ("tid", count(worker)),
        ("ts", number(at)),
    ]
}

fn phase(module: &Module, phase: &Phase) -> Vec<(&'static str, Json)> {
    let mut members = event("X", &module.name, phase.kind.name(), phase.worker, phase.begin);
    members.push(("dur", number(phase.length())));
    members
}

fn arrow(ph: &str, name: &ModuleName, worker: usize, at: u64, id: u64) -> Json {
    let mut members = event(ph, name, "needs", worker, at);
    members.push(("id", number(id)));
    if ph == "f" {
        // To the phase that it is in, not the next one.
        members.push(("bp", Json::text("e")));
    }
    Json::Object(members)
}

fn args(module: &Module) -> Json {
    Json::Object(vec![
        ("ready", number(module.ready)),
        ("needs", Json::texts(module.needs.iter().map(ModuleName::as_bytes))),
        ("path", Json::text(&module.path)),
        ("result", Json::text(&module.result)),
        ("how", Json::text(&module.how)),
        ("file", number(module.file)),
        ("image", number(module.image)),
        ("core", number(module.core)),
        ("init", number(module.init)),
        ("wasted", number(module.wasted)),
    ])
}

fn number(number: u64) -> Json {
    Json::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

fn count(count: usize) -> Json {
    number(count as u64)
}
