//! What has to be done for a request, as a value: nothing here has an effect.
//!
//! A [`Goal`] is what one target needs. Its steps are in the order in which
//! they have to happen; shown, they are the output of `modprobe -D`, `-n` and
//! `-v`, and executed they are the load. `-D` plans for a kernel that has
//! nothing, the others for the kernel as it is.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::name::ModuleName;
use crate::resolve::{Sources, Target, resolve};
use crate::state::State;

/// What one target needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Goal {
    /// The module asked for.
    pub target: ModuleName,
    /// What is to be done for it.
    pub verdict: Verdict,
}

/// What is to be done for a target.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These steps, in this order.
    Steps(Vec<Step>),
    /// Nothing: to be inserted, it is in the kernel already.
    InKernel,
    /// Nothing: to be inserted, it is blacklisted.
    Blacklisted,
    /// Nothing: to be removed, it is not in the kernel.
    NotInKernel,
    /// It can't be removed: it is built in.
    Builtin,
    /// It can't be removed: something uses it.
    InUse,
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The module.
    pub module: ModuleName,
    /// What to do with it.
    pub action: Action,
    /// Why it is part of the plan.
    pub origin: Origin,
    /// Whether the goal fails with it.
    pub required: bool,
}

/// What to do with a module.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Insert the file `path` with the parameters `options`.
    Insert {
        /// The module's file, of any compression.
        path: PathBuf,
        /// Parameters, blank-separated.
        options: Vec<u8>,
    },
    /// Nothing: the kernel has it built in.
    Builtin,
    /// Insert a module of which no file is known.
    Missing,
    /// Remove it.
    Remove,
}

/// Why a module is part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was asked for.
    Target,
    /// The target needs it.
    Dependency,
    /// A soft dependency names it.
    Softdep,
}

/// How to plan.
#[derive(Debug, Default, Clone)]
pub struct Policy {
    /// The blacklist covers modules that were asked for by name, too.
    pub blacklist_names: bool,
    /// Soft dependencies and commands of modprobe.d are left out.
    pub ignore_commands: bool,
}

impl Step {
    /// The step as a line of `modprobe -D`, without its line feed; `None` for
    /// what has no line.
    pub fn line(&self) -> Option<Vec<u8>> {
        match &self.action {
            Action::Insert { path, options } => {
                Some([b"insmod ", path.as_os_str().as_bytes(), b" ", options].concat())
            }
            Action::Builtin => Some([b"builtin ", self.module.as_bytes()].concat()),
            Action::Missing => None,
            Action::Remove => Some([b"rmmod ", self.module.as_bytes()].concat()),
        }
    }
}

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
    let in_kernel = |name: &ModuleName| {
        !state.is_empty() && (sources.modules.is_builtin(name) || state.is_live(name))
    };
    let by_name = target.alias.is_none();
    let verdict = if in_kernel(&name) {
        Verdict::InKernel
    } else if (!by_name || policy.blacklist_names) && sources.config.is_blacklisted(&name) {
        Verdict::Blacklisted
    } else {
        let mut order = Order::new(sources, policy, &target);
        order.visit(target, Origin::Target);
        let queue = order.queue.into_iter();
        let needed = queue.filter(|m| m.origin == Origin::Target || !in_kernel(&m.target.name));
        Verdict::Steps(needed.map(|module| insert_step(sources, module, options)).collect())
    };
    Goal { target: name, verdict }
}

/// A module in the order of loading.
struct Queued {
    target: Target,
    origin: Origin,
    required: bool,
}

fn insert_step(sources: Sources<'_>, module: Queued, target_options: &[u8]) -> Step {
    let Queued { target: Target { name, alias, path }, origin, required } = module;
    let action = match path {
        Some(path) => {
            let mut options = sources.config.options(&name, alias.as_deref());
            if !options.is_empty() {
                options.push(b' ');
            }
            if origin == Origin::Target {
                options.extend_from_slice(target_options);
            }
            Action::Insert { path, options }
        }
        None if sources.modules.is_builtin(&name) => Action::Builtin,
        None => Action::Missing,
    };
    Step { module: name, action, origin, required }
}

/// What tells modules apart while ordering: a name, and the alias behind it.
type Key = (ModuleName, Option<Vec<u8>>);

fn key(target: &Target) -> Key {
    (target.name.clone(), target.alias.clone())
}

