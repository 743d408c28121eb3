//! The order of insertion.
//!
//! It is kmod's, module for module: dependencies from the last in `modules.dep`
//! to the first, each between its soft dependencies, and what is met both as a
//! dependency and as a soft dependency stands there twice.

use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use super::{Action, Goal, Origin, Policy, SOFTDEP_DEPTH, Step, Verdict};
use crate::format::text::dependency;
use crate::large::Large;
use crate::name::{ModuleName, unfolded};
use crate::numbers::Numbers;
use crate::resolve::{Sources, Target, resolve};
use crate::state::State;

/// Plans to insert `target` with the parameters `options` into a kernel whose
/// modules are `state`.
pub fn insert(
    sources: Sources<'_>,
    state: &State,
    target: Target,
    options: &[u8],
    policy: &Policy,
) -> Goal {
    let name = target.name.clone();
    let by_name = target.alias.is_none();
    let mut order = Order::new(sources, state, policy);
    let verdict = if order.in_kernel(&name) {
        Verdict::InKernel
    } else if (!by_name || policy.blacklist_names) && sources.config.is_blacklisted(&name) {
        Verdict::Blacklisted
    } else {
        order.visit(target, Origin::Target);
        match order.denied.take() {
            Some((module, place)) => Verdict::Denied { module, place },
            None => Verdict::Steps(order.steps(options)),
        }
    };
    Goal { target: name, verdict }
}

/// A module that was met, known by its name and the alias that led to it.
struct Known {
    target: Target,
    visited: bool,
    required: bool,
}

/// A module in the order of loading.
struct Queued {
    /// Which of those that are known.
    number: usize,
    file: File,
    origin: Origin,
    required: bool,
}

/// Where among the lines a file's name stands; empty where none is known.
type File = Range<usize>;

/// The number of the module that was asked for.
const GOAL: usize = 0;

struct Order<'a> {
    sources: Sources<'a>,
    state: &'a State,
    policy: &'a Policy,
    known: Large<Known>,
    /// Which of them has a name.
    numbers: Numbers,
    queue: Large<Queued>,
    /// Lines of `modules.dep`, one behind another: what files there are is looked at where
    /// one is inserted.
    lines: Large<u8>,
    depth: usize,
    /// What must be inserted and must not, and who says so.
    denied: Option<(ModuleName, String)>,
}

impl<'a> Order<'a> {
    fn new(sources: Sources<'a>, state: &'a State, policy: &'a Policy) -> Self {
        Self {
            sources,
            state,
            policy,
            known: Large::default(),
            numbers: Numbers::default(),
            queue: Large::default(),
            lines: Large::default(),
            depth: 0,
            denied: None,
        }
    }

    fn in_kernel(&self, name: &ModuleName) -> bool {
        !self.state.is_empty()
            && (self.state.is_live(name) || self.sources.modules.is_builtin(name))
    }

    /// The number of `target`.
    fn know(&mut self, target: Target) -> usize {
        let is_it = |number: usize| {
            let known = self.known.get(number).map(|known| &known.target);
            known.is_some_and(|known| known.name == target.name && known.alias == target.alias)
        };
        let next = self.known.len();
        let number = self.numbers.find_or_add(target.name.as_bytes(), next, &is_it);
        if number == next {
            self.known.0.push(Known { target, visited: false, required: false });
        }
        number
    }

    /// The number of the module that is in the file whose name stands there among the lines.
    fn know_file(&mut self, file: File) -> usize {
        let path = self.lines.get(file).unwrap_or_default();
        let is_it = |number: usize| {
            let known = self.known.get(number).map(|known| &known.target);
            known.is_some_and(|known| known.name.is_of(path) && known.alias.is_none())
        };
        match self.numbers.find(unfolded(path), &is_it) {
            Some(number) => number,
            None => self.know(Target::named(ModuleName::from_path(path))),
        }
    }

    /// Who denies the module, unless it is there already: then it is not inserted.
    fn denial(&self, number: usize) -> Option<(ModuleName, String)> {
        let name = &self.known.get(number)?.target.name;
        let place = self.sources.config.denial(name)?;
        let is_there = self.state.is_live(name) || self.sources.modules.is_builtin(name);
        (!is_there).then(|| (name.clone(), place.to_owned()))
    }

    /// Puts the line of the module into `lines`, and the files in it that the module
    /// depends on into `dependencies`, with their modules' numbers, in the order of
    /// loading. The module's own file.
    fn look_up(&mut self, number: usize, dependencies: &mut Vec<(usize, File)>) -> File {
        let start = self.lines.len();
        if let Some(known) = self.known.get(number) {
            self.sources.modules.line(&known.target.name, &mut self.lines.0);
        }
        let line = self.lines.get(start..).unwrap_or_default();
        let Some((own, _)) = dependency(line) else { return File::default() };
        let own = start..start + own.len();
        let mut end = self.lines.len();
        // The last is the first to load.
        while let Some(file) = self.last_word(own.end + 1..end) {
            end = file.start;
            dependencies.push((self.know_file(file.clone()), file));
        }
        own
    }

