//! `depmod`: makes the indexes by which modprobe finds modules, `modules.dep` and its
//! kin, from the modules' files.
//!
//! find → order → read → depend → write → save. What is no module, or can't be read, is left
//! out; whatever else goes wrong on the way, the files that were there stay as they are.

mod check;
mod depend;
mod find;
mod order;
mod parallel;
mod read;
mod save;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use check::Library;
use depend::{Graph, Symbol, Symbols};
use find::Files;
use parallel::in_parallel;
use write::Index;

use crate::applets::{absolute, release};
use crate::cli::{Applet, Args, Opt, VERBOSE};
use crate::collect::Collect;
use crate::config::depmod_d::DepmodConfig;
use crate::error::{Error, Status};
use crate::files;
use crate::format::symvers::{self, Line};
use crate::format::text::number;
use crate::kernel::linux;
use crate::moddir::place;
use crate::output::{Level, Log, print};
use crate::root::Root;

static ALL: Opt = Opt::switch('a', "all", "Index all modules, even if FILEs are given");
static QUICK: Opt = Opt::switch('A', "quick", "Do nothing if no module is newer than modules.dep");
static BASEDIR: Opt = Opt::value('b', "basedir", "DIR", "The modules are below DIR");
static MODULEDIR: Opt =
    Opt::value('m', "moduledir", "DIR", "They are in DIR in place of /lib/modules");
static OUTDIR: Opt = Opt::value('o', "outdir", "DIR", "Write the indexes below DIR");
static CONFIG: Opt =
    Opt::value('C', "config", "PATH", "Read PATH in place of depmod.d; may be repeated");
static SYMVERS: Opt =
    Opt::value('E', "symvers", "FILE", "Check symbols against this Module.symvers");
static FILESYMS: Opt = Opt::value('F', "filesyms", "FILE", "Check symbols against this System.map");
static ERRSYMS: Opt = Opt::switch('e', "errsyms", "Tell of unknown symbols (with -E or -F)");
static SHOW: Opt =
    Opt::switch('n', "show", "Print the text files, write nothing").also(&["dry-run"]);
static PREFIX: Opt =
    Opt::value('P', "symbol-prefix", "CHAR", "What stands before symbols in this architecture");
static WARN: Opt = Opt::switch('w', "warn", "Tell of aliases that come twice");
static STRICT: Opt = Opt::long("strict", "Write nothing if any module can't be read");
static JOBS: Opt = Opt::value('j', "jobs", "N", "Use N threads (default: one for each processor)");
/// The parts that the index is made in, side by side.
const PARTS: usize = 6;
/// The files that are shown, in this order.
const SHOWN: [&str; 6] = [
    "modules.dep",
    "modules.alias",
    "modules.softdep",
    "modules.weakdep",
    "modules.symbols",
    "modules.devname",
];
/// Symbols that the kernel's loader makes.
const PROVIDED: [&[u8]; 3] = [b"__this_module", b"_GLOBAL_OFFSET_TABLE_", b"TOC."];

/// Of older tools: told, and without effect.
static DEPRECATED: [Opt; 3] = [
    Opt::switch('q', "quiet", ""),
    Opt::switch('r', "root", ""),
    Opt::switch('u', "unresolved-error", ""),
];

/// The command.
pub static APPLET: Applet = Applet {
    name: "depmod",
    about: "Make the indexes by which modprobe finds modules",
    operands: "[RELEASE [FILE...]]",
    notes: "RELEASE is the kernel's, by default that of the running one. With FILEs, which
are absolute, the indexes hold these alone.",
    options: &[
        &ALL,
        &QUICK,
        &BASEDIR,
        &MODULEDIR,
        &OUTDIR,
        &CONFIG,
        &SYMVERS,
        &FILESYMS,
        &ERRSYMS,
        &SHOW,
        &PREFIX,
        &WARN,
        &JOBS,
        &STRICT,
        &VERBOSE,
        &DEPRECATED[0],
        &DEPRECATED[1],
        &DEPRECATED[2],
    ],
    environment: None,
    level: Level::Warning,
    misuse: Status::Failure,
    run,
};

/// What is indexed, and where the indexes go.
struct Request<'a> {
    args: &'a Args,
    log: &'a Log,
    release: Vec<u8>,
    /// The kernel's directory.
    directory: PathBuf,
    /// Where the indexes go.
    output: PathBuf,
    /// What an architecture puts before each symbol.
    prefix: Option<u8>,
    jobs: usize,
}

fn run(args: &Args, log: &Log) -> Status {
    for option in DEPRECATED.iter().filter(|option| args.has(option)) {
        log.warning(format_args!("Ignored deprecated option --{}", option.long));
    }
    let request = match Request::new(args, log) {
        Ok(request) => request,
        Err(status) => return status,
    };
    match request.answer() {
        Ok(status) => status,
        Err(errors) => {
            errors.iter().for_each(|error| log.tell(Level::Error, error));
            Status::Failure
        }
    }
}

