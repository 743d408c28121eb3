//! What is to be loaded: who wants it, and the plan that all of it makes.

use std::cell::Cell;

use crate::collect::Collect;
use crate::config::modules_load;
use crate::devices;
use crate::error::{Error, Status};
use crate::kernel::explain;
use crate::large::Large;
use crate::name::ModuleName;
use crate::output::{Level, Log};
use crate::plan::graph::Graph;
use crate::plan::{self, Policy, Step, Verdict};
use crate::resolve::{Sources, resolve};
use crate::root::Root;
use crate::state::State;

/// Who wants a module.
#[derive(Clone, PartialEq, Eq)]
pub enum Who {
    /// The command line.
    Caller,
    /// A list, and its line.
    List(String),
    /// A device.
    Device,
}

/// A module that somebody wants and that the plan has a step for.
pub struct Wish {
    /// The module.
    pub target: ModuleName,
    /// Who wants it.
    pub who: Who,
    /// Whether it was logged that it can't be had.
    pub is_told: bool,
}

/// A goal of the plan: what it is for, and its steps.
pub struct Goal {
    /// What it is for.
    pub wish: Wish,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Whether those that failed are to be tried again: their device has come.
    pub again: bool,
}

/// Collects goals, each modalias once.
pub struct Gathered<'a> {
    pub sources: Sources<'a>,
    system: &'a Root,
    state: State,
    log: &'a Log,
    policy: Policy,
    /// Modaliases that were looked up, sorted.
    seen: Vec<Vec<u8>>,
    /// Devices that are there, sorted.
    devices: Vec<Vec<u8>>,
    goals: Vec<Goal>,
    status: Status,
    /// Whether the devices were looked at.
    pub has_looked: bool,
    /// Whether it was told that not all devices could be looked at.
    pub is_blind: bool,
}

impl<'a> Gathered<'a> {
    /// Nothing yet; names are looked up in `sources`, and what `system` has is there.
    pub fn new(sources: Sources<'a>, system: &'a Root, log: &'a Log) -> Self {
        Self {
            sources,
            system,
            state: State::read(system),
            log,
            policy: Policy { blacklist_names: true, ..Policy::default() },
            seen: Vec::new(),
            devices: Vec::new(),
            goals: Vec::new(),
            status: Status::failure_if(sources.config.is_partial),
            has_looked: false,
            is_blind: false,
        }
    }

    /// Whether all names of the command line are known and may be loaded.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Adds a name of the command line.
    pub fn named(&mut self, name: &[u8]) {
        if !self.wanted(name, b"", &Who::Caller, false) {
            self.status = self.log.error(explain::not_found(name, self.sources.modules));
        }
    }

    /// Adds what the lists name. A list may be for other kernels, too.
    pub fn listed(&mut self, initramfs: bool) {
        let mut errors = Vec::new();
        let command_line = &self.sources.config.command_line;
        for line in modules_load::listed(self.system, command_line, initramfs, &mut errors) {
            let who = Who::List(line.place);
            if !self.wanted(&line.name, &line.options, &who, false) {
                let error = explain::not_found(&line.name, self.sources.modules);
                self.log.warning(from(error, &who));
            }
        }
        for error in errors {
            let is_unread = error.is_unread();
            let status = self.log.error(error);
            if is_unread {
                self.status = status;
            }
        }
    }

    /// Adds what the devices want that are there; whether any was new. Those that are no
    /// more are forgotten. `late`: they were looked at before.
    pub fn hardware(&mut self, late: bool) -> bool {
        let mut any = false;
        let mut known = std::mem::take(&mut self.devices);
        let seen = Large(vec![Cell::new(false); known.len()]);
        let is_known = |path: &[u8]| {
            let place = find(&known, path).ok().and_then(|place| seen.get(place));
            place.inspect(|seen| seen.set(true)).is_some()
        };
        let looked = devices::walk(self.system, &is_known, &mut |device| {
            any |= self.device(&device.path, device.modaliases, late);
        });
        self.looked(looked);
        let mut seen = seen.iter();
        known.retain(|_| seen.next().is_some_and(Cell::get));
        for path in self.devices.drain(..) {
            let place = find(&known, &path).unwrap_or_else(|place| place);
            known.insert(place, path);
        }
        self.devices = known;
        any
    }

    /// Tells that not all devices could be looked at, once.
    pub fn looked(&mut self, looked: Result<(), Error>) {
        self.has_looked = true;
        if let Err(error) = looked.map_err(|error| error.note("modules may be missing")) {
            if !std::mem::replace(&mut self.is_blind, true) {
                self.status = self.log.error(error);
            }
        }
    }

