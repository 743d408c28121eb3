//! The stage: a fake root per run, with a shell, one loader and a module tree.
//!
//! ```text
//! /bin/busybox            static; /bin/sh and friends are links to it
//! /sbin/{modprobe,…}      links to the loader under test
//! /lib*, /lib64           its libraries, when it is dynamic (kmod is)
//! /lib/modules/6.6.6-test from tests/support/tree, overlaid by the case
//! /etc, /proc, /sys       plain files of the case; nothing is mounted
//! ```
//!
//! The run itself is `strace -f … chroot ROOT /bin/sh -c …`, with every module
//! system call answered by strace: what a case loads is never really loaded.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::case::Case;
use super::{elf, index, trace};

pub const RELEASE: &str = "6.6.6-test";
const KMOD_VERSION: &str = "kmod version 30";
const LOADERS: [&str; 7] = ["depmod", "modprobe", "insmod", "rmmod", "lsmod", "modinfo", "kmod"];
const STRACE: [&str; 10] =
    ["strace", "-f", "-qqq", "-y", "-X", "raw", "-s", "65536", "-e", "signal=none"];
const SHELL_TOOLS: [&str; 16] = [
    "sh", "cat", "echo", "env", "false", "grep", "head", "ln", "md5sum", "mkdir", "mv", "printf",
    "rm", "sort", "tail", "tr",
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Nanomod,
    Kmod,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Peer::Nanomod => "nanomod",
            Peer::Kmod => "kmod",
        }
    }
}

/// What one run gave; `status` as its line of text.
pub struct Played {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: Vec<u8>,
    pub calls: Vec<u8>,
}

pub struct Stage {
    /// Holds everything; gone when dropped.
    top: tempfile::TempDir,
    nanomod: Option<Program>,
    /// Each feature of nanomod, and whether this one has it.
    features: BTreeMap<String, bool>,
    kmod: Option<Program>,
    busybox: Program,
    release: String,
    root: bool,
    /// strace stops a process at the calls asked for alone: the shell runs at
    /// its own speed. Not everywhere: a container may forbid the filter.
    filters: bool,
    writes: Option<Peer>,
}

/// A binary and what it needs beside it: (place in the root, file to link).
struct Program {
    files: Vec<(PathBuf, PathBuf)>,
}

impl Stage {
    pub fn new() -> Result<Self, String> {
        let writes = match std::env::var("CASES_WRITE").as_deref() {
            Err(_) => None,
            Ok("kmod") => Some(Peer::Kmod),
            Ok("nanomod") => Some(Peer::Nanomod),
            Ok(other) => return Err(format!("CASES_WRITE={other}: kmod or nanomod")),
        };
        for tool in ["strace", "chroot", "grep", "ldd"] {
            found(tool).ok_or_else(|| format!("{tool} is needed and not in PATH"))?;
        }
        let busybox = match std::env::var_os("BUSYBOX") {
            Some(path) => PathBuf::from(path),
            None => found("busybox").ok_or("busybox is needed (Debian: busybox-static)")?,
        };
        let top = workplace(&busybox)?;
        let nanomod = std::env::var_os("NANOMOD")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_nanomod")), PathBuf::from);
        let kmod = match std::env::var("CASES_KMOD").as_deref() {
            Ok("none") => None,
            _ => Some(reference()?),
        };
        let tested = writes != Some(Peer::Kmod) && nanomod.as_os_str() != "none";
        let load = |path: &Path, place: &str| Program::load(path, place, top.path());
        Ok(Self {
            busybox: load(&busybox, "bin/busybox")?,
            features: if tested { features(&nanomod)? } else { BTreeMap::new() },
            nanomod: tested.then(|| load(&nanomod, "sbin/nanomod")).transpose()?,
            kmod: kmod.map(|path| load(&path, "sbin/kmod")).transpose()?,
            release: text_of("uname", &["-r"])?,
            root: text_of("id", &["-u"])? == "0",
            filters: strace_filters(),
            top,
            writes,
        })
    }

    pub fn has_kmod(&self) -> bool {
        self.kmod.is_some()
    }

    pub fn runs(&self, peer: Peer) -> bool {
        let there = match peer {
            Peer::Nanomod => self.nanomod.is_some(),
            Peer::Kmod => self.kmod.is_some(),
        };
        there && self.writes.is_none_or(|wanted| wanted == peer)
    }