impl<'a> Request<'a> {
    /// What the command line asks for; where it can't be done, that has been told.
    fn new(args: &'a Args, log: &'a Log) -> Result<Self, Status> {
        let prefix = match args.value(&PREFIX).map(|prefix| prefix.as_bytes()) {
            None | Some([]) => None,
            Some([prefix]) => Some(*prefix),
            Some(_) => return Err(log.fatal("-P only takes a single char")),
        };
        let jobs = match args.value(&JOBS) {
            None => linux::processors(),
            Some(jobs) => {
                let count = number(jobs.as_bytes(), 10).and_then(|jobs| usize::try_from(jobs).ok());
                let jobs = jobs.to_string_lossy();
                count
                    .filter(|&count| count > 0)
                    .ok_or_else(|| log.error(format_args!("Bad number of jobs passed {jobs}")))?
            }
        };
        let release = match args.operands.first() {
            Some(release) if is_release(release.as_bytes()) => release.as_bytes().to_vec(),
            Some(other) => {
                let other = other.to_string_lossy();
                return Err(log.error(format_args!("Bad version passed {other}")));
            }
            None => release().map_err(|error| log.fatal(error))?,
        };
        let base = |directory: Option<&OsString>| {
            let directory = directory.map_or(Path::new("/"), Path::new);
            absolute(directory).map_err(|error| log.fatal(error))
        };
        let input = base(args.directory(&BASEDIR))?;
        let output = match args.directory(&OUTDIR) {
            None => input.clone(),
            output => base(output)?,
        };
        let below = match args.directory(&MODULEDIR) {
            Some(directory) => directory.as_bytes(),
            None => place(&Root::new(&input), &release).as_bytes(),
        };
        let below = below.iter().position(|&c| c != b'/').and_then(|start| below.get(start..));
        let below = Path::new(OsStr::from_bytes(below.unwrap_or_default()));
        let below = below.join(OsStr::from_bytes(&release));
        // Without a slash at the end.
        let directory = |base: PathBuf| base.join(&below).components().collect();
        let (directory, output) = (directory(input), directory(output));
        Ok(Self { args, log, release, directory, output, prefix, jobs })
    }

    /// Does it, or tells why not.
    fn answer(&self) -> Result<Status, Vec<Error>> {
        let is_quick = self.args.has(&QUICK);
        if is_quick && self.args.has(&SHOW) {
            return Ok(Status::Success);
        }
        let files = self.find()?;
        if is_quick && self.is_up_to_date(&files) {
            return Ok(Status::Success);
        }
        self.warn(&files.warnings);
        if !files.errors.is_empty() {
            return Err(files.errors);
        }
        let found = order::sort(files.found, &self.list("modules.order")?);
        let mut read = read::read(found, self.jobs, self.args.has(&ERRSYMS));
        if !read.errors.is_empty() {
            return Err(read.errors);
        }
        let mut strays = files.strays;
        strays.append(&mut read.strays);
        if self.args.has(&STRICT) && !(strays.is_empty() && read.damaged.is_empty()) {
            strays.append(&mut read.damaged);
            return Err(strays);
        }
        self.warn(&strays);
        let mut status = Status::Success;
        for damaged in read.damaged {
            status = self.log.error(damaged.note("left out of the indexes"));
        }
        let (modules, contents) = (read.files, read.contents);

        let kernel = self.symbol_text()?;
        let symbols = self.kernel_symbols(kernel.as_ref());
        let symbols = depend::symbols(symbols, &contents, self.prefix);
        let library = Library {
            modules: &modules,
            contents: &contents,
            symbols: &symbols,
            prefix: self.prefix,
        };
        if kernel.is_some() && self.args.has(&ERRSYMS) {
            self.warn(&library.unresolved(self.args.has(&SYMVERS)));
        }
        if self.args.has(&VERBOSE) {
            print(self.log, &library.needs());
        }
        let graph = Graph::new(&contents, &symbols, self.prefix, self.jobs)
            .map_err(|circles| library.explain(&circles))?;
        let index = Index { library: &library, graph: &graph };
        Ok(status.merge(self.put(&self.files(&index)?)))
    }

    /// The files to index: those that are named, or all.
    fn find(&self) -> Result<Files, Vec<Error>> {
        let named = self.args.operands.get(1..).unwrap_or_default();
        if named.is_empty() || self.args.has(&ALL) || self.args.has(&QUICK) {
            let paths = self.args.values(&CONFIG);
            let mut config = DepmodConfig::load(&Root::system(), paths, &self.release);
            // Nobody knows what is excluded or overridden there.
            let (unread, errors): (Vec<_>, Vec<_>) =
                config.errors.drain(..).partition(Error::is_unread);
            errors.iter().for_each(|error| self.log.tell(Level::Error, error));
            if !unread.is_empty() {
                return Err(unread);
            }
            config.warnings.iter().for_each(|warning| self.log.warning(warning));
            config.notices.iter().for_each(|notice| self.log.tell(Level::Info, notice));
            return find::find(&self.directory, &config, self.args.has(&QUICK)).map_err(|error| {
                let doing = format!("could not open directory {}", self.directory.display());
                vec![Error::new(doing, error)]
            });
        }
        Ok(find::named(&self.directory, named))
    }

