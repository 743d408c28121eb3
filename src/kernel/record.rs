//! What a run leaves behind for `--trace`: each module's way, and what it takes.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::{SysconfVar, sysconf};

use super::explain;
use super::queue::Report;
use crate::collect::Collect;
use crate::error::{Cause, Error, errno, is_gone};
use crate::files;
use crate::format::compression::Kind;
use crate::format::elf::ModuleElf;
use crate::format::elf::footprint::Footprint;
use crate::format::parts::Parts;
use crate::format::text;
use crate::format::trace::{INSERTED, Module, THERE, Trace};
use crate::moddir::ModuleDir;
use crate::plan::Action;
use crate::plan::graph::Graph;
use crate::root::Root;

/// A page, where the kernel does not say.
const PAGE: u64 = 4096;

/// Keeps what workers report of modules.
#[derive(Default)]
pub struct Record {
    modules: Vec<Module>,
}

impl Record {
    /// Keeps a step of `plan` that is over.
    pub fn keep(&mut self, plan: &Graph, report: &Report) {
        let outcome = &report.outcome;
        let path = match &report.step.action {
            Action::Insert { path, .. } => path.as_os_str().as_bytes().to_vec(),
            Action::Builtin => return,
            _ => Vec::new(),
        };
        let (result, how) = match &outcome.result {
            Ok(Some(route)) => (INSERTED.to_owned(), route.to_string()),
            Ok(None) if path.is_empty() => (INSERTED.to_owned(), String::new()),
            Ok(None) => (THERE.to_owned(), String::new()),
            Err(failed) => (explain::cause(failed, false).to_string(), String::new()),
        };
        let needs = plan.before(report.number).filter_map(|at| plan.nodes().get(at));
        let needs = needs.map(|node| node.step.module.clone()).vec();
        self.modules.push(Module {
            name: report.step.module.clone(),
            needs,
            path,
            worker: outcome.worker,
            ready: outcome.ready,
            phases: outcome.phases.clone(),
            result,
            how,
            file: 0,
            image: 0,
            core: 0,
            init: 0,
            wasted: 0,
        });
    }

    /// Writes the whole run of `command` to `file`, with modules of `modules` and `jobs`
    /// workers, which took `total` microseconds.
    pub fn save(
        mut self,
        file: &OsStr,
        command: &str,
        modules: &ModuleDir,
        jobs: usize,
        total: u64,
    ) -> Result<(), Error> {
        let (system, mut unknown) = (Root::system(), None);
        for module in &mut self.modules {
            if let Err(cause) = measure(&system, module) {
                // Of what failed, it was told why.
                if unknown.is_none() && !module.failed() {
                    let doing = format!("could not tell how large '{}' is", module.name);
                    unknown = Some(Error::new(doing, cause));
                }
            }
        }
        let trace = Trace {
            command: command.to_owned(),
            release: modules.path().file_name().unwrap_or_default().as_bytes().to_vec(),
            jobs,
            total,
            modules: self.modules,
        };
        let path = Path::new(file);
        files::save(path, trace.document().as_bytes()).map_err(|error| {
            Error::new(format!("could not write {}", path.to_string_lossy()), error)
        })?;
        unknown.map_or(Ok(()), Err)
    }
}

/// Finds out how large a module is: on disk, decompressed, and in the kernel. What is not there,
/// and what is no module, has no size; an error is what could not be read.
fn measure(system: &Root, module: &mut Module) -> Result<(), Cause> {
    let directory = system.join("/sys/module").join(OsStr::from_bytes(module.name.as_bytes()));
    let number = |file: &str| -> Result<Option<u64>, Cause> {
        let content = there(files::read(&directory.join(file)))?;
        Ok(content.and_then(|content| text::number(content.trim_ascii(), 10)))
    };
    module.core = number("coresize")?.unwrap_or(0);
    let path = Path::new(OsStr::from_bytes(&module.path));
    let Some(metadata) = there(fs::metadata(path))? else { return Ok(()) };
    module.file = metadata.len();
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|page| u64::try_from(page).ok()).unwrap_or(PAGE);
    let Some((image, footprint)) = outline(path, module.file, page)? else { return Ok(()) };
    module.image = image;
    // The kernel has given that back by now, and says 0.
    module.init = number("initsize")?.filter(|&size| size > 0).unwrap_or(footprint.init);
    module.wasted = match module.core.checked_rem(page) {
        Some(0) if module.core > 0 => footprint.wasted,
        // It has everything of a module in one piece.
        Some(rest) if rest > 0 => page - rest,
        _ => 0,
    };
    Ok(())
}

/// What was read, if it is there.
fn there<T>(read: io::Result<T>) -> Result<Option<T>, Cause> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if is_gone(errno(&error)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How long a module's image is, and what it takes of memory. Of a plain file little is
/// read for that.
fn outline(path: &Path, length: u64, page: u64) -> Result<Option<(u64, Footprint)>, Cause> {
    let file = files::open(path)?;
    if files::kind(&file)? == Kind::Plain {
        let mut buffer = Vec::new();
        let mut parts = Parts::new(file, length, &mut buffer);
        let footprint = ModuleElf::outline(&mut parts).ok().map(|elf| elf.footprint(page));
        return match parts.error() {
            Some(error) => Err(error.into()),
            None => Ok(footprint.map(|footprint| (length, footprint))),
        };
    }
    let image = files::read_module(path)?;
    let elf = ModuleElf::parse(&image).ok();
    Ok(elf.map(|elf| (image.len() as u64, elf.footprint(page))))
}
