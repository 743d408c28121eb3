//! A case: a directory below `tests/cases`, read whole.
//!
//! Only files say what a case is; `tests/cases/README.md` names them all, and
//! an unknown file is a mistake that is reported (a misspelt `sdtout` would
//! otherwise mean "expect nothing").

use std::fs;
use std::path::{Path, PathBuf};

/// Where nanomod and kmod stand to each other in a case.
pub enum Kmod {
    Same,
    Differs(String),
    Skip(String),
}

pub struct Case {
    pub name: String,
    pub dir: PathBuf,
    /// Shell lines, run inside the fake root.
    pub cmd: String,
    /// Shell lines run there before, for what git cannot hold.
    pub setup: Option<String>,
    pub kmod: Kmod,
    /// strace injections: what the pretended kernel answers.
    pub inject: Vec<String>,
    /// Without the `.bin` indexes, as busybox's depmod leaves a tree.
    pub text_only: bool,
    /// Without the common tree below `tests/support/tree`.
    pub bare: bool,
    /// With `/lib/modules/$(uname -r)`, so that no `-S` is needed.
    pub uname: bool,
    /// A call that is tried again counts once.
    pub calls_once: bool,
    /// The features that nanomod can't do it without: the applets that `cmd` names, and
    /// what the file `needs` does.
    pub needs: Vec<String>,
    unknown: Vec<String>,
}

/// What a case may hold besides `root/`; with `.kmod` behind it, an
/// expectation that only kmod meets.
const FILES: [&str; 10] =
    ["cmd", "setup", "kmod", "inject", "text-only", "bare", "uname", "calls-once", "needs", "root"];
const EXPECTED: [&str; 6] = ["stdout", "stdout.json", "stderr", "stderr.match", "status", "calls"];

/// A word of `cmd` that is one of these needs the feature of that name.
const APPLETS: [&str; 11] = [
    "coldplug",
    "cost",
    "depmod",
    "insmod",
    "install",
    "lsmod",
    "modinfo",
    "modprobe",
    "rmmod",
    "static-nodes",
    "timeline",
];

/// Everything succeeds unless the case says otherwise: no case may reach the
/// real kernel, which on the tester's machine might well remove a module.
const KERNEL_SAYS_YES: [&str; 3] =
    ["finit_module:retval=0", "init_module:retval=0", "delete_module:retval=0"];

impl Case {
    pub fn read_all() -> Result<Vec<Self>, String> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        let mut cases = Vec::new();
        for entry in fs::read_dir(&top).map_err(|e| format!("{}: {e}", top.display()))? {
            let dir = entry.map_err(|e| e.to_string())?.path();
            if dir.is_dir() {
                cases.push(Self::read(dir)?);
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }

    fn read(dir: PathBuf) -> Result<Self, String> {
        let name =
            dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = |file: &str| fs::read_to_string(dir.join(file)).ok();
        let kmod = match text("kmod").as_deref().map(str::trim) {
            None => Kmod::Same,
            Some(line) => match line.split_once(char::is_whitespace) {
                Some(("differs", reason)) => Kmod::Differs(reason.trim().to_owned()),
                Some(("skip", reason)) => Kmod::Skip(reason.trim().to_owned()),
                _ => return Err(format!("{name}/kmod: `differs REASON` or `skip REASON`")),
            },
        };
        // What the case says comes first; the rest of the three stays "yes".
        let mut inject: Vec<String> =
            text("inject").unwrap_or_default().lines().map(str::to_owned).collect();
        for default in KERNEL_SAYS_YES {
            let call = default.split(':').next().unwrap_or_default();
            if !inject.iter().any(|line| line.split(':').next() == Some(call)) {
                inject.push(default.to_owned());
            }
        }
        let unknown = fs::read_dir(&dir)
            .map_err(|e| format!("{name}: {e}"))?
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter(|file| {
                let plain = file.strip_suffix(".kmod").unwrap_or(file);
                !FILES.contains(&file.as_str()) && !EXPECTED.contains(&plain)
            })
            .collect();
        let cmd = text("cmd").ok_or_else(|| format!("{name}: no file cmd"))?;
        let mut needs = applets_in(&cmd);
        needs.extend(text("needs").unwrap_or_default().split_whitespace().map(str::to_owned));
        Ok(Self {
            cmd,
            needs,
            setup: text("setup"),
            kmod,
            inject,
            text_only: dir.join("text-only").exists(),
            bare: dir.join("bare").exists(),
            uname: dir.join("uname").exists(),
            calls_once: dir.join("calls-once").exists(),
            unknown,
            name,
            dir,
        })
    }

    /// Whether the case contradicts itself.
    pub fn problem(&self) -> Option<String> {
        if !self.unknown.is_empty() {
            return Some(format!("unknown files: {}", self.unknown.join(" ")));
        }
        if self.needs.iter().any(|feature| feature == "clap") {
            return Some("needs clap, but every command line is the same without it".to_owned());
        }
        let pinned = EXPECTED.iter().any(|file| self.dir.join(format!("{file}.kmod")).exists());
        match &self.kmod {
            Kmod::Differs(_) if !pinned => Some("differs, but no *.kmod file says how".to_owned()),
            Kmod::Same | Kmod::Skip(_) if pinned => {
                Some("has *.kmod files, but its kmod file doesn't say `differs`".to_owned())
            }
            _ => None,
        }
    }
}

/// The applets among the words of a script, with a path before them or without.
fn applets_in(script: &str) -> Vec<String> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let words = script.split(|c| !is_of_word(c));
    let names = words.map(|word| word.rsplit('/').next().unwrap_or(word));
    names.filter(|name| APPLETS.contains(name)).map(str::to_owned).collect()
}
