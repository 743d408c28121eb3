//! What a run says at its end, and what a dry run shows.

use std::path::Path;
use std::time::Duration;

use crate::applets::tell_damage;
use crate::collect::Collect;
use crate::devices::{self, Device};
use crate::error::{Error, Status};
use crate::files;
use crate::format::json::Json;
use crate::format::text::lines;
use crate::kernel::execute::Failed;
use crate::kernel::explain;
use crate::kernel::firmware::Firmware;
use crate::kernel::reason;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::plan::graph::Graph;
use crate::plan::{Action, Step};
use crate::resolve::{Sources, resolve};
use crate::root::Root;

/// How modaliases start of what is there to be known, and not to be driven: the firmware's
/// own tables, the board, processors, and input, which has handlers.
const NO_DEVICES: [&[u8]; 4] = [b"acpi:LNX", b"dmi:", b"cpu:", b"input:"];

/// Devices whose driver asked to be called again later, with its reason.
const DEFERRED: &str = "/sys/kernel/debug/devices_deferred";

/// What came of a run.
pub struct Report<'a> {
    /// Where `/sys` is.
    pub system: &'a Root,
    /// Where names are looked up.
    pub sources: Sources<'a>,
    /// The paths that never came.
    pub missing: Vec<&'a Path>,
    /// The steps whose modules were inserted.
    pub inserted: Vec<&'a Step>,
    /// The modules that are still being inserted, or were not begun.
    pub left: Vec<&'a ModuleName>,
    /// How long it took, in microseconds.
    pub total: u64,
    /// The steps that failed.
    pub failures: &'a [(usize, Failed)],
    /// Whether the kernel is locked, if that was asked for.
    pub locked: Option<bool>,
    /// How it ends.
    pub status: Status,
    /// Whether it was told that not all devices could be looked at.
    pub is_blind: bool,
}

