//! The order of removal.

use super::{Action, Goal, Origin, Policy, SOFTDEP_DEPTH, Step, Verdict};
use crate::collect::Collect;
use crate::config::Softdep;
use crate::format::text::{CMDLINE_OPTS, dependency, replace, words};
use crate::large::Large;
use crate::name::ModuleName;
use crate::resolve::{Sources, Target, resolve};
use crate::state::State;

/// Plans to remove `target`, then what it needed if nothing else does, from a
/// kernel whose modules are `state`.
pub fn remove(sources: Sources<'_>, state: &State, target: &Target, policy: &Policy) -> Goal {
    let (steps, visited) = (Vec::new(), Vec::new());
    let mut removal = Removal { sources, state, policy, steps, visited, depth: 0 };
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
    depth: usize,
}

impl Removal<'_> {
    fn visit(&mut self, name: &ModuleName, origin: Origin) -> Result<(), Verdict> {
        if self.visited.contains(name) {
            return Ok(());
        }
        self.visited.push(name.clone());
        let config = self.sources.config;
        let ignore = self.policy.ignore_commands;
        let softdep = if ignore { Softdep::default() } else { config.softdep(name) };
        if let Some(command) = config.remove_command(name).filter(|_| !ignore) {
            // What the command removes, and whether it can, is its own affair.
            self.softdeps(&softdep.post);
            let command = replace(command, CMDLINE_OPTS, b"");
            self.push(name.clone(), Action::RemoveCommand { command }, origin);
            self.softdeps(&softdep.pre);
            return Ok(());
        }
        if self.sources.modules.is_builtin(name) {
            return Err(Verdict::Builtin);
        }
        let Some(module) = self.state.get(name) else { return Err(Verdict::NotInKernel) };
        // 1. What loaded after it.
        self.softdeps(&softdep.post);
        // 2. What uses it.
        if self.policy.remove_holders {
            for holder in &module.holders {
                self.visit(holder, origin)?;
            }
        }
        // 3. Itself.
        if self.users(name) > 0 && !self.policy.wait {
            return Err(Verdict::InUse(name.clone()));
        }
        self.push(name.clone(), Action::Remove, origin);
        // 4. What only it needed. The last in modules.dep loaded first, so
        // this order is the one in which they come free.
        let mut line = Large::default();
        self.sources.modules.line(name, &mut line.0);
        let (_, dependencies) = dependency(&line).unwrap_or_default();
        for path in words(dependencies) {
            let dependency = ModuleName::from_path(path);
            if self.state.get(&dependency).is_some() && self.users(&dependency) == 0 {
                self.push(dependency, Action::Remove, Origin::Dependency);
            }
        }
        // 5. What loaded before it.
        self.softdeps(&softdep.pre);
        Ok(())
    }

    fn softdeps(&mut self, names: &[Vec<u8>]) {
        if self.depth == SOFTDEP_DEPTH {
            return;
        }
        self.depth += 1;
        let resolved = names.iter().flat_map(|name| resolve(self.sources, name));
        for target in resolved.vec().iter().rev() {
            // A soft dependency that can't go stays, and with it what it needs.
            let length = self.steps.len();
            if self.visit(&target.name, Origin::Softdep).is_err() {
                self.steps.truncate(length);
            }
        }
        self.depth -= 1;
    }

    /// How many users the module has left once the steps so far are done.
    fn users(&self, name: &ModuleName) -> i64 {
        let Some(module) = self.state.get(name) else { return 0 };
        let gone = |holder: &&ModuleName| self.steps.iter().any(|step| step.module == **holder);
        let gone = module.holders.iter().filter(gone).count();
        module.refcnt.unwrap_or(0) - i64::try_from(gone).unwrap_or(0)
    }

    fn push(&mut self, module: ModuleName, action: Action, origin: Origin) {
        let required = origin == Origin::Target;
        // What comes free on the way may be what was asked for.
        match self.steps.iter_mut().find(|step| step.module == module) {
            Some(step) => step.required |= required,
            None => self.steps.push(Step { module, action, origin, required }),
        }
    }
}