    /// The first of the features that a case needs and nanomod lacks.
    pub fn lacks<'c>(&self, case: &'c Case) -> Result<Option<&'c str>, String> {
        let mut lacked = None;
        for feature in &case.needs {
            match self.features.get(feature) {
                Some(false) => lacked = lacked.or(Some(feature.as_str())),
                None if self.nanomod.is_some() => {
                    return Err(format!("{}: needs {feature}, which is no feature", case.name));
                }
                Some(true) | None => {}
            }
        }
        Ok(lacked)
    }

    pub fn writes(&self) -> Option<Peer> {
        self.writes
    }

    pub fn play(&self, case: &Case, peer: Peer) -> Result<Played, String> {
        let dir = self.top.path().join(format!("{}.{}", case.name, peer.name()));
        let result = self
            .build(case, peer, &dir)
            .map_err(|e| format!("{}: {e}", dir.display()))
            .and_then(|()| self.perform(case, &dir));
        let _ = fs::remove_dir_all(&dir);
        result
    }

    fn build(&self, case: &Case, peer: Peer, dir: &Path) -> io::Result<()> {
        let root = dir.join("root");
        for folder in ["bin", "sbin", "lib/modules", "proc", "etc", "tmp"] {
            fs::create_dir_all(root.join(folder))?;
        }
        if !case.bare {
            let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tree");
            copy_tree(&tree, &root)?;
        }
        if case.dir.join("root").exists() {
            copy_tree(&case.dir.join("root"), &root)?;
        }
        self.busybox.place(&root)?;
        for tool in SHELL_TOOLS {
            symlink("busybox", root.join("bin").join(tool))?;
        }
        let loader = match peer {
            Peer::Nanomod => &self.nanomod,
            Peer::Kmod => &self.kmod,
        };
        if let Some(program) = loader {
            program.place(&root)?;
        }
        for name in LOADERS.iter().filter(|name| **name != peer.name()) {
            symlink(peer.name(), root.join("sbin").join(name))?;
        }

        let modules = root.join("lib/modules").join(RELEASE);
        if modules.exists() {
            // git keeps text; the kernel's file separates by NUL.
            let builtin = modules.join("modules.builtin.modinfo");
            if let Ok(text) = fs::read_to_string(&builtin) {
                fs::write(&builtin, text.replace('\n', "\0"))?;
            }
            if !case.text_only {
                index::write_all(&modules)?;
            }
        }
        make_holders(&root.join("sys/module"))?;
        if case.uname {
            symlink(RELEASE, root.join("lib/modules").join(&self.release))?;
        }
        Ok(())
    }

    fn perform(&self, case: &Case, dir: &Path) -> Result<Played, String> {
        let root = dir.join("root");
        if let Some(setup) = &case.setup {
            let made = self.output(self.shell(&[], &root, setup))?;
            if !made.status.success() || !made.stderr.is_empty() {
                let text = String::from_utf8_lossy(&made.stderr).into_owned();
                return Err(format!("setup failed: {text}"));
            }
        }
        // busybox's shell prefers its own applets to what PATH holds, but a
        // function to both.
        let mut script = String::new();
        for name in LOADERS {
            script.push_str(&format!("{name}() {{ /sbin/{name} \"$@\"; }}\n"));
        }
        script.push_str(&case.cmd);

        let trace_file = dir.join("trace");
        let mut strace: Vec<OsString> = STRACE.map(OsString::from).to_vec();
        if self.filters {
            strace.push("--seccomp-bpf".into());
        }
        strace.push("-e".into());
        // A case may answer other calls than those of modules.
        let answered: Vec<&str> =
            case.inject.iter().filter_map(|line| line.split(':').next()).collect();
        strace.push(format!("trace={}", answered.join(",")).into());
        for line in &case.inject {
            strace.push("-e".into());
            strace.push(format!("inject={line}").into());
        }
        strace.push("-o".into());
        strace.push(trace_file.clone().into());

        let output = self.output(self.shell(&strace, &root, &script))?;
        let trace = fs::read(&trace_file).map_err(|e| format!("strace: {e}"))?;
        let status = match output.status.code() {
            Some(code) => format!("{code}\n"),
            None => format!("{}\n", output.status),
        };
        Ok(Played {
            stdout: self.steady(&output.stdout),
            stderr: self.steady(&output.stderr),
            status: status.into_bytes(),
            calls: trace::calls(&String::from_utf8_lossy(&trace), &root, case.calls_once)
                .into_bytes(),
        })
    }

    /// `PREFIX chroot ROOT /bin/sh -c SCRIPT`, by way of a user namespace when
    /// the tester isn't root.
    fn shell(&self, prefix: &[OsString], root: &Path, script: &str) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if !self.root {
            words.extend(["unshare", "-r"].map(OsString::from));
        }
        words.extend_from_slice(prefix);
        words.extend(["chroot".into(), root.into()]);
        words.extend(["/bin/sh", "-c", script].map(OsString::from));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env_clear()
            .env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin");
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn output(&self, mut command: Command) -> Result<Output, String> {
        command.output().map_err(|e| format!("strace: {e}"))
    }

    /// The tester's own release differs from machine to machine.
    fn steady(&self, text: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(text) {
            Ok(text) => text.replace(&self.release, "@RELEASE@").into_bytes(),
            Err(_) => text.to_vec(),
        }
    }
}

