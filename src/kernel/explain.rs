//! Failures in kmod's words, and behind them what kmod does not say.

use nix::errno::Errno;

use super::execute::{CommandFailure, Failed, Reason};
use super::firmware::Firmware;
use super::load::Failure;
use super::reason;
use crate::error::{Cause, Error};
use crate::moddir::ModuleDir;
use crate::name::ModuleName;

/// That `name` was not inserted.
pub fn could_not_insert(name: &ModuleName, cause: impl Into<Cause>) -> Error {
    Error::new(format!("could not insert '{name}'"), cause)
}

/// That no module of `modules` is called `name`.
pub fn not_found(name: &[u8], modules: &ModuleDir) -> Error {
    let (name, directory) = (String::from_utf8_lossy(name), modules.path().to_string_lossy());
    Error::said(format!("Module {name} not found in directory {directory}"))
}

/// That `target` was not inserted, as `module`, it or a dependency, is denied at `place`.
pub fn denied(target: &ModuleName, module: &ModuleName, place: &str) -> Error {
    let error = could_not_insert(target, format!("denied by {place}"));
    match module == target {
        true => error,
        false => error.note(format!("dependency '{module}'")),
    }
}

/// Why `target` could not be inserted or removed: which of the modules that it
/// needs it was, and all that is known about that.
pub fn failed(
    target: &ModuleName,
    failed: &Failed,
    first_time: bool,
    modules: &ModuleDir,
) -> Error {
    let cause = cause(failed, first_time);
    let error = match &failed.cause {
        Reason::Remove(_) => Error::new(format!("could not remove '{}'", failed.module), cause),
        _ => could_not_insert(target, cause),
    };
    let is_dependency = failed.module != *target && !matches!(failed.cause, Reason::Remove(_));
    let error = match is_dependency {
        true => error.note(format!("dependency '{}'", failed.module)),
        false => error,
    };
    let error = match &failed.cause {
        Reason::Insert(path, Failure::File(_)) => {
            error.note(format!("file: {}", path.to_string_lossy()))
        }
        _ => error,
    };
    reason::add_for_step(error, failed, modules)
}

/// That it is not known which firmware of a module the kernel will not find.
pub fn unknown_firmware(module: &ModuleName, firmware: &Firmware) -> Option<Error> {
    let doing = format!("could not look for the firmware of '{module}'");
    firmware.unknown.clone().map(|cause| Error::new(doing, cause))
}

/// That a module is in whose firmware the kernel will not find.
pub fn no_firmware(module: &ModuleName, firmware: &Firmware) -> Option<Error> {
    if let Some(error) = unknown_firmware(module, firmware) {
        return Some(error);
    }
    let names = reason::some(&firmware.missing);
    let message = format!("'{module}' is in, but firmware of it is not to be found: {names}");
    (!firmware.missing.is_empty()).then(|| Error::said(message))
}

/// What went wrong with an `install` command, said before the failure.
pub fn install_command(failed: &Failed) -> Option<Error> {
    let Reason::Command(CommandFailure { install: true, command, outcome }) = &failed.cause else {
        return None;
    };
    let (command, module) = (String::from_utf8_lossy(command), &failed.module);
    let doing = format!("Error running install command '{command}' for module {module}");
    Some(Error::new(doing, outcome.as_str()))
}

/// What went wrong with a `remove` command.
pub fn remove_command(failed: &Failed) -> Option<Error> {
    let Reason::Command(CommandFailure { install: false, outcome, .. }) = &failed.cause else {
        return None;
    };
    let doing = format!("Error running remove command for {}", failed.module);
    Some(Error::said(doing).note(outcome.as_str()))
}

/// The cause in kmod's words, but for those that the kernel's own show to be wrong.
pub fn cause(failed: &Failed, first_time: bool) -> Cause {
    match &failed.cause {
        Reason::Insert(_, Failure::Kernel(Errno::EEXIST)) if first_time => {
            "Module already in kernel".into()
        }
        Reason::Insert(_, Failure::Kernel(Errno::ENOENT))
            if reason::may_mean(&failed.kernel, reason::SYMBOL)
                || reason::may_mean(&failed.kernel, reason::PARAMETER) =>
        {
            "Unknown symbol in module, or unknown parameter (see dmesg)".into()
        }
        Reason::Insert(_, failure) => failure.into(),
        Reason::Remove(Errno::ENOSYS) => "Module unloading is not supported".into(),
        Reason::Remove(errno) => (*errno).into(),
        Reason::Missing => "no file for it in modules.dep".into(),
        Reason::Command(_) => Errno::EINVAL.into(),
    }
}
