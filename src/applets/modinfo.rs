//! `modinfo`: what a module says of itself, from its file's `.modinfo` section and
//! signature, or for a builtin from `modules.builtin.modinfo`.
//!
//! Fields are shown in the file's order, parameters at the end, each with its type.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::applets::{absolute, module_dir, tell_damage, wants_json};
use crate::cli::{Applet, Args, Opt};
use crate::collect::Collect;
use crate::config::Config;
use crate::error::{Cause, Error, Status};
use crate::files;
use crate::format::compression::{Decompressor, Kind};
use crate::format::elf::{BUILD_ID, MODINFO, ModuleElf, build_id, entries};
use crate::format::json::Json;
use crate::format::modinfo::{Extra, Field, parameters};
use crate::format::parts::Parts;
use crate::format::signature;
use crate::format::text::replace;
use crate::kernel::linux;
use crate::large::Large;
use crate::moddir::{ModuleDir, stem};
use crate::name::ModuleName;
use crate::numbers::Numbers;
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

/// Where the kernel's own notes are.
const NOTES: &str = "/sys/kernel/notes";

fn run(args: &Args, log: &Log) -> Status {
    if args.operands.is_empty() {
        return log.error("missing module or filename.");
    }
    let modules = match module_dir(args.directory(&BASEDIR), args.value(&SET_VERSION)) {
        Ok(modules) => modules,
        Err(error) => return log.error(error),
    };
    // What modprobe is told to do with a name is not what there is to say of it.
    let config = Config::default();
    let mut printer = Printer::new(args, log);
    let sources = Sources { config: &config, modules: &modules };
    let mut status = Status::Success;
    let mut shown = Vec::new();
    for operand in &args.operands {
        match find(sources, operand, args.has(&MODNAME)) {
            Ok(found) => {
                for module in Large(found).0.drain(..) {
                    status = status.merge(printer.show(&module, &modules, &mut shown));
                    drop(module.path.map(|path| Large(path.into_os_string().into_vec())));
                }
            }
            Err(error) => status = status.merge(log.error(error)),
        }
    }
    status = status.merge(tell_damage(&modules, log));
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
        let path = sources.modules.module_file(&name);
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
    /// Whether a builtin is a part of the kernel that runs.
    is_running: bool,
    /// The kernel's own notes, once they were asked for.
    notes: OnceCell<Vec<u8>>,
    /// What one module's text is made in, after the other's.
    text: Vec<u8>,
    buffers: Buffers,
}