impl Report<'_> {
    /// Tells it: what never came is an error, all else is told to who wants to know.
    pub fn tell(&self, log: &Log, timeout: Duration, json: bool) -> Status {
        let is_missing = !self.missing.is_empty();
        // It takes another look at all devices.
        if !is_missing && !json && !log.tells(Level::Notice) {
            return self.status;
        }
        let (idle, looked) = self.without_driver();
        let deferred = deferred(self.system);
        // What could be read before may be unreadable now, and is missing here then.
        let mut status = self.status.merge(tell_damage(self.sources.modules, log));
        if let Err(error) = looked {
            if !self.is_blind {
                status = status.merge(log.error(error.note("devices may be missing here")));
            }
        }
        let mut modaliases: Vec<String> = Vec::new();
        for modalias in idle.iter().flat_map(|device| &device.modaliases) {
            let modalias = text(modalias);
            if let Err(place) = modaliases.binary_search(&modalias) {
                modaliases.insert(place, modalias);
            }
        }
        let firmware = self.without_firmware();
        for (module, firmware) in &firmware {
            if let Some(error) = explain::unknown_firmware(module, firmware) {
                status = status.merge(log.error(error));
            }
        }
        let lacking = firmware.into_iter().filter(|(_, firmware)| !firmware.missing.is_empty());
        let lacking = lacking.vec();
        // A driver may name files of many devices: with one of them it may do.
        let none = lacking.iter().filter(|(_, firmware)| !firmware.has_any);
        let none = none.map(|(module, firmware)| match firmware.missing.as_slice() {
            [one] => format!("'{module}' ({one})"),
            [one, ..] => format!("'{module}' ({one}, …)"),
            [] => module.to_string(),
        });
        let clauses = [
            some("no firmware here for", none.vec()),
            some("no driver here for", modaliases),
            some("deferred:", deferred.iter().map(|line| text(line)).vec()),
        ];
        let seconds = tenths(timeout.as_secs() * 1000 + u64::from(timeout.subsec_millis()));
        if is_missing {
            let missing = self.missing.iter().map(|path| path.to_string_lossy().into_owned());
            let missing = missing.vec().join(", ");
            let error = Error::said(format!("{missing} did not come in {seconds} s"));
            log.error(clauses.into_iter().flatten().fold(error, Error::note));
        } else {
            let (count, seconds) = (self.inserted.len(), tenths(self.total / 1000));
            let modules = if count == 1 { "module" } else { "modules" };
            let line = format!("{count} {modules} inserted in {seconds} s");
            let line = clauses.into_iter().flatten().fold(Error::said(line), Error::note);
            log.tell(Level::Notice, line);
        }
        if json {
            let report = self.json(status, &idle, &deferred, &lacking);
            status = status.merge(print(log, report.document().as_bytes()));
        }
        status
    }

    /// The devices that no driver has, and that none of this kernel's wants, and whether all
    /// could be looked at.
    fn without_driver(&self) -> (Vec<Device>, Result<(), Error>) {
        let mut idle = Vec::new();
        let looked = devices::walk(self.system, &|_| false, &mut |device| {
            let is_none = |modalias: &Vec<u8>| {
                NO_DEVICES.iter().any(|start| modalias.starts_with(start))
                    || !resolve(self.sources, modalias).is_empty()
            };
            if !device.bound && !device.modaliases.iter().any(is_none) {
                idle.push(device);
            }
        });
        (idle, looked)
    }

    /// The modules that are in, and their firmware, where not all is to be found or known.
    fn without_firmware(&self) -> Vec<(&ModuleName, Firmware)> {
        let firmware = |step: &&'_ Step| match &step.action {
            Action::Insert { path, .. } => Some(Firmware::of(self.system, path)),
            _ => None,
        };
        let all = self.inserted.iter().filter_map(|step| Some((&step.module, firmware(step)?)));
        all.filter(|(_, firmware)| !firmware.missing.is_empty() || firmware.unknown.is_some()).vec()
    }

    fn json(
        &self,
        status: Status,
        idle: &[Device],
        deferred: &[Vec<u8>],
        lacking: &[(&ModuleName, Firmware)],
    ) -> Json {
        let number = |number: u64| Json::Number(i64::try_from(number).unwrap_or(i64::MAX));
        let failed = self.failures.iter().map(|(_, failed)| {
            let cause = explain::cause(failed, false).to_string();
            Json::Object(vec![
                ("module", Json::text(failed.module.as_bytes())),
                ("cause", Json::text(cause)),
                ("kernel", Json::texts(&failed.kernel)),
            ])
        });
        let idle = idle.iter().map(|device| {
            Json::Object(vec![
                ("device", Json::text(&device.path)),
                ("modalias", Json::text(device.modaliases.first().map_or(&[][..], |all| all))),
            ])
        });
        let lacking = lacking.iter().map(|(module, firmware)| {
            Json::Object(vec![
                ("module", Json::text(module.as_bytes())),
                ("missing", Json::texts(&firmware.missing)),
            ])
        });
        let missing = self.missing.iter().map(|path| path.to_string_lossy().into_owned());
        let mut members = vec![
            ("status", Json::Number(status.code().into())),
            ("inserted", number(self.inserted.len() as u64)),
            ("milliseconds", number(self.total / 1000)),
            ("failed", Json::List(failed.vec())),
            ("left", Json::texts(self.left.iter().map(|name| name.as_bytes()))),
            ("missing", Json::texts(missing)),
            ("without_driver", Json::List(idle.vec())),
            ("without_firmware", Json::List(lacking.vec())),
            ("deferred", Json::texts(deferred)),
        ];
        if let Some(locked) = self.locked {
            members.push(("locked", Json::Bool(locked)));
        }
        Json::Object(members)
    }
}

/// Shows a plan: its lines, or its steps with what has to be over before each.
pub fn plan(log: &Log, graph: &Graph, json: bool) -> Status {
    let steps = graph.nodes().iter().enumerate();
    let steps =
        steps.filter(|(_, node)| !matches!(node.step.action, Action::Builtin | Action::Missing));
    if !json {
        let lines = steps.flat_map(|(_, node)| node.step.told());
        return print(log, &lines.vec());
    }
    let steps = steps.map(|(number, node)| {
        let before = graph.before(number).filter_map(|at| graph.nodes().get(at));
        let before = Json::texts(before.map(|node| node.step.module.as_bytes()));
        match node.step.json() {
            Json::Object(mut members) => {
                members.push(("needs", before));
                Json::Object(members)
            }
            other => other,
        }
    });
    print(log, Json::List(steps.vec()).document().as_bytes())
}

/// The lines of the kernel's list of deferred devices: `DEVICE<tab>REASON`.
fn deferred(system: &Root) -> Vec<Vec<u8>> {
    let list = files::read(&system.join(DEFERRED)).unwrap_or_default();
    lines(&list).map(|line| line.trim_ascii().to_vec()).filter(|line| !line.is_empty()).vec()
}

fn some(what: &str, names: Vec<String>) -> Option<String> {
    (!names.is_empty()).then(|| format!("{what} {}", reason::some(&names)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Milliseconds as seconds, to the tenth.
fn tenths(milliseconds: u64) -> String {
    format!("{}.{}", milliseconds / 1000, milliseconds % 1000 / 100)
}