    /// Whether no module is newer than the index.
    fn is_up_to_date(&self, files: &Files) -> bool {
        let index = fs::metadata(self.output.join("modules.dep"));
        let time = index.map(|index| (index.mtime(), index.mtime_nsec()));
        files.errors.is_empty() && time.is_ok_and(|time| files.newest <= time)
    }

    /// A list that the kernel's build made; empty, with a warning, where it is missing.
    fn list(&self, name: &str) -> Result<Vec<u8>, Vec<Error>> {
        let path = self.directory.join(name);
        match files::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let doing = format!("could not open {name} at {}", self.directory.display());
                self.log.warning(Error::new(doing, error));
                Ok(Vec::new())
            }
            content => content.map_err(|error| vec![Error::reading(&path, error)]),
        }
    }

    /// The file that has the kernel's own symbols, if one is named.
    fn symbol_file(&self) -> Option<&Path> {
        self.args.value(&SYMVERS).or(self.args.value(&FILESYMS)).map(Path::new)
    }

    /// What is in it.
    fn symbol_text(&self) -> Result<Option<Vec<u8>>, Vec<Error>> {
        let path = self.symbol_file();
        if path.is_none() && self.args.has(&ERRSYMS) {
            self.log.warning("-e needs -E or -F");
        }
        path.map(|path| files::read(path).map_err(|error| vec![Error::reading(path, error)]))
            .transpose()
    }

    /// The kernel's own symbols, of which `text` tells.
    fn kernel_symbols<'t>(&self, text: Option<&'t Vec<u8>>) -> Symbols<'t> {
        let mut symbols = Symbols::default();
        let Some(text) = text else { return symbols };
        let mut add = |line: Line<'t>| match line {
            Ok(None) => {}
            Ok(Some((name, crc))) => {
                symbols.insert(symvers::bare(name, self.prefix), Symbol { owner: None, crc });
            }
            Err(number) => {
                let path = self.symbol_file().unwrap_or(Path::new("")).display();
                self.log.tell(Level::Error, format_args!("{path}:{number}: invalid line"));
            }
        };
        match self.args.has(&SYMVERS) {
            true => symvers::module_symvers(text).for_each(&mut add),
            false => symvers::system_map(text, self.prefix).for_each(&mut add),
        }
        for name in PROVIDED {
            symbols.entry(name).or_insert(Symbol { owner: None, crc: 0 });
        }
        symbols
    }

    /// All files of the index, in the order in which they may appear.
    fn files(&self, index: &Index<'_>) -> Result<Vec<write::File>, Vec<Error>> {
        let path = |name| self.directory.join(name);
        // What is made of these is not text.
        let is_shown = self.args.has(&SHOW);
        let list = |name| if is_shown { Ok(Vec::new()) } else { self.list(name) };
        let (builtins, modinfo) = (list("modules.builtin")?, list("modules.builtin.modinfo")?);
        let parts = in_parallel(self.jobs, PARTS, |(), part| {
            Some(match part {
                0 => index.symbols(),
                1 => Ok(index.texts()),
                2 => write::builtins(&path("modules.builtin"), &builtins),
                3 => write::builtin_aliases(&path("modules.builtin.modinfo"), &modinfo),
                4 => index.aliases(self.args.has(&WARN)),
                _ => index.dependencies(),
            })
        });
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for part in parts.into_iter().flatten() {
            match part {
                Ok((made, warnings)) => {
                    self.warn(&warnings);
                    files.extend(made);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(files) } else { Err(errors) }
    }

    /// Prints the text files, or saves all.
    fn put(&self, files: &[write::File]) -> Status {
        if !self.args.has(&SHOW) {
            return match save::save(&self.output, files) {
                Ok(()) => Status::Success,
                Err(error) => self.log.error(error),
            };
        }
        let file = |name: &&str| files.iter().find(|(other, _)| other == name);
        let texts = SHOWN.iter().filter_map(file).map(|(_, content)| content.as_slice());
        print(self.log, &texts.vec().concat())
    }

    fn warn(&self, warnings: &[Error]) {
        warnings.iter().for_each(|warning| self.log.warning(warning));
    }
}

/// Whether `word` starts as a kernel's release does: two numbers with a dot between.
fn is_release(word: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_digit()).count();
    let major = digits(word);
    let minor = word.get(major..).and_then(|rest| rest.strip_prefix(b"."));
    major > 0 && minor.is_some_and(|minor| digits(minor) > 0)
}
