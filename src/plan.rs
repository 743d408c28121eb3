//! What has to be done for a request, as a value: nothing here has an effect.
//!
//! A [`Goal`] is what one target needs. Its steps are in the order in which
//! they have to happen; shown, they are the output of `modprobe -D`, `-n` and
//! `-v`, and executed they are the load. `-D` plans for a kernel that has
//! nothing, the others for the kernel as it is.

pub mod graph;
mod insert;
mod remove;

pub use insert::insert;
pub use remove::remove;

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::format::json::Json;
use crate::format::text::put;
use crate::large::Large;
use crate::name::ModuleName;

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
    /// It must not be inserted: `module`, it or a dependency, is denied.
    Denied {
        /// The module that is denied.
        module: ModuleName,
        /// Who denies it.
        place: String,
    },
    /// Nothing: to be removed, it is not in the kernel.
    NotInKernel,
    /// It can't be removed: it is built in.
    Builtin,
    /// It can't be removed: something uses this module, it or a holder.
    InUse(ModuleName),
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
    /// Run a shell command in place of inserting it.
    InstallCommand {
        /// The command, in which `$CMDLINE_OPTS` stands for `options`.
        command: Vec<u8>,
        /// Parameters, blank-separated.
        options: Vec<u8>,
    },
    /// Remove it.
    Remove,
    /// Run a shell command in place of removing it.
    RemoveCommand {
        /// The command.
        command: Vec<u8>,
    },
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

/// How many soft dependencies of soft dependencies are followed: more than anyone
/// has, and few enough for any stack.
const SOFTDEP_DEPTH: usize = 200;

/// How to plan.
#[derive(Debug, Default, Clone)]
pub struct Policy {
    /// The blacklist covers modules that were asked for by name, too.
    pub blacklist_names: bool,
    /// Soft dependencies and commands of the target are left out.
    pub ignore_commands: bool,
    /// What uses the target is removed first.
    pub remove_holders: bool,
    /// Whether the target is in use is left to the kernel to say.
    pub wait: bool,
}

impl Step {
    /// Puts the step as a line of `modprobe -D` behind what `text` has, if it has one.
    pub fn write(&self, text: &mut Vec<u8>) {
        let parts: [&[u8]; 4] = match &self.action {
            Action::Insert { path, options } => {
                [b"insmod ", path.as_os_str().as_bytes(), b" ", options]
            }
            Action::Builtin => [b"builtin ", self.module.as_bytes(), b"", b""],
            Action::Missing => return,
            Action::InstallCommand { command, options } => [b"install ", command, b" ", options],
            Action::Remove => [b"rmmod ", self.module.as_bytes(), b"", b""],
            Action::RemoveCommand { command } => [b"remove ", command, b"", b""],
        };
        put(text, &parts);
        text.push(b'\n');
    }

    /// The line of `-v`; nothing for what is there anyway.
    pub fn told(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if self.action != Action::Builtin {
            self.write(&mut text);
        }
        text
    }

    /// The step as an object, whose keys are there as far as they apply.
    pub fn json(&self) -> Json {
        let text = |key, text: &[u8]| (key, Json::text(text.trim_ascii()));
        let (action, rest) = match &self.action {
            Action::Insert { path, options } => (
                "insert",
                vec![text("path", path.as_os_str().as_bytes()), text("options", options)],
            ),
            Action::Builtin => ("builtin", Vec::new()),
            Action::Missing => ("missing", Vec::new()),
            Action::InstallCommand { command, options } => {
                ("install", vec![text("command", command), text("options", options)])
            }
            Action::Remove => ("remove", Vec::new()),
            Action::RemoveCommand { command } => ("remove", vec![text("command", command)]),
        };
        let mut members =
            vec![("action", Json::text(action)), ("module", Json::text(self.module.as_bytes()))];
        members.extend(rest.into_iter().filter(|(_, text)| !text.is_empty()));
        Json::Object(members)
    }
}

/// Gives back what `steps` took: of thousands of goals that are only shown, nothing must
/// stay.
pub fn give_back(steps: Vec<Step>) {
    let mut steps = Large(steps);
    for step in &mut steps.0 {
        if let Action::Insert { path, .. } = &mut step.action {
            drop(Large(std::mem::take(path).into_os_string().into_vec()));
        }
    }
}

#[cfg(test)]
mod tests;
