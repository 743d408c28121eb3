//! A trace from its file.
//!
//! Events that are no module's are left alone, as other tools may have put theirs
//! beside them, or changed their order.

use super::{Module, Phase, PhaseKind, Trace};
use crate::collect::Collect;
use crate::format::json::Json;
use crate::name::ModuleName;

/// More modules than a kernel has. Each looks for others among all.
const MODULES: usize = 8192;

/// What a number counts for at most: 12 days, 1 TiB. Sums of such stay within 64 bits.
const MOST: i64 = 1 << 40;

impl Trace {
    /// The trace in `file`, or why it holds none.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        Self::parse(file).map_err(|why| format!("not a trace of nanomod: {why}"))
    }

    fn parse(file: &[u8]) -> Result<Self, String> {
        let json = Json::read(file).map_err(|broken| broken.to_string())?;
        let Some(events) = json.get("traceEvents").and_then(Json::list) else {
            return Err("it has no list of traceEvents".into());
        };
        let other = json.get("otherData").unwrap_or(&Json::Null);
        if !text(other, "program").starts_with(b"nanomod ") {
            return Err("its otherData do not name nanomod as program".into());
        }
        let mut modules = Vec::new();
        // Those of modules whose last one is to come.
        let mut phases: Vec<(ModuleName, Phase)> = Vec::new();
        for event in events {
            let name = ModuleName::new(text(event, "name"));
            if let Some(phase) = phase(event) {
                phases.push((name.clone(), phase));
            } else if text(event, "ph") != b"i" {
                continue;
            }
            let args = event.get("args").unwrap_or(&Json::Null);
            if args.get("result").is_none() {
                continue;
            }
            let mut module = module(name, args, size(event, "tid"));
            phases.retain(|(name, phase)| {
                let own = *name == module.name;
                if own {
                    module.phases.push(phase.clone());
                }
                !own
            });
            modules.push(module);
            if modules.len() > MODULES {
                return Err(format!("it has more than {MODULES} modules"));
            }
        }
        Ok(Self {
            command: string(other, "command"),
            release: text(other, "release").to_vec(),
            jobs: size(other, "jobs"),
            total: number(other, "total"),
            modules,
        })
    }
}

fn phase(event: &Json) -> Option<Phase> {
    let category = text(event, "cat");
    let kind = PhaseKind::ALL.into_iter().find(|kind| kind.name().as_bytes() == category)?;
    let begin = number(event, "ts");
    let end = begin + number(event, "dur");
    (text(event, "ph") == b"X").then_some(Phase { kind, worker: size(event, "tid"), begin, end })
}

fn module(name: ModuleName, args: &Json, worker: usize) -> Module {
    let needs = args.get("needs").and_then(Json::list).unwrap_or_default();
    Module {
        name,
        needs: needs.iter().filter_map(Json::as_text).map(ModuleName::new).vec(),
        path: text(args, "path").to_vec(),
        worker,
        ready: number(args, "ready"),
        phases: Vec::new(),
        result: string(args, "result"),
        how: string(args, "how"),
        file: number(args, "file"),
        image: number(args, "image"),
        core: number(args, "core"),
        init: number(args, "init"),
        wasted: number(args, "wasted"),
    }
}

fn text<'j>(json: &'j Json, key: &str) -> &'j [u8] {
    json.get(key).and_then(Json::as_text).unwrap_or_default()
}

fn string(json: &Json, key: &str) -> String {
    String::from_utf8_lossy(text(json, key)).into_owned()
}

/// What is not there, or less than nothing, is 0.
fn number(json: &Json, key: &str) -> u64 {
    json.get(key).and_then(Json::number).unwrap_or(0).clamp(0, MOST).unsigned_abs()
}

fn size(json: &Json, key: &str) -> usize {
    usize::try_from(number(json, key)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_too_many_modules_is_refused() {
        let of = |count: usize| {
            let event = r#"{"ph":"i","name":"a","args":{"result":""}}"#;
            let events = vec![event; count].join(",");
            let other = r#""otherData":{"program":"nanomod 1"}"#;
            Trace::read(format!(r#"{{"traceEvents":[{events}],{other}}}"#).as_bytes())
        };
        assert_eq!(of(MODULES).unwrap().modules.len(), MODULES);
        assert!(of(MODULES + 1).unwrap_err().ends_with("more than 8192 modules"));
    }
}
