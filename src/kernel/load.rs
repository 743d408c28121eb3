//! The load ladder: how a module's file gets into the kernel.
//!
//! 1. A plain file: `finit_module`.
//! 2. A compressed file of the kind that the kernel undoes: `finit_module`, and
//!    the kernel decompresses. If it can't (xz with CRC64, a large zstd window,
//!    a gzip header with extra fields), go on.
//! 3. Decompressed here into a file in memory: `finit_module`.
//! 4. Where there is no such file or no such call: `init_module`.

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use nix::errno::Errno;

use super::{InsertFlags, Kernel};
use crate::error::Cause;
use crate::files;
use crate::format::compression::{self, Kind};
use crate::name::ModuleName;
use crate::state;

/// How often an insertion is tried again when it met another loader of the same
/// module that failed: the kernel says EBUSY then, and the next try gets the
/// reason, or the module. Not more often, as a driver may say so itself.
const BUSY_RETRIES: usize = 1;

/// The same for EINTR, which a wait for such a loader ends with.
const INTERRUPTED_RETRIES: usize = 9;

/// The way a module took.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// What the file held.
    pub kind: Kind,
    /// Why the kernel could not decompress it, if it was asked to.
    pub refused: Option<Errno>,
    /// The call that inserted it.
    pub rung: Rung,
}

/// The call that inserted a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// `finit_module` of the file as it is.
    File,
    /// `finit_module`, and the kernel decompressed.
    KernelDecompresses,
    /// `finit_module` of a file in memory.
    Memory,
    /// `init_module`.
    Image,
}

/// Why a module was not inserted.
#[derive(Debug)]
pub enum Failure {
    /// The kernel refused it.
    Kernel(Errno),
    /// The kernel has no modules.
    NoModules,
    /// Its file could not be read.
    File(io::Error),
    /// Its file could not be decompressed.
    Compression(compression::Failure),
    /// There is no memory for what is in its file.
    Memory(io::Error),
    /// Flags were asked for that `init_module` does not know.
    NoFlags,
}

impl Failure {
    /// The kernel's errno, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel(errno) => Some(*errno),
            _ => None,
        }
    }
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Kernel(errno) => (*errno).into(),
            Failure::File(error) => error.into(),
            Failure::Compression(failure) => failure.to_string().into(),
            Failure::Memory(error) => {
                format!("no room for the decompressed module: {error}").into()
            }
            Failure::NoModules => state::NO_SUPPORT.into(),
            Failure::NoFlags => "force needs finit_module, which this kernel lacks".into(),
        }
    }
}

impl Route {
    /// The line of `-vv` about a module that was inserted.
    pub fn tell(&self, module: &ModuleName, path: &Path) -> String {
        format!("inserted '{module}' from {}: {self}", path.display())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.kind.name())?;
        if let Some(errno) = self.refused {
            write!(f, "kernel could not decompress ({}); ", Cause::from(errno))?;
        }
        f.write_str(match self.rung {
            Rung::File => "finit_module",
            Rung::KernelDecompresses => "finit_module (kernel decompresses)",
            Rung::Memory => "memfd, finit_module",
            Rung::Image => "init_module",
        })
    }
}

/// Inserts the module in the file `path`.
pub fn insert(
    kernel: &dyn Kernel,
    path: &Path,
    params: &CStr,
    flags: InsertFlags,
) -> Result<Route, Failure> {
    let (mut busy, mut interrupted) = (0, 0);
    loop {
        match insert_once(kernel, path, params, flags) {
            Err(Failure::Kernel(Errno::EBUSY)) if busy < BUSY_RETRIES => busy += 1,
            Err(Failure::Kernel(Errno::EINTR)) if interrupted < INTERRUPTED_RETRIES => {
                interrupted += 1;
            }
            Err(Failure::Kernel(Errno::ENOSYS)) if !kernel.has_modules() => {
                return Err(Failure::NoModules);
            }
            result => return result,
        }
    }
}

