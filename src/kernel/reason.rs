//! Why the kernel would not take a module, beyond its errno: from what it
//! logged, from the module's file, from the indexes and from `/sys`. What none
//! of these says is not told.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::execute::{Failed, Reason};
use super::linux::{machine, release};
use super::load::Failure;
use crate::collect::Collect;
use crate::config::Config;
use crate::error::{Cause, Error};
use crate::files;
use crate::format::elf::ModuleElf;
use crate::format::signature::{hexadecimal, signature};
use crate::format::text::{behind, lines, number, put};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;
use crate::root::Root;
use crate::state::{Phase, State};

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
    let Some(errno) = failure.errno() else { return error.kernel(words) };
    let clauses = match errno {
        Errno::ENOENT => providers(words, modules),
        Errno::ENOEXEC => from_image(path, &[other_machine, versions, other_kernel], words),
        Errno::EPERM => {
            let mode = lockdown();
            let by = if mode.is_some() { from_image(path, &[signed], words) } else { Vec::new() };
            let by = by.into_iter().chain(mode).chain(incapable());
            by.chain(locked()).chain(refused(path)).vec()
        }
        Errno::ENOKEY | Errno::EKEYREJECTED | Errno::EBADMSG | Errno::ENOPKG => {
            let mut clauses = from_image(path, &[signed], words);
            clauses.extend(lockdown());
            clauses
        }
        _ if says(words, VALUE) => from_image(path, &[parameters], words),
        _ if says(words, VERSION) => from_image(path, &[versions], words),
        _ => Vec::new(),
    };
    for clause in clauses {
        error = error.note(clause);
    }
    error.kernel(words)
}

/// What the kernel says of a parameter's value.
pub const VALUE: &[u8] = b"for parameter `";
/// What it says of a parameter that is not there.
pub const PARAMETER: &[u8] = b"nknown parameter";
/// What it says of a symbol that nothing has.
pub const SYMBOL: &[u8] = b"Unknown symbol ";
/// What it says of a symbol that was built against something else.
pub const VERSION: &[u8] = b"disagrees about version of symbol ";

/// The same for a step of a plan.
pub fn add_for_step(error: Error, failed: &Failed, modules: &ModuleDir) -> Error {
    match &failed.cause {
        Reason::Insert(path, failure) => add(error, path, failure, &failed.kernel, modules),
        _ => error.kernel(&failed.kernel),
    }
}

fn says(words: &[String], text: &[u8]) -> bool {
    words.iter().any(|line| behind(line.as_bytes(), text).is_some())
}

/// Whether the kernel may have meant `text`: it said so, or nothing.
pub fn may_mean(words: &[String], text: &[u8]) -> bool {
    words.is_empty() || says(words, text)
}

/// The name that the module in `path` has for the kernel, which need not be its
/// file's; none where it says nothing of it, an error where nobody here can read it.
pub fn name(path: &Path) -> Result<Option<ModuleName>, Cause> {
    let image = files::read_module(path)?;
    Ok(ModuleElf::parse(&image)
        .ok()
        .and_then(|module| Some(ModuleName::new(module.value(b"name")?))))
}

/// What is decompressed once more for words about it, at most. Larger modules have symbols for
/// debuggers in them.
const EXPLAINED: u64 = 64 << 20;

/// Something to say about a module's content.
type Clause = fn(&[u8], &[String]) -> Option<String>;

/// The first of `clauses` that has something to say about the module in `path`.
fn from_image(path: &Path, clauses: &[Clause], words: &[String]) -> Vec<String> {
    let limit = files::module_limit().min(EXPLAINED);
    let Ok(image) = files::read_module_up_to(path, limit) else { return Vec::new() };
    clauses.iter().find_map(|clause| clause(&image, words)).into_iter().vec()
}

fn other_machine(image: &[u8], _: &[String]) -> Option<String> {
    let module = match ModuleElf::parse(image) {
        Ok(module) => module,
        Err(what) => return Some(format!("file: {what}")),
    };
    let machine = machine().ok()?;
    let is_for = module.is_for(&machine)?;
    (!is_for).then(|| format!("file: for {}, not for {machine}", module.machine()))
}

/// The versions of symbols that the kernel complained of: the file's, and the
/// kernel's as far as a module that is loaded has it, too.
fn versions(image: &[u8], words: &[String]) -> Option<String> {
    let module = ModuleElf::parse(image).ok()?;
    let imports: Vec<_> = module.imports().vec();
    let disagreeing = named(words, VERSION);
    let version = |symbol: &String| {
        let (_, crc) = imports.iter().find(|(name, _)| *name == symbol.as_bytes())?;
        let kernel = loaded_version(symbol.as_bytes());
        let kernel = kernel.map(|(by, crc)| format!(" (0x{crc:08x} in '{by}', which is loaded)"));
        Some(format!("{symbol} 0x{crc:08x}{}", kernel.unwrap_or_default()))
    };
    let versions: Vec<String> = disagreeing.iter().filter_map(version).vec();
    (!versions.is_empty()).then(|| format!("file: built against {}", some(&versions)))
}

/// The version of `symbol` that a loaded module was built against: the kernel's.
fn loaded_version(symbol: &[u8]) -> Option<(ModuleName, u32)> {
    let system = Root::system();
    let modules = ModuleDir::new(&system, &release().ok()?);
    let state = State::read(&system);
    let loaded = state.modules()?.iter().filter(|module| module.phase == Phase::Live);
    loaded.take(LOADED).find_map(|module| {
        let image = files::read_module(&modules.module_file(&module.name)?).ok()?;
        let (_, crc) =
            ModuleElf::parse(&image).ok()?.imports().find(|(name, _)| *name == symbol)?;
        Some((module.name.clone(), crc))
    })
}