/// The order of loading, as kmod has it. A module that is met as a dependency
/// may be met again as a soft dependency, and then stands there twice.
struct Order<'a> {
    sources: Sources<'a>,
    policy: &'a Policy,
    goal: Key,
    queue: Vec<Queued>,
    visited: Vec<Key>,
    required: Vec<Key>,
}

impl<'a> Order<'a> {
    fn new(sources: Sources<'a>, policy: &'a Policy, target: &Target) -> Self {
        let (queue, visited, required) = (Vec::new(), Vec::new(), vec![key(target)]);
        Self { sources, policy, goal: key(target), queue, visited, required }
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
            dependencies = entry.dependencies.iter().rev().map(|path| Target::file(path)).collect();
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
        self.softdeps(softdep.map(|softdep| &*softdep.pre));
        self.push(target, origin);
        self.softdeps(softdep.map(|softdep| &*softdep.post));
    }

    fn softdeps(&mut self, names: Option<&[Vec<u8>]>) {
        for name in names.into_iter().flatten() {
            for target in resolve(self.sources, name) {
                self.visit(target, Origin::Softdep);
            }
        }
    }

    fn push(&mut self, target: Target, origin: Origin) {
        let key = key(&target);
        let origin = if key == self.goal { Origin::Target } else { origin };
        let required = self.required.contains(&key);
        self.queue.push(Queued { target, origin, required });
    }
}

/// Plans to remove `target`, then what it needed if nothing else does, from a
/// kernel whose modules are `state`.
pub fn remove(sources: Sources<'_>, state: &State, target: &Target, policy: &Policy) -> Goal {
    let mut removal = Removal { sources, state, policy, steps: Vec::new(), visited: Vec::new() };
    let verdict = match removal.visit(&target.name, Origin::Target) {
        Ok(()) => Verdict::Steps(removal.steps),
        Err(verdict) => verdict,
    };
    Goal { target: target.name.clone(), verdict }
}

struct Removal<'a> {
    sources: Sources<'a>,
    state: &'a State,
    policy: &'a Policy,
    steps: Vec<Step>,
    visited: Vec<ModuleName>,
}

impl Removal<'_> {
    fn visit(&mut self, name: &ModuleName, origin: Origin) -> Result<(), Verdict> {
        if self.visited.contains(name) {
            return Ok(());
        }
        self.visited.push(name.clone());
        if self.sources.modules.is_builtin(name) {
            return Err(Verdict::Builtin);
        }
        if self.state.get(name).is_none() {
            return Err(Verdict::NotInKernel);
        }
        let softdep = match self.policy.ignore_commands {
            true => None,
            false => self.sources.config.softdep(name),
        };
        // 1. What loaded after it.
        self.softdeps(softdep.map(|softdep| &*softdep.post));
        // 2. Itself.
        if self.users(name) > 0 {
            return Err(Verdict::InUse);
        }
        self.push(name.clone(), origin);
        // 3. What only it needed. The last in modules.dep loaded first, so
        // this order is the one in which they come free.
        let entry = self.sources.modules.entry(name);
        for path in entry.into_iter().flat_map(|entry| entry.dependencies) {
            let dependency = Target::file(&path).name;
            if self.state.get(&dependency).is_some() && self.users(&dependency) == 0 {
                self.push(dependency, Origin::Dependency);
            }
        }
        // 4. What loaded before it.
        self.softdeps(softdep.map(|softdep| &*softdep.pre));
        Ok(())
    }

    fn softdeps(&mut self, names: Option<&[Vec<u8>]>) {
        let resolved = names.into_iter().flatten().flat_map(|name| resolve(self.sources, name));
        for target in resolved.collect::<Vec<_>>().iter().rev() {
            // A soft dependency that can't go stays.
            let _ = self.visit(&target.name, Origin::Softdep);
        }
    }

    /// How many users the module has left once the steps so far are done.
    fn users(&self, name: &ModuleName) -> i64 {
        let Some(module) = self.state.get(name) else { return 0 };
        let gone = |holder: &&ModuleName| self.steps.iter().any(|step| step.module == **holder);
        let gone = module.holders.iter().filter(gone).count();
        module.refcnt.unwrap_or(0) - i64::try_from(gone).unwrap_or(0)
    }

    fn push(&mut self, module: ModuleName, origin: Origin) {
        if self.steps.iter().all(|step| step.module != module) {
            let required = origin == Origin::Target;
            self.steps.push(Step { module, action: Action::Remove, origin, required });
        }
    }
}

#[cfg(test)]
mod tests;