fn insert_once(
    kernel: &dyn Kernel,
    path: &Path,
    params: &CStr,
    flags: InsertFlags,
) -> Result<Route, Failure> {
    let mut file = files::open(path).map_err(Failure::File)?;
    let kind = files::kind(&file).map_err(Failure::File)?;
    let finit = |file: &File, flags| kernel.finit_module(file, params, flags);
    let mut refused = None;
    if kind == Kind::Plain {
        match finit(&file, flags) {
            Ok(()) => return Ok(Route { kind, refused, rung: Rung::File }),
            Err(Errno::ENOSYS) => {}
            Err(errno) => return Err(Failure::Kernel(errno)),
        }
    } else if kernel.compression() == kind.name() {
        match finit(&file, InsertFlags { compressed_file: true, ..flags }) {
            Ok(()) => return Ok(Route { kind, refused, rung: Rung::KernelDecompresses }),
            Err(Errno::ENOSYS) => {}
            // So it answers to data that it can't decompress, but to a bad
            // parameter, too: then the module is refused once more below.
            Err(errno @ (Errno::EINVAL | Errno::EOPNOTSUPP)) => refused = Some(errno),
            Err(errno) => return Err(Failure::Kernel(errno)),
        }
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(Failure::File)?;
    let image = if kind == Kind::Plain {
        content
    } else {
        let image = files::decompressed(kind, &content).map_err(Failure::Compression)?;
        if let Ok(mut memory) = kernel.memfd_create() {
            memory.write_all(&image).map_err(Failure::Memory)?;
            match finit(&memory, flags) {
                Ok(()) => return Ok(Route { kind, refused, rung: Rung::Memory }),
                // A kernel that minds the file being open for writing, or whose
                // policy knows files of its own alone.
                Err(Errno::ENOSYS | Errno::ETXTBSY | Errno::EACCES) => {}
                Err(errno) => return Err(Failure::Kernel(errno)),
            }
        }
        image
    };
    if flags != InsertFlags::default() {
        return Err(Failure::NoFlags);
    }
    kernel.init_module(&image, params).map_err(Failure::Kernel)?;
    Ok(Route { kind, refused, rung: Rung::Image })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A kernel that answers each call from a list and notes it.
    struct Fake {
        compression: &'static str,
        memfd: bool,
        modules: bool,
        answers: RefCell<Vec<Result<(), Errno>>>,
        calls: RefCell<Vec<String>>,
    }

    impl Fake {
        fn new(compression: &'static str, answers: &[Result<(), Errno>]) -> Self {
            let answers = RefCell::new(answers.iter().rev().copied().collect());
            Self { compression, memfd: true, modules: true, answers, calls: RefCell::default() }
        }

        fn answer(&self, call: String) -> Result<(), Errno> {
            self.calls.borrow_mut().push(call);
            self.answers.borrow_mut().pop().unwrap_or(Ok(()))
        }
    }

    impl Kernel for Fake {
        fn finit_module(&self, file: &File, _: &CStr, flags: InsertFlags) -> Result<(), Errno> {
            let length = file.metadata().unwrap().len();
            self.answer(format!(
                "finit {length}{}",
                if flags.compressed_file { " compressed" } else { "" }
            ))
        }

        fn init_module(&self, image: &[u8], _: &CStr) -> Result<(), Errno> {
            self.answer(format!("init {}", image.len()))
        }

        fn delete_module(&self, _: &CStr, _: bool) -> Result<(), Errno> {
            Err(Errno::ENOSYS)
        }

        fn run(&self, _: &[u8], _: &ModuleName) -> io::Result<std::process::ExitStatus> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn memfd_create(&self) -> Result<File, Errno> {
            if !self.memfd {
                return Err(Errno::ENOSYS);
            }
            Ok(tempfile::tempfile().unwrap())
        }

        fn has_modules(&self) -> bool {
            self.modules
        }

        fn compression(&self) -> &str {
            self.compression
        }
    }

    /// An empty gzip member with 5 bytes of content.
    const GZIP: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0";

    fn run(
        kernel: &Fake,
        content: &[u8],
        flags: InsertFlags,
    ) -> (Result<Route, Failure>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.ko");
        std::fs::write(&path, content).unwrap();
        let result = insert(kernel, &path, c"", flags);
        (result, kernel.calls.take())
    }

    #[test]
    fn every_rung_is_taken_when_the_ones_above_fail() {
        let none = InsertFlags::default();
        let (route, calls) = run(&Fake::new("", &[]), b"\x7fELF", none);
        assert_eq!((route.unwrap().rung, calls), (Rung::File, vec!["finit 4".to_owned()]));

        let (route, calls) = run(&Fake::new("gzip", &[]), GZIP, none);
        assert_eq!(route.unwrap().rung, Rung::KernelDecompresses);
        assert_eq!(calls, [format!("finit {} compressed", GZIP.len())]);

        let (route, calls) = run(&Fake::new("xz", &[]), GZIP, none);
        assert_eq!(route.unwrap().rung, Rung::Memory);
        assert_eq!(calls, ["finit 5"]);

        let (route, calls) = run(&Fake::new("gzip", &[Err(Errno::EINVAL)]), GZIP, none);
        let route = route.unwrap();
        assert_eq!(
            route.to_string(),
            "gzip, kernel could not decompress (Invalid argument); memfd, finit_module"
        );
        assert_eq!(calls.last().unwrap(), "finit 5");

        let mut kernel = Fake::new("", &[]);
        kernel.memfd = false;
        let (route, calls) = run(&kernel, GZIP, none);
        assert_eq!((route.unwrap().rung, calls), (Rung::Image, vec!["init 5".to_owned()]));
    }

    #[test]
    fn a_verdict_on_the_module_ends_the_ladder() {
        let kernel = Fake::new("gzip", &[Err(Errno::EKEYREJECTED)]);
        let (result, calls) = run(&kernel, GZIP, InsertFlags::default());
        assert_eq!(result.unwrap_err().errno(), Some(Errno::EKEYREJECTED));
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn interruptions_and_failed_twins_are_tried_again() {
        let kernel = Fake::new("", &[Err(Errno::EINTR), Err(Errno::EBUSY), Ok(())]);
        assert!(run(&kernel, b"\x7fELF", InsertFlags::default()).0.is_ok());
        let kernel = Fake::new("", &[Err(Errno::EBUSY); 9]);
        let (result, calls) = run(&kernel, b"\x7fELF", InsertFlags::default());
        assert_eq!(
            (result.unwrap_err().errno(), calls.len()),
            (Some(Errno::EBUSY), 1 + BUSY_RETRIES)
        );
    }

    #[test]
    fn force_never_goes_without_its_flags() {
        let flags = InsertFlags { ignore_vermagic: true, ..InsertFlags::default() };
        let (result, calls) = run(&Fake::new("", &[Err(Errno::ENOSYS)]), b"\x7fELF", flags);
        assert!(matches!(result.unwrap_err(), Failure::NoFlags));
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn a_kernel_without_modules_is_told_from_a_module_without_a_function() {
        let mut kernel = Fake::new("", &[Err(Errno::ENOSYS), Err(Errno::ENOSYS)]);
        let (result, _) = run(&kernel, b"\x7fELF", InsertFlags::default());
        assert_eq!(result.unwrap_err().errno(), Some(Errno::ENOSYS));
        kernel = Fake::new("", &[Err(Errno::ENOSYS), Err(Errno::ENOSYS)]);
        kernel.modules = false;
        let (result, _) = run(&kernel, b"\x7fELF", InsertFlags::default());
        assert!(matches!(result.unwrap_err(), Failure::NoModules));
    }

    #[test]
    fn a_truncated_file_never_reaches_the_kernel() {
        let (result, calls) = run(&Fake::new("", &[]), &GZIP[..20], InsertFlags::default());
        assert!(matches!(result.unwrap_err(), Failure::Compression(_)));
        assert!(calls.is_empty());
    }
}