/// What files are read into, one after another.
#[derive(Default)]
struct Buffers {
    file: Vec<u8>,
    decompressor: Decompressor,
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
        let (text, buffers) = (Vec::new(), Buffers::default());
        let is_running = args.value(&SET_VERSION).is_none_or(|wanted| {
            linux::release().is_ok_and(|running| running == wanted.as_bytes())
        }) && args.directory(&BASEDIR).is_none();
        Self {
            log,
            only,
            end,
            json: wants_json(args, &JSON),
            is_running,
            notes: OnceCell::new(),
            text,
            buffers,
        }
    }

    fn show(&mut self, module: &Found, modules: &ModuleDir, shown: &mut Vec<Json>) -> Status {
        let mut buffers = std::mem::take(&mut self.buffers);
        let wants_content = self.only.as_deref() != Some(b"filename");
        let content = match &module.path {
            _ if !wants_content => Ok(Content::default()),
            Some(path) => buffers.read(path),
            None => {
                let mut extra = Extra::default();
                if self.is_running {
                    let read = || files::read(Path::new(NOTES)).unwrap_or_default();
                    let notes = self.notes.get_or_init(read);
                    extra.add_build(build_id(notes, cfg!(target_endian = "little")));
                }
                Ok(Content { builtin: modules.builtin_fields(&module.name), modinfo: &[], extra })
            }
        };
        let mut status = Status::Success;
        let content = content.unwrap_or_else(|cause| {
            let doing = format!("could not get modinfo from '{}'", module.name);
            status = self.log.error(Error::new(doing, cause));
            Content::default()
        });
        // What is known without the file is shown even if that is damaged.
        let mut all = Large::default();
        if module.path.is_none() {
            all.0.push(Field { key: b"name", value: module.name.as_bytes() });
        }
        let path =
            module.path.as_ref().map_or(&b"(builtin)"[..], |path| path.as_os_str().as_bytes());
        all.0.push(Field { key: b"filename", value: path });
        let own = all.len();
        for modinfo in [content.modinfo, &content.builtin] {
            all.0.extend(entries(modinfo).map(|(key, value)| Field { key, value }));
        }
        all.0.extend(content.extra.fields());
        if self.json {
            shown.push(self.object(&all));
        } else {
            self.text.clear();
            self.write(&all, own);
            status = print(self.log, &self.text).merge(status);
        }
        drop(all);
        drop(content);
        self.buffers = buffers;
        status
    }

    /// Puts lines of `all`, of which the file's own start at `own`, into the text.
    fn write(&mut self, all: &[Field<'_>], own: usize) {
        let (text, end) = (&mut self.text, self.end);
        let parameters = parameters(all);
        if let Some(only) = self.only.as_deref() {
            for field in all.iter().filter(|field| field.key == only && only != b"parm") {
                text.extend_from_slice(field.value);
                text.push(end);
            }
            for parameter in parameters.iter().filter(|_| only == b"parm") {
                parameter.write(true, text);
                text.push(end);
            }
            return;
        }
        let column = |text: &mut Vec<u8>, key: &[u8]| {
            text.extend_from_slice(key);
            text.push(b':');
            // As printf does where the width is negative.
            let padding = 15usize.abs_diff(key.len());
            text.resize(text.len() + padding, b' ');
        };
        let is_parameter = |field: &&Field<'_>| field.key == b"parm" || field.key == b"parmtype";
        for (at, field) in all.iter().filter(|field| !is_parameter(field)).enumerate() {
            // Who reads NULs gets no columns, but for what is not the file's own.
            if end == 0 && at >= own {
                text.extend_from_slice(field.key);
                text.push(b'=');
            } else {
                column(text, field.key);
            }
            text.extend_from_slice(field.value);
            text.push(end);
        }
        for parameter in parameters.iter() {
            column(text, b"parm");
            parameter.write(false, text);
            text.push(end);
        }
    }

    /// An object with an array for each field, as fields may come several times.
    fn object(&self, all: &[Field<'_>]) -> Json {
        let mut members: Vec<(Vec<u8>, Vec<Json>)> = Vec::new();
        let mut numbers = Numbers::default();
        let mut add = |key: &[u8], value: &[u8]| {
            let is_it = |at: usize| members.get(at).is_some_and(|(other, _)| other == key);
            let number = numbers.find_or_add(key, members.len(), &is_it);
            if number == members.len() {
                members.push((key.to_vec(), Vec::new()));
            }
            if let Some((_, values)) = members.get_mut(number) {
                values.push(Json::text(value));
            }
        };
        let is_wanted = |key: &[u8]| self.only.as_deref().is_none_or(|only| only == key);
        for field in all.iter().filter(|field| field.key != b"parm" && field.key != b"parmtype") {
            if is_wanted(field.key) {
                // Without the lines in which it is printed.
                add(field.key, &replace(field.value, b"\n\t\t", b""));
            }
        }
        if is_wanted(b"parm") {
            for parameter in parameters(all).iter() {
                let mut text = Large::default();
                parameter.write(true, &mut text.0);
                add(b"parm", &text);
            }
        }
        Json::Map(members.into_iter().map(|(key, values)| (key, Json::List(values))).vec())
    }
}

/// What there is to show of a module after its name and its file.
#[derive(Default)]
struct Content<'a> {
    /// What its file's `.modinfo` holds.
    modinfo: &'a [u8],
    /// The same of a builtin.
    builtin: Large<u8>,
    /// What a file has beside, or the kernel that a builtin is a part of.
    extra: Extra,
}

impl Buffers {
    /// Reads the module file `path`: of one that is not compressed, no more than is shown.
    fn read(&mut self, path: &Path) -> Result<Content<'_>, Cause> {
        const MISSING: &str = "no section .modinfo";
        let file = files::open(path)?;
        let kind = files::kind(&file)?;
        let mut extra = Extra::default();
        if kind != Kind::Plain {
            let length = files::read_into(&file, &mut self.file)?;
            let content = self.file.get(..length).unwrap_or_default();
            let image = self.decompressor.decompress(kind, content, files::module_limit());
            let image = image.map_err(|failure| failure.to_string())?;
            let elf = ModuleElf::parse(image)?;
            let modinfo = elf.section(MODINFO).ok_or(MISSING)?;
            extra.add_build(
                elf.section(BUILD_ID).and_then(|notes| build_id(notes, elf.is_little())),
            );
            extra.add_signature(image);
            return Ok(Content { modinfo, extra, ..Content::default() });
        }
        let length = file.metadata()?.len();
        let mut parts = Parts::new(file, length, &mut self.file);
        let elf = ModuleElf::outline(&mut parts);
        let places = elf.map(|elf| (elf.place(MODINFO), elf.place(BUILD_ID), elf.is_little()));
        let (modinfo, build, is_little) =
            places.map_err(|what| parts.error().map_or(what.into(), Cause::from))?;
        let modinfo = modinfo.and_then(|(start, count)| parts.part(start, count)).ok_or(MISSING)?;
        if let Some(part) = build.and_then(|(start, count)| parts.part(start, count)) {
            let notes = parts.buffer().get(part).unwrap_or_default();
            extra.add_build(build_id(notes, is_little));
        }
        let signature = last(&mut parts, signature::FOOTER).and_then(signature::length);
        if let Some(end) = signature.and_then(|count| last(&mut parts, count)) {
            extra.add_signature(end);
        }
        if let Some(error) = parts.error() {
            return Err(error.into());
        }
        let modinfo = self.file.get(modinfo).unwrap_or_default();
        Ok(Content { modinfo, extra, ..Content::default() })
    }
}

/// The last `count` bytes of a file.
fn last<'a>(parts: &'a mut Parts<'_, File>, count: u64) -> Option<&'a [u8]> {
    let end = parts.part(parts.len().checked_sub(count)?, count)?;
    parts.buffer().get(end)
}
