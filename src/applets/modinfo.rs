//! `modinfo`: what a module says of itself, from its file's `.modinfo` section and
//! signature, or for a builtin from `modules.builtin.modinfo`.
//!
//! Fields are shown in the file's order, parameters at the end, each with its type.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::applets::{absolute, module_dir, wants_json};
use crate::cli::{Applet, Args, Opt};
use crate::collect::Collect;
use crate::config::Config;
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::elf::ModuleElf;
use crate::format::json::Json;
use crate::format::modinfo::{Field, fields, parameters};
use crate::format::text::replace;
use crate::moddir::{ModuleDir, stem};
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::resolve::{Sources, resolve};

static AUTHOR: Opt = Opt::switch('a', "author", "Print only 'author'");
static DESCRIPTION: Opt = Opt::switch('d', "description", "Print only 'description'");
static LICENSE: Opt = Opt::switch('l', "license", "Print only 'license'");
static PARAMETERS: Opt = Opt::switch('p', "parameters", "Print only the parameters");
static FILENAME: Opt = Opt::switch('n', "filename", "Print only 'filename'");
static FIELD: Opt = Opt::value('F', "field", "FIELD", "Print only this field");
static NULL: Opt = Opt::switch('0', "null", "End each line with a NUL");
static MODNAME: Opt = Opt::switch('m', "modname", "NAME is no alias and no file");
static SET_VERSION: Opt =
    Opt::value('k', "set-version", "RELEASE", "Use this release in place of 'uname -r'");
static BASEDIR: Opt = Opt::value('b', "basedir", "DIR", "Look for modules in DIR/lib/modules");
static JSON: Opt = Opt::long("json", "Print JSON");

/// The command.
pub static APPLET: Applet = Applet {
    name: "modinfo",
    about: "Print what modules say of themselves",
    operands: "NAME|FILE...",
    notes: "NAME is a module's name, an alias or a modalias.",
    options: &[
        &AUTHOR,
        &DESCRIPTION,
        &LICENSE,
        &PARAMETERS,
        &FILENAME,
        &FIELD,
        &NULL,
        &MODNAME,
        &SET_VERSION,
        &BASEDIR,
        #[cfg(feature = "json")]
        &JSON,
    ],
    environment: None,
    level: Level::Error,
    misuse: Status::Failure,
    run,
};

fn run(args: &Args, log: &Log) -> Status {
    if args.operands.is_empty() {
        return log.error("missing module or filename.");
    }
    let modules = match module_dir(args.value(&BASEDIR), args.value(&SET_VERSION)) {
        Ok(modules) => modules,
        Err(error) => return log.error(error),
    };
    // What modprobe is told to do with a name is not what there is to say of it.
    let config = Config::default();
    let printer = Printer::new(args, log);
    let sources = Sources { config: &config, modules: &modules };
    let mut status = Status::Success;
    let mut shown = Vec::new();
    for operand in &args.operands {
        match find(sources, operand, args.has(&MODNAME)) {
            Ok(found) => {
                for module in found {
                    status = status.merge(printer.show(&module, &modules, &mut shown));
                }
            }
            Err(error) => status = status.merge(log.error(error)),
        }
    }
    modules.take_warnings().iter().for_each(|warning| log.warning(warning));
    if wants_json(args, &JSON) {
        status = status.merge(print(log, Json::List(shown).document().as_bytes()));
    }
    status
}

/// A module, and its file unless it is builtin.
struct Found {
    name: ModuleName,
    path: Option<PathBuf>,
}

fn find(sources: Sources<'_>, operand: &OsStr, by_name: bool) -> Result<Vec<Found>, Error> {
    let bytes = operand.as_bytes();
    let shown = operand.to_string_lossy();
    let path = Path::new(operand);
    if !by_name && is_module_file(path) {
        let path = absolute(path)?;
        return Ok(vec![Found { name: ModuleName::from_path(bytes), path: Some(path) }]);
    }
    let found = |name: ModuleName| {
        let path = sources.modules.entry(&name).map(|entry| entry.path);
        Found { name, path }
    };
    if by_name {
        let name = ModuleName::new(bytes);
        let known = sources.modules.contains(&name) || sources.modules.is_builtin(&name);
        let unknown = || Error::said(format!("Module name {shown} not found."));
        return known.then(|| vec![found(name)]).ok_or_else(unknown);
    }
    if crate::name::fold_alias(bytes).is_none() {
        return Err(Error::said(format!("Module alias {shown} not found.")));
    }
    let targets = resolve(sources, bytes).into_iter().map(|target| found(target.name));
    let is_there =
        |module: &Found| module.path.is_some() || sources.modules.is_builtin(&module.name);
    let targets: Vec<Found> = targets.filter(is_there).vec();
    if targets.is_empty() {
        return Err(Error::said(format!("Module {shown} not found.")));
    }
    Ok(targets)
}

/// Whether `path` is a file that is called like a module.
fn is_module_file(path: &Path) -> bool {
    stem(path.as_os_str().as_bytes()).is_some() && path.is_file()
}

