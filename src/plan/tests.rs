//! Plans for small trees of text indexes.

use super::*;
use crate::config::Config;
use crate::moddir::ModuleDir;
use crate::resolve::{Sources, resolve};
use crate::root::Root;
use crate::state::State;
use std::fs;

/// A tree with these files in the module directory, `local.conf` being the
/// configuration and `modules` what `/proc/modules` says.
fn plan(files: &[(&str, &str)], act: impl FnOnce(Sources<'_>, &State) -> Goal) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("lib/modules/6.6");
    fs::create_dir_all(&modules).unwrap();
    fs::create_dir_all(dir.path().join("proc")).unwrap();
    fs::write(dir.path().join("proc/modules"), "").unwrap();
    fs::write(modules.join("local.conf"), "").unwrap();
    for (file, text) in files {
        let path =
            if *file == "modules" { dir.path().join("proc/modules") } else { modules.join(file) };
        fs::write(path, text).unwrap();
    }
    let root = Root::new(dir.path());
    let config = Config::load(&root, &[modules.join("local.conf").into()], &modules);
    let moddir = ModuleDir::new(&root, b"6.6");
    let goal = act(Sources { config: &config, modules: &moddir }, &State::read(&root));
    match goal.verdict {
        Verdict::Steps(steps) => steps.iter().map(|step| show(step, &modules)).collect(),
        verdict => vec![format!("{verdict:?}")],
    }
}

fn show(step: &Step, modules: &std::path::Path) -> String {
    let line = String::from_utf8(step.line().unwrap_or_default()).unwrap();
    let line = line.replace(&format!("{}/", modules.display()), "");
    let required = if step.required { "" } else { "?" };
    format!("{}{required}", line.trim_end())
}

fn load(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    plan(files, |sources, state| {
        let target = resolve(sources, name.as_bytes()).remove(0);
        insert(sources, state, target, b"cli=1", &Policy::default())
    })
}

fn unload(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    plan(files, |sources, state| {
        let target = resolve(sources, name.as_bytes()).remove(0);
        remove(sources, state, &target, &Policy::default())
    })
}

const DEP: (&str, &str) =
    ("modules.dep", "a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\np.ko: c.ko\nq.ko:\n");

#[test]
fn dependencies_load_from_the_last_to_the_first() {
    assert_eq!(load("a", &[DEP]), ["insmod c.ko", "insmod b.ko", "insmod a.ko cli=1"]);
}

#[test]
fn what_is_loaded_is_left_out() {
    let loaded = ("modules", "c 1 0 - Live 0x0\nb 1 0 - Loading 0x0\n");
    assert_eq!(load("a", &[DEP, loaded]), ["insmod b.ko", "insmod a.ko cli=1"]);
    assert_eq!(load("a", &[DEP, ("modules", "a 1 0 - Live 0x0\n")]), ["InKernel"]);
}

#[test]
fn soft_dependencies_stand_around_their_module_and_are_not_required() {
    let conf = ("local.conf", "softdep a pre: p post: q\n");
    assert_eq!(
        load("a", &[DEP, conf]),
        [
            "insmod c.ko",
            "insmod b.ko",
            "insmod c.ko",
            "insmod p.ko?",
            "insmod a.ko cli=1",
            "insmod q.ko?"
        ]
    );
}

#[test]
fn a_dependency_that_is_a_soft_dependency_first_is_required_still() {
    let conf = ("local.conf", "softdep c pre: b\n");
    assert_eq!(
        load("a", &[DEP, conf]),
        ["insmod c.ko", "insmod b.ko", "insmod c.ko", "insmod b.ko", "insmod a.ko cli=1"]
    );
}

#[test]
fn loops_of_soft_dependencies_end() {
    let conf = ("local.conf", "softdep q pre: p\nsoftdep p pre: q\n");
    assert_eq!(load("q", &[DEP, conf]), ["insmod c.ko?", "insmod p.ko?", "insmod q.ko cli=1"]);
    assert_eq!(
        unload("q", &[DEP, conf, ("modules", "q 1 0 - Live 0\np 1 0 - Live 0\n")]),
        ["rmmod q", "rmmod p?"]
    );
}

#[test]
fn the_blacklist_covers_aliases_alone() {
    let alias = ("modules.alias", "alias fs-a a\n");
    let conf = ("local.conf", "blacklist a\n");
    assert_eq!(load("fs-a", &[DEP, alias, conf]), ["Blacklisted"]);
    assert_eq!(load("a", &[DEP, alias, conf]).len(), 3);
}

#[test]
fn options_come_from_the_module_and_from_the_alias_that_led_to_it() {
    let alias = ("modules.alias", "alias fs-a q\n");
    let conf = ("local.conf", "options q x=1\noptions fs-a y=2\n");
    assert_eq!(load("fs-a", &[DEP, alias, conf]), ["insmod q.ko x=1 y=2 cli=1"]);
    assert_eq!(load("q", &[DEP, alias, conf]), ["insmod q.ko x=1 cli=1"]);
}

#[test]
fn removal_frees_what_nothing_else_uses() {
    let loaded = "a 1 0 - Live 0\nb 1 1 a, Live 0\nc 1 2 a,b, Live 0\n";
    assert_eq!(unload("a", &[DEP, ("modules", loaded)]), ["rmmod a", "rmmod b?", "rmmod c?"]);
    let shared = "a 1 0 - Live 0\nb 1 1 a, Live 0\nc 1 3 a,b,p, Live 0\np 1 0 - Live 0\n";
    assert_eq!(unload("a", &[DEP, ("modules", shared)]), ["rmmod a", "rmmod b?"]);
    assert_eq!(
        unload("b", &[DEP, ("modules", loaded)]),
        [format!("InUse({:?})", ModuleName::new(b"b"))]
    );
    assert_eq!(unload("p", &[DEP, ("modules", loaded)]), ["NotInKernel"]);
}

#[test]
fn commands_stand_in_their_modules_place() {
    let conf = ("local.conf", "install b cmd b\nremove q cmd q\nsoftdep b pre: p\n");
    assert_eq!(
        load("a", &[DEP, conf]),
        ["insmod c.ko", "insmod c.ko?", "insmod p.ko?", "install cmd b", "insmod a.ko cli=1"]
            .map(|line| line.replace("insmod c.ko?", "insmod c.ko"))
    );
    assert_eq!(unload("q", &[DEP, conf]), ["remove cmd q"]);
    let unknown = ("local.conf", "install magic do it\n");
    assert_eq!(load("magic", &[DEP, unknown]), ["install do it cli=1"]);
}

#[test]
fn a_denied_module_stops_its_goal_and_a_denied_softdep_does_not() {
    let denied = |name: &str, conf: &str| load(name, &[DEP, ("local.conf", conf)]);
    assert!(denied("a", "deny a")[0].starts_with("Denied"));
    assert!(denied("a", "deny [bc]")[0].contains("line 1"));
    assert_eq!(denied("q", "deny p\nsoftdep q pre: p"), ["insmod q.ko cli=1"]);
    assert_eq!(denied("q", "deny c\nsoftdep q pre: p"), ["insmod q.ko cli=1"]);
    let loaded = ("modules", "c 1 0 - Live 0\nb 1 0 - Live 0\n");
    assert_eq!(load("a", &[DEP, ("local.conf", "deny [bc]"), loaded]), ["insmod a.ko cli=1"]);
}

#[test]
fn holders_go_first() {
    let loaded = ("modules", "a 1 0 - Live 0\nb 1 1 a, Live 0\nc 1 2 a,b, Live 0\n");
    let remove_c = |policy: Policy| {
        plan(&[DEP, loaded], |sources, state| {
            let target = resolve(sources, b"c").remove(0);
            remove(sources, state, &target, &policy)
        })
    };
    let holders = Policy { remove_holders: true, ..Policy::default() };
    assert_eq!(remove_c(holders), ["rmmod a", "rmmod b", "rmmod c"]);
    assert_eq!(remove_c(Policy { wait: true, ..Policy::default() }), ["rmmod c"]);
}

#[test]
fn a_long_chain_of_soft_dependencies_ends_somewhere() {
    let (mut dep, mut conf) = (String::new(), String::new());
    for n in 0..5000 {
        dep.push_str(&format!("m{n}.ko:\n"));
        conf.push_str(&format!("softdep m{n} pre: m{}\n", n + 1));
    }
    let steps = load("m0", &[("modules.dep", &dep), ("local.conf", &conf)]);
    assert_eq!(steps.len(), 1 + SOFTDEP_DEPTH);
    assert_eq!(steps.last().unwrap(), "insmod m0.ko cli=1");
}