    /// Adds what the device at `path` wants, if it is new; whether it is. A `late` one may be
    /// what a driver was missing.
    pub fn device(&mut self, path: &[u8], modaliases: Vec<Vec<u8>>, late: bool) -> bool {
        let Err(place) = find(&self.devices, path) else {
            return false;
        };
        self.devices.insert(place, path.to_vec());
        for modalias in modaliases {
            match self.seen.binary_search(&modalias) {
                Ok(_) if !late => {}
                Ok(_) => {
                    self.wanted(&modalias, b"", &Who::Device, late);
                }
                Err(place) => {
                    self.wanted(&modalias, b"", &Who::Device, late);
                    self.seen.insert(place, modalias);
                }
            }
        }
        true
    }

    /// Forgets the device at `path`, which is gone: what comes there is new.
    pub fn forget(&mut self, path: &[u8]) {
        if let Ok(place) = find(&self.devices, path) {
            self.devices.remove(place);
        }
    }

    /// What was added since the last call.
    pub fn take(&mut self) -> Vec<Goal> {
        std::mem::take(&mut self.goals)
    }

    /// All that was added, as a plan.
    pub fn plan(&mut self) -> (Graph, Vec<Wish>) {
        let (goals, mut graph) = (self.take(), Graph::default());
        let add = |Goal { wish, steps, again }| {
            graph.add(self.sources, steps, 0, again);
            wish
        };
        let wishes = goals.into_iter().map(add).vec();
        (graph, wishes)
    }

    /// Adds all that `name` stands for; false where nobody knows it.
    fn wanted(&mut self, name: &[u8], options: &[u8], who: &Who, late: bool) -> bool {
        let targets = resolve(self.sources, name);
        if targets.is_empty() {
            return *who != Who::Device && self.state.has(&ModuleName::new(name));
        }
        for target in targets {
            if late {
                if self.state.is_live_now(&target.name) {
                    continue;
                }
                // Others insert and remove modules, too.
                self.state = State::read(self.system);
            }
            let goal = plan::insert(self.sources, &self.state, target, options, &self.policy);
            let target = goal.target;
            match goal.verdict {
                Verdict::Steps(steps) if self.is_refused_by_kernel(&steps, &target) => {}
                Verdict::Steps(steps) => {
                    let wish = Wish { target, who: who.clone(), is_told: false };
                    self.goals.push(Goal { wish, steps, again: late });
                }
                Verdict::Denied { module, place } => {
                    let error = explain::denied(&target, &module, &place);
                    self.refused(error, who);
                }
                Verdict::Blacklisted if *who != Who::Device => {
                    self.log.tell(Level::Notice, format_args!("'{target}' is blacklisted"));
                }
                _ => {}
            }
        }
        true
    }

    /// Whether the kernel itself will refuse what `target` takes. That is told to who wants to
    /// know, and no failure: it is what the administrator wrote.
    fn is_refused_by_kernel(&self, steps: &[Step], target: &ModuleName) -> bool {
        let is_refused = |step: &&Step| self.sources.config.is_refused_by_kernel(&step.module);
        let mut required = steps.iter().filter(|step| step.required);
        let refused = required.find(is_refused);
        if let Some(Step { module, .. }) = refused {
            let error = Error::said(format!("'{target}' is left out"));
            let note = format!("module_blacklist= on the kernel command line has '{module}'");
            self.log.tell(Level::Notice, error.note(note));
        }
        refused.is_some()
    }

    fn refused(&mut self, error: Error, who: &Who) {
        let level = match who {
            Who::Device => Level::Notice,
            _ => Level::Error,
        };
        self.log.tell(level, from(error, who));
        if *who == Who::Caller {
            self.status = Status::Failure;
        }
    }
}

/// Where `path` is in the sorted `devices`, or would be.
fn find(devices: &[Vec<u8>], path: &[u8]) -> Result<usize, usize> {
    devices.binary_search_by(|other| other.as_slice().cmp(path))
}

/// Says who wanted it, if that is not plain.
pub fn from(error: Error, who: &Who) -> Error {
    match who {
        Who::List(place) => error.note(format!("listed in {place}")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::moddir::ModuleDir;
    use std::fs;

    #[test]
    fn a_device_that_was_gone_at_a_look_is_new_when_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let system = Root::new(dir.path());
        let (config, modules) = (Config::default(), ModuleDir::new(&system, b"6.6"));
        let log = Log::new("coldplug", Level::Error, false);
        let sources = Sources { config: &config, modules: &modules };
        let mut gathered = Gathered::new(sources, &system, &log);
        let device = dir.path().join("sys/devices/pci/usb1");
        let come = || {
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("modalias"), "usb:v1\n").unwrap();
        };
        assert!(!gathered.hardware(false), "nothing is there");
        come();
        assert!(gathered.hardware(true));
        assert!(!gathered.hardware(true));
        fs::remove_dir_all(&device).unwrap();
        assert!(!gathered.hardware(true));
        come();
        assert!(gathered.hardware(true));
    }
}