struct Printer<'a> {
    log: &'a Log,
    only: Option<Vec<u8>>,
    end: u8,
    json: bool,
}

impl<'a> Printer<'a> {
    fn new(args: &Args, log: &'a Log) -> Self {
        let fields: [(&Opt, &[u8]); 5] = [
            (&AUTHOR, b"author"),
            (&DESCRIPTION, b"description"),
            (&LICENSE, b"license"),
            (&PARAMETERS, b"parm"),
            (&FILENAME, b"filename"),
        ];
        let last = args.last(&[&AUTHOR, &DESCRIPTION, &LICENSE, &PARAMETERS, &FILENAME, &FIELD]);
        let only =
            last.map(|last| match fields.iter().find(|(option, _)| option.long == last.long) {
                Some((_, field)) => field.to_vec(),
                None => args.value(&FIELD).map_or(Vec::new(), |field| field.as_bytes().to_vec()),
            });
        let end = if args.has(&NULL) { 0 } else { b'\n' };
        Self { log, only, end, json: wants_json(args, &JSON) }
    }

    fn show(&self, module: &Found, modules: &ModuleDir, shown: &mut Vec<Json>) -> Status {
        // What is known without the file is shown even if that is damaged.
        let mut all = Vec::new();
        if module.path.is_none() {
            all.push(field("name", module.name.as_bytes()));
        }
        let path =
            module.path.as_ref().map_or(&b"(builtin)"[..], |path| path.as_os_str().as_bytes());
        all.push(field("filename", path));
        let own = all.len();
        let mut status = Status::Success;
        if self.only.as_deref() != Some(b"filename") {
            match read(module, modules) {
                Ok(fields) => all.extend(fields),
                Err(cause) => {
                    let doing = format!("could not get modinfo from '{}'", module.name);
                    status = self.log.error(Error::new(doing, cause));
                }
            }
        }
        if self.json {
            shown.push(self.object(&all));
            return status;
        }
        print(self.log, &self.text(&all, own)).merge(status)
    }

    /// Lines of `all`, of which the file's own start at `own`.
    fn text(&self, all: &[Field], own: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let parameters = parameters(all, self.only.is_some());
        if let Some(only) = &self.only {
            let values: Vec<&[u8]> = match only.as_slice() {
                b"parm" => parameters.iter().map(Vec::as_slice).vec(),
                only => all.iter().filter(|f| f.key == only).map(|f| &*f.value).vec(),
            };
            for value in values {
                text.extend_from_slice(value);
                text.push(self.end);
            }
            return text;
        }
        let is_parameter = |field: &&Field| field.key == b"parm" || field.key == b"parmtype";
        let fields = all.iter().filter(|field| !is_parameter(field));
        let fields = fields.map(|field| (&*field.key, &*field.value));
        let fields = fields.chain(parameters.iter().map(|p| (&b"parm"[..], &**p)));
        for (at, (key, value)) in fields.enumerate() {
            text.extend_from_slice(key);
            // Who reads NULs gets no columns, but for what is not the file's own.
            if self.end == 0 && at >= own && key != b"parm" {
                text.push(b'=');
            } else {
                text.push(b':');
                // As printf does where the width is negative.
                let padding = 15usize.abs_diff(key.len());
                text.resize(text.len() + padding, b' ');
            }
            text.extend_from_slice(value);
            text.push(self.end);
        }
        text
    }

    /// An object with an array for each field, as fields may come several times.
    fn object(&self, all: &[Field]) -> Json {
        let mut members: Vec<(Vec<u8>, Vec<Json>)> = Vec::new();
        let mut add =
            |key: &[u8], value: &[u8]| match members.iter_mut().find(|(other, _)| other == key) {
                Some((_, values)) => values.push(Json::text(value)),
                None => members.push((key.to_vec(), vec![Json::text(value)])),
            };
        let is_wanted = |key: &[u8]| self.only.as_deref().is_none_or(|only| only == key);
        for field in all.iter().filter(|field| field.key != b"parm" && field.key != b"parmtype") {
            if is_wanted(&field.key) {
                // Without the lines in which it is printed.
                add(&field.key, &replace(&field.value, b"\n\t\t", b""));
            }
        }
        if is_wanted(b"parm") {
            parameters(all, true).iter().for_each(|parameter| add(b"parm", parameter));
        }
        Json::Map(members.into_iter().map(|(key, values)| (key, Json::List(values))).vec())
    }
}

fn field(key: &str, value: &[u8]) -> Field {
    Field { key: key.as_bytes().to_vec(), value: value.to_vec() }
}

/// The fields of a module, after its name and its file.
fn read(module: &Found, modules: &ModuleDir) -> Result<Vec<Field>, Cause> {
    let Some(path) = &module.path else {
        return Ok(modules.builtin_fields(&module.name));
    };
    let image = files::read_module(path)?;
    let elf = ModuleElf::parse(&image)?;
    if !elf.has_modinfo() {
        return Err("no section .modinfo".into());
    }
    Ok(fields(&elf, &image))
}
