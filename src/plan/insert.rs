//! The order of insertion.
//!
//! It is kmod's, module for module: dependencies from the last in `modules.dep`
//! to the first, each between its soft dependencies, and what is met both as a
//! dependency and as a soft dependency stands there twice.

use super::{Action, Goal, Origin, Policy, SOFTDEP_DEPTH, Step, Verdict};
use crate::collect::Collect;
use crate::name::ModuleName;
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
    let mut order = Order::new(sources, state, policy, &target);
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

/// A module in the order of loading.
struct Queued {
    target: Target,
    origin: Origin,
    required: bool,
}

/// What tells modules apart while ordering: a name, and the alias behind it.
type Key = (ModuleName, Option<Vec<u8>>);

fn key(target: &Target) -> Key {
    (target.name.clone(), target.alias.clone())
}

struct Order<'a> {
    sources: Sources<'a>,
    state: &'a State,
    policy: &'a Policy,
    goal: Key,
    queue: Vec<Queued>,
    visited: Vec<Key>,
    required: Vec<Key>,
    depth: usize,
    /// What must be inserted and must not, and who says so.
    denied: Option<(ModuleName, String)>,
}

impl<'a> Order<'a> {
    fn new(sources: Sources<'a>, state: &'a State, policy: &'a Policy, target: &Target) -> Self {
        let goal = key(target);
        let (queue, visited, required) = (Vec::new(), Vec::new(), vec![goal.clone()]);
        Self { sources, state, policy, goal, queue, visited, required, depth: 0, denied: None }
    }

    fn in_kernel(&self, name: &ModuleName) -> bool {
        !self.state.is_empty()
            && (self.state.is_live(name) || self.sources.modules.is_builtin(name))
    }

    /// Queues what `target` needs, then `target`, each between its soft
    /// dependencies.
    fn visit(&mut self, mut target: Target, origin: Origin) {
        if self.visited.contains(&key(&target)) {
            return;
        }
        self.visited.push(key(&target));
        let mut dependencies = Vec::new();
        if let Some(entry) = self.sources.modules.entry(&target.name) {
            target.path.get_or_insert(entry.path);
            dependencies = entry.dependencies.iter().rev().map(|path| Target::file(path)).vec();
        }
        let mut needed = std::iter::once(&target).chain(&dependencies).map(|module| &module.name);
        let denied = needed.find_map(|name| {
            // What is there already is not inserted.
            let is_there = || self.in_kernel(name) || self.sources.modules.is_builtin(name);
            let place = self.sources.config.denial(name).filter(|_| !is_there())?;
            Some((name.clone(), place.to_owned()))
        });
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
                self.required.extend(dependencies.iter().map(key));
                Origin::Dependency
            }
            origin => origin,
        };
        for dependency in dependencies {
            self.with_softdeps(dependency, below);
        }
        if origin == Origin::Target && self.policy.ignore_commands {
            self.push(target, origin);
        } else {
            self.with_softdeps(target, origin);
        }
    }

    fn with_softdeps(&mut self, target: Target, origin: Origin) {
        let softdep = self.sources.config.softdep(&target.name);
        self.softdeps(&softdep.pre);
        self.push(target, origin);
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

    fn push(&mut self, target: Target, origin: Origin) {
        let key = key(&target);
        let origin = if key == self.goal { Origin::Target } else { origin };
        let required = self.required.contains(&key);
        self.queue.push(Queued { target, origin, required });
    }

    /// What there is to do: what is in the kernel already is left out.
    fn steps(self, target_options: &[u8]) -> Vec<Step> {
        let needed = |module: &&Queued| {
            module.origin == Origin::Target || !self.in_kernel(&module.target.name)
        };
        let needed = self.queue.iter().filter(needed);
        needed.map(|module| self.step(module, target_options)).vec()
    }

    fn step(&self, module: &Queued, target_options: &[u8]) -> Step {
        let Queued { target: Target { name, alias, path }, origin, required } = module;
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
        let action = match (command, path) {
            (Some(command), _) => Action::InstallCommand { command, options: options() },
            (None, Some(path)) => Action::Insert { path: path.clone(), options: options() },
            (None, None) if self.sources.modules.is_builtin(name) => Action::Builtin,
            (None, None) => Action::Missing,
        };
        Step { module: name.clone(), action, origin: *origin, required: *required }
    }
}
