//! Why the kernel would not take a module, beyond its errno: from what it
//! logged, from the module's file, from the indexes and from `/sys`. What none
//! of these says is not told.

use std::path::Path;

use nix::errno::Errno;

use super::execute::{Failed, Reason};
use super::linux::{machine, release};
use super::load::Failure;
use crate::error::Error;
use crate::files;
use crate::format::compression::{Kind, LIMIT, decompress};
use crate::format::elf::ModuleElf;
use crate::format::signature::{hexadecimal, signature};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;

/// How many names of a kind are told.
const NAMES: usize = 12;

/// Adds to `error` all that is known about a module in `path` that the kernel
/// did not take, `words` being what it logged.
pub fn add(
    mut error: Error,
    path: &Path,
    failure: &Failure,
    words: &[String],
    modules: &ModuleDir,
) -> Error {
    let Some(errno) = failure.errno() else { return error };
    let image = read(path);
    let image = image.as_deref().unwrap_or_default();
    let clauses = match errno {
        Errno::ENOEXEC => vec![other_machine(image).or_else(|| other_kernel(image, words))],
        Errno::ENOENT => providers(words, modules),
        Errno::EINVAL => vec![parameters(image, words)],
        Errno::EPERM => vec![locked(), lockdown()],
        Errno::ENOKEY | Errno::EKEYREJECTED | Errno::EBADMSG | Errno::ENOPKG => {
            vec![Some(signed(image)), lockdown()]
        }
        _ => Vec::new(),
    };
    for clause in clauses.into_iter().flatten() {
        error = error.note(clause);
    }
    error.kernel(words)
}

/// The same for a step of a plan.
pub fn add_for_step(error: Error, failed: &Failed, modules: &ModuleDir) -> Error {
    match &failed.cause {
        Reason::Insert(path, failure) => add(error, path, failure, &failed.kernel, modules),
        _ => error.kernel(&failed.kernel),
    }
}

/// The name that the module in `path` has for the kernel, which need not be its
/// file's.
pub fn name(path: &Path) -> Option<ModuleName> {
    let image = read(path)?;
    Some(ModuleName::new(ModuleElf::parse(&image).ok()?.value(b"name")?))
}

/// The uncompressed content of a module's file.
fn read(path: &Path) -> Option<Vec<u8>> {
    let content = files::read(path).ok()?;
    match Kind::of(&content) {
        Kind::Plain => Some(content),
        kind => {
            let mut image = Vec::new();
            decompress(kind, &content, LIMIT, &mut image).ok()?;
            Some(image)
        }
    }
}

fn other_machine(image: &[u8]) -> Option<String> {
    let module = match ModuleElf::parse(image) {
        Ok(module) => module,
        Err(what) => return Some(format!("file: {what}")),
    };
    let machine = machine().ok()?;
    let is_for = module.is_for(&machine)?;
    (!is_for).then(|| format!("file: for {}, not for {machine}", module.machine()))
}

/// Another release, or the versions of symbols that the kernel complained of.
fn other_kernel(image: &[u8], words: &[String]) -> Option<String> {
    let module = ModuleElf::parse(image).ok()?;
    let disagreeing = named(words, "disagrees about version of symbol ");
    let imports = module.imports().unwrap_or_default();
    let versions = disagreeing.iter().filter_map(|symbol| {
        let (_, crc) = imports.iter().find(|(name, _)| *name == symbol.as_bytes())?;
        Some(format!("{symbol} 0x{crc:08x}"))
    });
    let versions: Vec<String> = versions.collect();
    if !versions.is_empty() {
        return Some(format!("file: built against {}", some(&versions)));
    }
    let vermagic = String::from_utf8_lossy(module.value(b"vermagic")?).into_owned();
    let release = String::from_utf8(release().ok()?).ok()?;
    let built_for = vermagic.split(' ').next().unwrap_or_default();
    (built_for != release).then(|| format!("file: for kernel {built_for}, not for {release}"))
}

/// Which modules of the tree have the symbols that the kernel does not know.
fn providers(words: &[String], modules: &ModuleDir) -> Vec<Option<String>> {
    let mut providers: Vec<(String, Vec<String>)> = Vec::new();
    for symbol in named(words, "Unknown symbol ") {
        let exporting = modules.exporting(format!("symbol:{symbol}").as_bytes());
        let module = exporting.first().map(|module| module.to_string()).unwrap_or_default();
        match providers.iter_mut().find(|(name, _)| *name == module) {
            Some((_, symbols)) => symbols.push(symbol),
            None => providers.push((module, vec![symbol])),
        }
    }
    let tell = |(module, symbols): &(String, Vec<String>)| match module.as_str() {
        "" => Some(format!("no module of {} has {}", modules.path().display(), some(symbols))),
        module => Some(format!("module '{module}' has {}", some(symbols))),
    };
    providers.iter().map(tell).collect()
}

/// The parameters that the module has, where one of them was wrong.
fn parameters(image: &[u8], words: &[String]) -> Option<String> {
    if !words.iter().any(|word| word.contains("for parameter `")) {
        return None;
    }
    let module = ModuleElf::parse(image).ok()?;
    let types = module.modinfo().filter(|(key, _)| *key == b"parmtype");
    let parameters = types.filter_map(|(_, value)| {
        let value = String::from_utf8_lossy(value);
        let (name, kind) = value.split_once(':')?;
        Some(format!("{name} ({kind})"))
    });
    Some(format!("parameters: {}", some(&parameters.collect::<Vec<_>>())))
}

fn signed(image: &[u8]) -> String {
    match signature(image) {
        None => "file: not signed".to_owned(),
        Some(None) => "file: signed, but not readably by whom".to_owned(),
        Some(Some(by)) => format!("file: signed by '{}', key {}", by.signer, hexadecimal(by.key)),
    }
}

/// Whether the kernel takes no more modules at all.
fn locked() -> Option<String> {
    let disabled = files::read(Path::new("/proc/sys/kernel/modules_disabled")).ok()?;
    disabled.starts_with(b"1").then(|| "kernel.modules_disabled is set".to_owned())
}

fn lockdown() -> Option<String> {
    let modes = files::read(Path::new("/sys/kernel/security/lockdown")).ok()?;
    let modes = String::from_utf8_lossy(&modes).into_owned();
    let (_, mode) = modes.split_once('[')?;
    let (mode, _) = mode.split_once(']')?;
    (mode != "none").then(|| format!("lockdown: {mode}"))
}

/// The names that stand behind `text` in the kernel's words.
fn named(words: &[String], text: &str) -> Vec<String> {
    let name = |word: &String| {
        let (_, rest) = word.split_once(text)?;
        Some(rest.split(' ').next()?.to_owned())
    };
    words.iter().filter_map(name).collect()
}

fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_kernels_words() {
        let words = [
            "vfat: Unknown symbol fat_detach (err -2)",
            "vfat: Unknown symbol fat_attach (err -2)",
            "vfat: disagrees about version of symbol module_layout",
        ]
        .map(str::to_owned);
        assert_eq!(named(&words, "Unknown symbol "), ["fat_detach", "fat_attach"]);
        assert_eq!(named(&words, "disagrees about version of symbol "), ["module_layout"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..14).map(|n| n.to_string()).collect();
        assert!(some(&names).ends_with("10, 11 and 2 more"));
        assert_eq!(some(&names[..2]), "0, 1");
    }
}
