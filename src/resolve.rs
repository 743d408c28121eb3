//! From what a user, a script or the kernel names to modules.
//!
//! A name is looked for stage by stage, in the order that `modprobe(8)` has,
//! and the first stage that knows it answers, with one module or several. So
//! an alias in modprobe.d hides a module of its name.

use std::path::{Path, PathBuf};

use crate::collect::Collect;
use crate::config::Config;
use crate::moddir::ModuleDir;
use crate::name::{ModuleName, fold_alias};

/// Where names are looked up.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// What the administrator says.
    pub config: &'a Config,
    /// What the kernel's directory holds.
    pub modules: &'a ModuleDir,
}

/// A module that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The module.
    pub name: ModuleName,
    /// The alias that led to it, if one did: options may be set for that, and
    /// a blacklist covers only modules found so.
    pub alias: Option<Vec<u8>>,
    /// Its file, where a path was given in place of a name.
    pub path: Option<PathBuf>,
}

impl Target {
    /// A module known by its name.
    pub fn named(name: ModuleName) -> Self {
        Self { name, alias: None, path: None }
    }

    /// The module in the file `path`.
    pub fn file(path: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let name = ModuleName::from_path(path.as_os_str().as_bytes());
        Self { name, alias: None, path: Some(path.to_owned()) }
    }

    fn aliased(name: ModuleName, alias: &[u8]) -> Self {
        Self { name, alias: Some(alias.to_vec()), path: None }
    }
}

type Stage = fn(Sources<'_>, &[u8]) -> Vec<Target>;

/// The lookup order.
const STAGES: [Stage; 7] =
    [config_alias, dependency_list, symbol, command, module_alias, builtin, builtin_alias];

/// All modules that `name` stands for, in loading order; none if nobody knows
/// it.
pub fn resolve(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    let Some(name) = fold_alias(name) else { return Vec::new() };
    let mut answers = STAGES.iter().map(|stage| stage(sources, &name));
    answers.find(|targets| !targets.is_empty()).unwrap_or_default()
}

fn config_alias(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    let aliased = sources.config.aliased(name);
    aliased.map(|(pattern, module)| Target::aliased(module.clone(), pattern)).vec()
}

fn dependency_list(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    // A modalias is no module's name: don't open the index for it.
    if name.contains(&b':') {
        return Vec::new();
    }
    let name = ModuleName::new(name);
    if sources.modules.contains(&name) { vec![Target::named(name)] } else { Vec::new() }
}

fn symbol(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    if !name.starts_with(b"symbol:") {
        return Vec::new();
    }
    by_alias(sources.modules.exporting(name), name)
}

fn command(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    let known = sources.config.has_command(name);
    if known { vec![Target::named(ModuleName::new(name))] } else { Vec::new() }
}

fn module_alias(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    by_alias(sources.modules.aliased(name), name)
}

fn builtin(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    let name = ModuleName::new(name);
    if sources.modules.is_builtin(&name) { vec![Target::named(name)] } else { Vec::new() }
}

fn builtin_alias(sources: Sources<'_>, name: &[u8]) -> Vec<Target> {
    by_alias(sources.modules.builtin_aliased(name), name)
}

fn by_alias(names: Vec<ModuleName>, alias: &[u8]) -> Vec<Target> {
    let mut targets = Vec::with_capacity(names.len());
    for name in names {
        targets.push(Target::aliased(name, alias));
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;
    use std::fs;

    fn resolve_in(conf: &str, name: &str) -> Vec<(String, Option<String>)> {
        let dir = tempfile::tempdir().unwrap();
        let modules = dir.path().join("lib/modules/6.6");
        fs::create_dir_all(&modules).unwrap();
        for (file, text) in [
            ("modules.dep", "kernel/real-one.ko:\nkernel/other.ko:\n"),
            (
                "modules.alias",
                "alias fs-x real_one\nalias fs-* other\nalias inside builtin_alias\n",
            ),
            ("modules.symbols", "alias symbol:do_it other\n"),
            ("modules.builtin", "kernel/inside.ko\nkernel/unix.ko\n"),
            ("modules.builtin.modinfo", "unix.alias=net-pf-1\0"),
            ("local.conf", conf),
        ] {
            fs::write(modules.join(file), text).unwrap();
        }
        let root = Root::new(dir.path());
        let config = Config::load(&root, &[modules.join("local.conf").into()], &modules);
        let moddir = ModuleDir::new(&root, b"6.6");
        let sources = Sources { config: &config, modules: &moddir };
        let targets = resolve(sources, name.as_bytes()).into_iter();
        targets
            .map(|t| (t.name.to_string(), t.alias.map(|a| String::from_utf8(a).unwrap())))
            .collect()
    }

    fn row(name: &str, alias: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), alias.map(str::to_owned))
    }

    #[test]
    fn each_stage_answers_for_what_the_ones_before_do_not_know() {
        assert_eq!(
            resolve_in("alias real-one other", "real-one"),
            [row("other", Some("real_one"))]
        );
        assert_eq!(resolve_in("", "real-one"), [row("real_one", None)]);
        assert_eq!(resolve_in("", "symbol:do_it"), [row("other", Some("symbol:do_it"))]);
        assert_eq!(
            resolve_in("", "fs-x"),
            [row("real_one", Some("fs_x")), row("other", Some("fs_x"))]
        );
        assert_eq!(resolve_in("", "inside"), [row("builtin_alias", Some("inside"))]);
        assert_eq!(resolve_in("", "unix"), [row("unix", None)]);
        assert_eq!(resolve_in("", "net-pf-1"), [row("unix", Some("net_pf_1"))]);
        assert!(resolve_in("", "nosuch").is_empty());
        assert!(resolve_in("", "a]b").is_empty());
    }
}
