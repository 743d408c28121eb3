//! Plans for small trees of text indexes.

use super::graph::{Graph, Progress};
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
    with_tree(files, |sources, state, modules| match act(sources, state).verdict {
        Verdict::Steps(steps) => steps.iter().map(|step| show(step, modules)).collect(),
        verdict => vec![format!("{verdict:?}")],
    })
}

fn with_tree<T>(
    files: &[(&str, &str)],
    act: impl FnOnce(Sources<'_>, &State, &std::path::Path) -> T,
) -> T {
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
    act(Sources { config: &config, modules: &moddir }, &State::read(&root), &modules)
}

fn show(step: &Step, modules: &std::path::Path) -> String {
    let mut line = Vec::new();
    step.write(&mut line);
    let line = String::from_utf8(line).unwrap();
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

/// The plan for all of `names` of a tree with these files.
fn graph(names: &[&str], files: &[(&str, &str)]) -> Graph {
    with_tree(files, |sources, state, _| {
        let mut graph = Graph::default();
        for name in names {
            for target in resolve(sources, name.as_bytes()) {
                let goal = insert(sources, state, target, b"", &Policy::default());
                let Verdict::Steps(steps) = goal.verdict else { continue };
                graph.add(sources, steps, 7, false);
            }
        }
        graph
    })
}

/// Each node as `NAME<what stands before it`.
fn edges(graph: &Graph) -> Vec<String> {
    let name = |at: usize| graph.nodes()[at].step.module.to_string();
    let before = |at| graph.before(at).map(name).collect::<Vec<_>>().join(",");
    (0..graph.nodes().len()).map(|at| format!("{}<{}", name(at), before(at))).collect()
}

#[test]
fn goals_make_one_plan_in_which_each_module_stands_once() {
    let graph = graph(&["a", "p", "b"], &[DEP]);
    // a depends on c, too, but b does already.
    assert_eq!(edges(&graph), ["c<", "b<c", "a<b", "p<c"]);
}

#[test]
fn softdeps_put_steps_before_and_behind() {
    let softdep = ("modules.softdep", "softdep a pre: q post: p\nsoftdep p pre: a\n");
    assert_eq!(edges(&graph(&["a"], &[DEP, softdep])), ["c<", "b<c", "q<", "a<b,q", "p<c,a"]);
    // What stands before it anyway stays there: two that want to be behind each other.
    let circle = ("modules.softdep", "softdep p pre: q\nsoftdep q pre: p\n");
    assert_eq!(edges(&graph(&["q"], &[DEP, circle])), ["c<", "p<c", "q<p"]);
}

#[test]
fn steps_begin_when_what_stands_before_them_is_over() {
    let softdep = ("modules.softdep", "softdep a pre: q\n");
    let mut graph = graph(&["q", "p", "a"], &[DEP, softdep]);
    assert_eq!(edges(&graph), ["q<", "c<", "p<c", "b<c", "a<b,q"]);
    // In the plan's order, or what carries the most.
    assert_eq!((graph.next(false), graph.next(true)), (Some(0), Some(1)));
    graph.begin(0);
    graph.begin(1);
    assert_eq!(graph.next(true), None);
    graph.finish(1, true, 9);
    assert_eq!((graph.next(false), graph.next(true)), (Some(2), Some(3)));
    assert_eq!(graph.nodes()[3].ready, Some(9));
    graph.hold(3, true);
    assert_eq!(graph.next(true), Some(2));
    graph.hold(3, false);
    for number in [3, 2] {
        graph.begin(number);
        graph.finish(number, true, 10);
    }
    assert_eq!(graph.next(true), None, "a waits for the softdep");
    graph.finish(0, false, 11);
    assert_eq!(graph.next(true), Some(4), "which failed, and so is over");
    graph.begin(4);
    graph.finish(4, true, 12);
    assert!(graph.is_over());
}

#[test]
fn what_depends_on_a_failure_can_not_be_reached() {
    let mut graph = graph(&["a", "p", "q"], &[DEP]);
    graph.begin(0);
    graph.finish(0, false, 9);
    let progress: Vec<Progress> = graph.nodes().iter().map(|node| node.progress).collect();
    let lost = Progress::Unreachable(0);
    assert_eq!(progress, [Progress::Failed, lost, lost, lost, Progress::Waiting]);
    assert!(!graph.is_over());
    graph.begin(4);
    graph.finish(4, true, 9);
    assert!(graph.is_over());
}
