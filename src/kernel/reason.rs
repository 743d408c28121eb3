//! What a module's own file says about why the kernel would not take it.
//!
//! Only where the errno leaves it open: ENOEXEC is a file that is no module, or
//! a module for another machine or another kernel.

use std::path::Path;

use nix::errno::Errno;

use super::linux::release;
use super::load::Failure;
use crate::files;
use crate::format::compression::{Kind, LIMIT, decompress};
use crate::format::elf::ModuleElf;

/// A clause about the file `path`, if it explains `failure`.
pub fn from_file(path: &Path, failure: &Failure) -> Option<String> {
    if failure.errno() != Some(Errno::ENOEXEC) {
        return None;
    }
    let content = files::read(path).ok()?;
    let mut image = Vec::new();
    decompress(Kind::of(&content), &content, LIMIT, &mut image).ok()?;
    let module = match ModuleElf::parse(&image) {
        Ok(module) => module,
        Err(what) => return Some(format!("file: {what}")),
    };
    let own = files::read(Path::new("/proc/self/exe")).ok();
    if let Some(own) = own.as_deref().and_then(|own| ModuleElf::parse(own).ok()) {
        if (module.machine, module.is_64) != (own.machine, own.is_64) {
            return Some(format!("file: for {}, not for {}", module.machine(), own.machine()));
        }
    }
    let vermagic = String::from_utf8_lossy(module.value(b"vermagic")?).into_owned();
    let release = String::from_utf8(release().ok()?).ok()?;
    let built_for = vermagic.split(' ').next().unwrap_or_default();
    (built_for != release).then(|| format!("file: for kernel {built_for}, not for {release}"))
}