    /// Queues what the module needs, then the module, each between its soft dependencies.
    fn visit(&mut self, target: Target, origin: Origin) {
        let start = self.lines.len();
        let path = target.path.as_ref().map_or(&b""[..], |path| path.as_os_str().as_bytes());
        self.lines.0.extend_from_slice(path);
        let given = start..self.lines.len();
        let number = self.know(target);
        match self.known.0.get_mut(number) {
            Some(known @ Known { visited: false, .. }) => known.visited = true,
            _ => return,
        }
        let mut dependencies = Large::default();
        let own = self.look_up(number, &mut dependencies.0);
        let mut denied = self.denial(number);
        for (number, _) in dependencies.iter() {
            denied = denied.or_else(|| self.denial(*number));
        }
        if denied.is_some() {
            // A soft dependency that must not be there is none.
            if origin == Origin::Target {
                self.denied = denied;
            }
            return;
        }
        let below = match origin {
            Origin::Target => {
                // Said before any soft dependency is met: one of these may
                // stand there first as a soft dependency.
                self.require(GOAL);
                dependencies.iter().for_each(|(number, _)| self.require(*number));
                Origin::Dependency
            }
            origin => origin,
        };
        for (number, file) in dependencies.iter() {
            self.with_softdeps(*number, file.clone(), below);
        }
        let file = if given.is_empty() { own } else { given };
        if origin == Origin::Target && self.policy.ignore_commands {
            self.push(number, file, origin);
        } else {
            self.with_softdeps(number, file, origin);
        }
    }

    fn with_softdeps(&mut self, number: usize, file: File, origin: Origin) {
        let Some(known) = self.known.get(number) else { return };
        let softdep = self.sources.config.softdep(&known.target.name);
        self.softdeps(&softdep.pre);
        self.push(number, file, origin);
        self.softdeps(&softdep.post);
    }

    fn softdeps(&mut self, names: &[Vec<u8>]) {
        if self.depth == SOFTDEP_DEPTH {
            return;
        }
        self.depth += 1;
        for name in names {
            for target in resolve(self.sources, name) {
                self.visit(target, Origin::Softdep);
            }
        }
        self.depth -= 1;
    }

    fn push(&mut self, number: usize, file: File, origin: Origin) {
        let origin = if number == GOAL { Origin::Target } else { origin };
        let required = self.known.get(number).is_some_and(|known| known.required);
        self.queue.0.push(Queued { number, file, origin, required });
    }

    /// What there is to do: what is in the kernel already is left out.
    fn steps(self, target_options: &[u8]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(self.queue.len());
        for module in self.queue.iter() {
            let Some(Known { target, .. }) = self.known.get(module.number) else { continue };
            if module.origin == Origin::Target || !self.in_kernel(&target.name) {
                steps.push(self.step(module, target, target_options));
            }
        }
        steps
    }

    fn step(&self, module: &Queued, target: &Target, target_options: &[u8]) -> Step {
        let Queued { file, origin, required, .. } = module;
        let Target { name, alias, .. } = target;
        let is_target = *origin == Origin::Target;
        let config = self.sources.config;
        let command = match is_target && self.policy.ignore_commands {
            true => None,
            false => config.install_command(name).map(<[u8]>::to_vec),
        };
        let options = || {
            let mut options = config.options(name, alias.as_deref());
            if !options.is_empty() {
                options.push(b' ');
            }
            if is_target {
                options.extend_from_slice(target_options);
            }
            options
        };
        let path = self.lines.get(file.clone()).unwrap_or_default();
        let action = match command {
            Some(command) => Action::InstallCommand { command, options: options() },
            None if !path.is_empty() => {
                Action::Insert { path: self.sources.modules.file(path), options: options() }
            }
            None if self.sources.modules.is_builtin(name) => Action::Builtin,
            None => Action::Missing,
        };
        Step { module: name.clone(), action, origin: *origin, required: *required }
    }

    fn require(&mut self, number: usize) {
        if let Some(known) = self.known.0.get_mut(number) {
            known.required = true;
        }
    }

    /// Where the last of the words is that stand there among the lines.
    fn last_word(&self, place: Range<usize>) -> Option<File> {
        let is_blank = |c: &u8| *c == b' ' || *c == b'\t';
        let words = self.lines.get(place.clone())?;
        let words = words.get(..=words.iter().rposition(|c| !is_blank(c))?)?;
        let start = words.iter().rposition(is_blank).map_or(0, |blank| blank + 1);
        Some(place.start + start..place.start + words.len())
    }
}