/// How many loaded modules are asked for a symbol's version.
const LOADED: usize = 32;

/// Another release than the kernel's, if that may be what it minds.
fn other_kernel(image: &[u8], words: &[String]) -> Option<String> {
    if !may_mean(words, b"version magic") {
        return None;
    }
    let module = ModuleElf::parse(image).ok()?;
    let release = release().ok()?;
    let built_for = module.value(b"vermagic")?.split(|&c| c == b' ').next()?;
    let text = String::from_utf8_lossy;
    (built_for != release)
        .then(|| format!("file: for kernel {}, not for {}", text(built_for), text(&release)))
}

/// Which modules of the tree have the symbols that the kernel does not know.
fn providers(words: &[String], modules: &ModuleDir) -> Vec<String> {
    let mut providers: Vec<(String, Vec<String>)> = Vec::new();
    for symbol in named(words, SYMBOL) {
        let exporting = modules.exporting(format!("symbol:{symbol}").as_bytes());
        let module = exporting.first().map(|module| module.to_string()).unwrap_or_default();
        match providers.iter_mut().find(|(name, _)| *name == module) {
            Some((_, symbols)) => symbols.push(symbol),
            None => providers.push((module, vec![symbol])),
        }
    }
    let tell = |(module, symbols): &(String, Vec<String>)| match module.as_str() {
        // Without the index nobody knows.
        "" if !modules.has_symbols() => None,
        "" => {
            Some(format!("no module of {} has {}", modules.path().to_string_lossy(), some(symbols)))
        }
        module => Some(format!("module '{module}' has {}", some(symbols))),
    };
    providers.iter().filter_map(tell).vec()
}

/// The parameters that the module has.
fn parameters(image: &[u8], _: &[String]) -> Option<String> {
    let module = ModuleElf::parse(image).ok()?;
    let types = module.modinfo().filter(|(key, _)| *key == b"parmtype");
    let parameters = types.filter_map(|(_, value)| {
        let value = String::from_utf8_lossy(value);
        let (name, kind) = value.split_once(':')?;
        Some(format!("{name} ({kind})"))
    });
    Some(format!("parameters: {}", some(&parameters.vec())))
}

fn signed(image: &[u8], _: &[String]) -> Option<String> {
    let Some(signature) = signature(image) else { return Some("file: not signed".to_owned()) };
    let mut text = Vec::from(*b"file: signed");
    for (at, signer) in signature.signers.iter().enumerate() {
        put(&mut text, if at > 0 { &[b" and"] } else { &[] });
        if !signer.name.is_empty() {
            put(&mut text, &[b" by '", signer.name.as_bytes(), b"',"]);
        }
        put(&mut text, &[b" key "]);
        hexadecimal(signer.key, &mut text);
    }
    if signature.signers.is_empty() {
        put(&mut text, &[b", but not readably by whom"]);
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Whether the kernel was told to refuse the module in `path`.
fn refused(path: &Path) -> Option<String> {
    let name = ModuleName::from_path(path.as_os_str().as_bytes());
    let is_refused = Config::of_command_line(&Root::system()).is_refused_by_kernel(&name);
    is_refused.then(|| "module_blacklist= on the kernel command line".to_owned())
}

/// Whether the kernel takes no more modules at all.
fn locked() -> Option<String> {
    let disabled = files::read(Path::new("/proc/sys/kernel/modules_disabled")).ok()?;
    disabled.starts_with(b"1").then(|| "kernel.modules_disabled is set".to_owned())
}

/// `CAP_SYS_MODULE` (`linux/capability.h`).
const SYS_MODULE: u32 = 16;

/// Whether this process may not insert modules, as in a container.
fn incapable() -> Option<String> {
    let status = files::read(Path::new("/proc/self/status")).ok()?;
    let set = lines(&status).find_map(|line| line.strip_prefix(b"CapEff:"))?;
    let set = number(set.trim_ascii(), 16)?;
    (set >> SYS_MODULE & 1 == 0).then(|| "CAP_SYS_MODULE is missing".to_owned())
}

fn lockdown() -> Option<String> {
    let modes = files::read(Path::new("/sys/kernel/security/lockdown")).ok()?;
    let modes = String::from_utf8_lossy(&modes).into_owned();
    let (_, mode) = modes.split_once('[')?;
    let (mode, _) = mode.split_once(']')?;
    (mode != "none").then(|| format!("lockdown: {mode}"))
}

/// The names that stand behind `text` in the kernel's words.
fn named(words: &[String], text: &[u8]) -> Vec<String> {
    let name = |word: &String| {
        let rest = behind(word.as_bytes(), text)?;
        Some(String::from_utf8_lossy(rest.split(|&c| c == b' ').next()?).into_owned())
    };
    words.iter().filter_map(name).vec()
}

/// The first of `names`, and how many more there are.
pub fn some(names: &[String]) -> String {
    let shown = names.get(..NAMES).unwrap_or(names).join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
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
        assert_eq!(named(&words, b"Unknown symbol "), ["fat_detach", "fat_attach"]);
        assert_eq!(named(&words, b"disagrees about version of symbol "), ["module_layout"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..14).map(|n| n.to_string()).collect();
        assert!(some(&names).ends_with("10, 11 and 2 more"));
        assert_eq!(some(&names[..2]), "0, 1");
    }
}
