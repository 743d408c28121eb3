//! What only looks: `-c`, `-R`, `--show-modversions`, `--show-exports`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::JSON;
use super::request::Request;
use crate::applets::wants_json;
use crate::cli::{Args, Opt};
use crate::collect::Collect;
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::elf::ModuleElf;
use crate::format::json::Json;
use crate::name::ModuleName;
use crate::output::print;
use crate::resolve::resolve;

pub static SHOW_ALIAS: Opt =
    Opt::switch('R', "show-alias", "Print the modules that NAME stands for")
        .also(&["resolve-alias"]);
pub static SHOW_CONFIG: Opt =
    Opt::switch('c', "show-config", "Print the configuration and all aliases")
        .also(&["showconfig"]);
pub static SHOW_MODVERSIONS: Opt =
    Opt::long("show-modversions", "Print the symbols that a module imports")
        .also(&["dump-modversions"]);
pub static SHOW_EXPORTS: Opt = Opt::long("show-exports", "Print the symbols that a module exports");
/// Whether what is asked for takes no name.
pub fn needs_no_name(args: &Args) -> bool {
    args.has(&SHOW_CONFIG)
}

/// Whether what is asked for can be had as JSON.
pub fn has_json(args: &Args) -> bool {
    args.has(&SHOW_ALIAS) || args.has(&SHOW_CONFIG)
}

impl Request<'_> {
    /// Looks, if that is what is asked for.
    pub fn look(&self) -> Option<Status> {
        let args = self.args;
        if args.has(&SHOW_CONFIG) {
            Some(self.show_config())
        } else if args.has(&SHOW_MODVERSIONS) {
            Some(self.show_versions(false))
        } else if args.has(&SHOW_EXPORTS) {
            Some(self.show_versions(true))
        } else {
            args.has(&SHOW_ALIAS).then(|| self.show_alias())
        }
    }

    /// The merged configuration, then the indexes of aliases and symbols.
    fn show_config(&self) -> Status {
        let config = self.sources.config;
        if wants_json(self.args, &JSON) {
            return print(self.log, config.json().document().as_bytes());
        }
        let mut text = config.text();
        text.extend_from_slice(b"\n# End of configuration files. Dumping indexes now:\n\n");
        text.extend_from_slice(&self.sources.modules.alias_lines());
        print(self.log, &text)
    }

    /// The modules that each name stands for.
    fn show_alias(&self) -> Status {
        let mut status = Status::Success;
        let mut found = Vec::new();
        for operand in self.names() {
            let targets = resolve(self.sources, operand.as_bytes());
            if targets.is_empty() {
                status = status.merge(self.not_found(operand));
            }
            for target in targets {
                if !wants_json(self.args, &JSON) {
                    status = status.merge(print(self.log, &line(&target.name)));
                }
                found.push(target.name);
            }
        }
        if wants_json(self.args, &JSON) {
            let names = Json::texts(found.iter().map(ModuleName::as_bytes)).document();
            status = status.merge(print(self.log, names.as_bytes()));
        }
        status
    }

    /// The symbols that a module imports or exports, with their versions.
    fn show_versions(&self, exports: bool) -> Status {
        let Some(operand) = self.args.operands.first() else { return Status::Failure };
        let Some(path) = self.file(operand) else {
            let name = operand.to_string_lossy();
            return self.log.fatal(format_args!("Module {name} not found."));
        };
        let what = if exports { "symbols" } else { "modversions" };
        let failed = |cause: Cause| {
            let doing = format!("could not get {what} of {}", operand.to_string_lossy());
            self.log.fatal(Error::new(doing, cause))
        };
        let image = match files::read_module(&path) {
            Ok(image) => image,
            Err(cause) => return failed(cause),
        };
        let module = match ModuleElf::parse(&image) {
            Ok(module) => module,
            Err(what) => return failed(what.into()),
        };
        let (versions, none): (Vec<_>, _) = match exports {
            true => (module.exports().vec(), "it exports no symbols"),
            false => (module.imports().vec(), "it has no versions of symbols"),
        };
        if versions.is_empty() {
            return failed(none.into());
        }
        let mut text = Vec::new();
        for (name, crc) in versions {
            text.extend_from_slice(format!("0x{crc:08x}\t").as_bytes());
            text.extend_from_slice(name);
            text.push(b'\n');
        }
        print(self.log, &text)
    }

    /// The file that an operand means: itself, or that of the module it names.
    fn file(&self, operand: &OsStr) -> Option<PathBuf> {
        let path = PathBuf::from(operand);
        if path.is_file() {
            return Some(path);
        }
        let targets = resolve(self.sources, operand.as_bytes());
        targets.iter().find_map(|target| self.sources.modules.module_file(&target.name))
    }
}

fn line(name: &ModuleName) -> Vec<u8> {
    [name.as_bytes(), b"\n"].concat()
}