impl Program {
    /// Copies a binary and its libraries below `top`, so that each root can
    /// take them by hard link.
    fn load(path: &Path, place: &str, top: &Path) -> Result<Self, String> {
        let store = top.join(path.to_string_lossy().replace('/', "_"));
        let mut wanted = vec![(PathBuf::from(place), path.to_path_buf())];
        let listed = Command::new("ldd").arg(path).output().map_err(|e| format!("ldd: {e}"))?;
        // A static binary makes ldd fail, and needs nothing more.
        if listed.status.success() {
            for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
                if let Some(inside) = word.strip_prefix('/') {
                    wanted.push((PathBuf::from(inside), PathBuf::from(word)));
                }
            }
        }
        let mut files = Vec::new();
        for (place, from) in wanted {
            let to = store.join(&place);
            let copied =
                to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(&from, &to));
            copied.map_err(|e| format!("{}: {e}", from.display()))?;
            files.push((place, to));
        }
        Ok(Self { files })
    }

    fn place(&self, root: &Path) -> io::Result<()> {
        for (place, from) in &self.files {
            let to = root.join(place);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            if !to.exists() {
                fs::hard_link(from, to)?;
            }
        }
        Ok(())
    }
}

/// A directory in memory if programs may run there, as each run makes and
/// removes a hundred files; `TMPDIR` decides otherwise.
fn workplace(shell: &Path) -> Result<tempfile::TempDir, String> {
    let builder = || tempfile::Builder::new().prefix("nanomod-cases").to_owned();
    if std::env::var_os("TMPDIR").is_none() {
        if let Ok(top) = builder().tempdir_in("/dev/shm") {
            let copy = top.path().join("busybox");
            let ran = fs::copy(shell, &copy).and_then(|_| Command::new(&copy).arg("true").status());
            if ran.is_ok_and(|status| status.success()) {
                return Ok(top);
            }
        }
    }
    builder().tempdir().map_err(|e| format!("no temporary directory: {e}"))
}

fn strace_filters() -> bool {
    let tried = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-qqq", "-e", "trace=finit_module", "true"])
        .output();
    tried.is_ok_and(|output| output.status.success() && output.stderr.is_empty())
}

/// The reference, in the version whose texts the cases hold.
fn reference() -> Result<PathBuf, String> {
    let hint = "(CASES_KMOD=none leaves the comparison out)";
    let path = found("kmod").ok_or_else(|| format!("kmod is needed as the reference {hint}"))?;
    let version = text_of(&path.to_string_lossy(), &["--version"])?;
    if version.lines().next() == Some(KMOD_VERSION) {
        Ok(path)
    } else {
        Err(format!("{KMOD_VERSION} is the reference, here is {version} {hint}"))
    }
}

/// What `--version` says after its first line: `+XZ -ZSTD …`
fn features(nanomod: &Path) -> Result<BTreeMap<String, bool>, String> {
    let text = text_of(&nanomod.to_string_lossy(), &["--version"])?;
    let words = text.lines().skip(1).flat_map(str::split_whitespace);
    Ok(words
        .filter_map(|word| {
            let there = word.starts_with('+');
            Some((word.strip_prefix(['+', '-'])?.to_lowercase(), there))
        })
        .collect())
}

fn text_of(program: &str, args: &[&str]) -> Result<String, String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Each loaded module has a directory `holders`, mostly empty: git cannot hold
/// that.
fn make_holders(sys_module: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(sys_module) else {
        return Ok(());
    };
    for entry in entries {
        let module = entry?.path();
        if module.join("initstate").exists() {
            fs::create_dir_all(module.join("holders"))?;
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            // An overlay replaces what lies below.
            let _ = fs::remove_file(&target);
            match elf::compiled(&fs::read(entry.path())?) {
                Some(module) => fs::write(&target, module.map_err(io::Error::other)?)?,
                None => {
                    fs::copy(entry.path(), &target)?;
                }
            }
        }
    }
    Ok(())
}
