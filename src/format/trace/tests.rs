use super::*;

/// A phase of a module.
pub fn phase(kind: PhaseKind, worker: usize, begin: u64, end: u64) -> Phase {
    Phase { kind, worker, begin, end }
}

/// A module that was inserted.
pub fn module(name: &str, needs: &[&str], ready: u64, phases: Vec<Phase>) -> Module {
    Module {
        name: ModuleName::new(name.as_bytes()),
        needs: needs.iter().map(|name| ModuleName::new(name.as_bytes())).collect(),
        path: format!("/m/{name}.ko.xz").into(),
        worker: phases.last().map_or(1, |phase| phase.worker),
        ready,
        phases,
        result: INSERTED.into(),
        how: "xz, memfd, finit_module".into(),
        file: 1000,
        image: 5000,
        core: 9557,
        init: 4096,
        wasted: 1000,
    }
}

/// A run with something of everything.
pub fn sample() -> Trace {
    use PhaseKind::{Command, Decompress, Kernel, Read};
    let low = vec![phase(Read, 1, 10, 20), phase(Decompress, 1, 20, 70), phase(Kernel, 1, 70, 170)];
    let high =
        vec![phase(Read, 2, 15, 35), phase(Decompress, 2, 35, 85), phase(Kernel, 2, 175, 345)];
    let script = vec![phase(Command, 1, 170, 220)];
    let mut modules = vec![
        module("low", &[], 5, low),
        Module { path: vec![], how: String::new(), file: 0, ..module("script", &[], 5, script) },
        module("high", &["low", "elsewhere"], 170, high),
        Module {
            worker: 2,
            result: "No such file or directory".into(),
            how: String::new(),
            core: 1,
            wasted: 0,
            ..module("lost", &["low"], 170, vec![])
        },
    ];
    modules[1].core = 9557;
    Trace {
        command: "coldplug".into(),
        release: b"6.1.0-test".to_vec(),
        jobs: 2,
        total: 400,
        modules,
    }
}

#[test]
fn what_is_written_is_read() {
    let trace = sample();
    let file = trace.document();
    assert_eq!(Trace::read(file.as_bytes()).unwrap(), trace);
    let empty = Trace { command: "modprobe".into(), ..Trace::default() };
    assert_eq!(Trace::read(empty.document().as_bytes()).unwrap(), empty);
}

#[test]
fn viewers_find_what_they_look_for() {
    let file = sample().document();
    for wanted in [
        "{\"traceEvents\": [\n{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": 1, \"tid\": 0, \
         \"args\": {\"name\": \"nanomod coldplug\"}},\n",
        "{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": 1, \"tid\": 2, \
         \"args\": {\"name\": \"worker 2\"}},\n",
        "{\"ph\": \"X\", \"name\": \"low\", \"cat\": \"read\", \"pid\": 1, \"tid\": 1, \"ts\": 10, \
         \"dur\": 10},\n",
        "{\"ph\": \"s\", \"name\": \"high\", \"cat\": \"needs\", \"pid\": 1, \"tid\": 1, \
         \"ts\": 169, \"id\": 1},\n",
        "{\"ph\": \"f\", \"name\": \"high\", \"cat\": \"needs\", \"pid\": 1, \"tid\": 2, \
         \"ts\": 175, \"id\": 1, \"bp\": \"e\"}\n],\n",
        "\"displayTimeUnit\": \"ms\"",
    ] {
        assert!(file.contains(wanted), "{wanted}\n{file}");
    }
    assert_eq!(file.matches("\"ph\": \"i\"").count(), 1);
}

#[test]
fn what_other_tools_make_of_it_is_read() {
    let file = sample().document();
    let other = file.replace("\"ts\": 10,", "\"ts\": 1.04e1,").replace(
        "\"traceEvents\": [",
        "\"traceEvents\": [{\"ph\": \"X\", \"name\": \"low\", \"cat\": \"gc\", \"ts\": 1}, 5,",
    );
    assert_eq!(Trace::read(other.as_bytes()).unwrap(), sample());
    let huge =
        file.replace("\"total\": 400", "\"total\": 1e300").replace("\"jobs\": 2", "\"jobs\": -2");
    let huge = Trace::read(huge.as_bytes()).unwrap();
    assert_eq!((huge.total, huge.jobs), (1 << 40, 0));
}

#[test]
fn what_is_no_trace_is_refused() {
    for (file, why) in [
        ("", "it ends at byte 0"),
        ("{\"traceEvents\": [}", "no value at byte 17"),
        ("[]", "it has no list of traceEvents"),
        ("{\"traceEvents\": 1}", "it has no list of traceEvents"),
        ("{\"traceEvents\": []}", "its otherData do not name nanomod as program"),
        (
            "{\"traceEvents\": [], \"otherData\": {\"program\": \"x\"}}",
            "its otherData do not name nanomod as program",
        ),
    ] {
        assert_eq!(
            Trace::read(file.as_bytes()).unwrap_err(),
            format!("not a trace of nanomod: {why}"),
            "{file}"
        );
    }
}

#[test]
fn work_goes_on_behind_what_was_read_ahead() {
    use PhaseKind::{Decompress, Kernel, Read};
    let begin = |ready: u64, phases: [(u64, u64); 3]| {
        let [read, decompress, kernel] = phases;
        let phases = vec![
            phase(Read, 1, read.0, read.1),
            phase(Decompress, 1, decompress.0, decompress.1),
            phase(Kernel, 1, kernel.0, kernel.1),
        ];
        module("x", &[], ready, phases).start().unwrap().begin
    };
    assert_eq!(begin(10, [(10, 20), (20, 30), (30, 40)]), 10);
    assert_eq!(begin(10, [(15, 20), (20, 30), (30, 40)]), 15);
    assert_eq!(begin(50, [(10, 20), (20, 30), (50, 60)]), 50);
    assert_eq!(begin(20, [(10, 20), (20, 30), (30, 60)]), 20);
    assert_eq!(begin(25, [(10, 20), (20, 30), (30, 60)]), 10);
}
