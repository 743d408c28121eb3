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
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use nix::errno::Errno;

use super::watch::Watch;
use super::{Guard, InsertFlags, Insertion, Kernel};
use crate::error::{Cause, errno};
use crate::files;
use crate::format::compression::Kind;
use crate::format::trace::PhaseKind;
use crate::large::Large;
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
    File = 0,
    /// `finit_module`, and the kernel decompressed.
    KernelDecompresses = 1,
    /// `finit_module` of a file in memory.
    Memory = 2,
    /// `init_module`.
    Image = 3,
}

impl Rung {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::File, Self::KernelDecompresses, Self::Memory, Self::Image];
}

/// Why a module was not inserted.
#[derive(Debug)]
pub enum Failure {
    /// The kernel refused it.
    Kernel(Errno),
    /// The kernel refused it with a number that has no name outside of it.
    Number(i32),
    /// The kernel has no modules.
    NoModules,
    /// Its file could not be read.
    File(Errno),
    /// What is in its file can't be inserted, and why: it can't be decompressed, or is denied.
    Content(String),
    /// There is no memory for what is in its file.
    Memory(Errno),
    /// Flags were asked for that `init_module` does not know.
    NoFlags,
    /// The worker that inserted it did not live to say what came of it.
    Killed {
        /// The kernel says that it was a fault of its own.
        by_kernel: bool,
        /// How it ended, where that is known.
        how: Option<String>,
    },
}

/// What a driver's init returns that wants to be called again when there are more devices
/// (kernel: `include/linux/errno.h`).
const EPROBE_DEFER: i32 = 517;

impl Failure {
    /// The kernel's errno, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel(errno) => Some(*errno),
            _ => None,
        }
    }

    /// Whether the driver said that its device is not there, or not yet.
    pub fn is_no_device(&self) -> bool {
        matches!(self, Self::Kernel(Errno::ENODEV)) || self.is_deferred()
    }

    /// Whether the driver wants to be called again.
    pub fn is_deferred(&self) -> bool {
        matches!(self, Self::Number(EPROBE_DEFER))
    }
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Kernel(errno) | Failure::File(errno) => (*errno).into(),
            Failure::Number(EPROBE_DEFER) => "the driver waits for another device".into(),
            Failure::Number(number) => format!("Unknown error {number}").into(),
            Failure::Content(why) => why.as_str().into(),
            Failure::Memory(errno) => {
                format!("no room for the decompressed module: {}", Cause::from(*errno)).into()
            }
            Failure::NoModules => state::NO_SUPPORT.into(),
            Failure::NoFlags => "force needs finit_module, which this kernel lacks".into(),
            Failure::Killed { by_kernel: true, .. } => {
                "the kernel killed the worker: see its log".into()
            }
            Failure::Killed { how: Some(how), .. } => format!("its worker was {how}").into(),
            Failure::Killed { .. } => "its worker has ended".into(),
        }
    }
}

impl Route {
    /// The line of `-vv` about a module that was inserted.
    pub fn tell(&self, module: &ModuleName, path: &Path) -> String {
        format!("inserted '{module}' from {}: {self}", path.to_string_lossy())
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

/// A module's file, opened, and decompressed where that is to happen here.
pub struct Prepared {
    file: File,
    kind: Kind,
    image: Option<Image>,
}

/// A decompressed module.
enum Image {
    /// In a file in memory.
    File(File),
    /// Where there are no such files.
    Bytes(Large<u8>),
}

impl Prepared {
    /// Opens the file `path`, and decompresses it unless the kernel will. The kernel is not
    /// asked to where the `guard` has to see what is in the file.
    pub fn new(
        kernel: &dyn Kernel,
        path: &Path,
        guard: Guard<'_>,
        watch: &mut Watch,
    ) -> Result<Self, Failure> {
        let file = files::open(path).map_err(unreadable)?;
        let kind = files::kind(&file).map_err(unreadable)?;
        let mut prepared = Self { file, kind, image: None };
        let looks = guard.is_on() && kind.is_known();
        if kind == Kind::Plain {
            if guard.is_on() {
                guard.check(&whole(&prepared.file).map_err(unreadable)?)?;
            }
        } else if looks || kernel.compression() != kind.name() {
            prepared.decompress(kernel, guard, watch)?;
        }
        Ok(prepared)
    }

    /// How many bytes it takes in memory.
    pub fn size(&self) -> usize {
        match &self.image {
            None => 0,
            Some(Image::File(file)) => {
                file.metadata().map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(0))
            }
            Some(Image::Bytes(bytes)) => bytes.len(),
        }
    }

    fn decompress(
        &mut self,
        kernel: &dyn Kernel,
        guard: Guard<'_>,
        watch: &mut Watch,
    ) -> Result<(), Failure> {
        let content = watch.time(PhaseKind::Read, || whole(&self.file)).map_err(unreadable)?;
        watch.time(PhaseKind::Decompress, || {
            let image = files::decompressed(self.kind, &content, files::module_limit())
                .map_err(|failure| Failure::Content(failure.to_string()))?;
            drop(content);
            guard.check(&image)?;
            let file = kernel.memfd_create().ok();
            // Where there are none, or none so large, it goes to the kernel as it is.
            let file = file.filter(|mut file| file.write_all(&image).is_ok());
            self.image = Some(file.map_or(Image::Bytes(image), Image::File));
            Ok(())
        })
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::File(errno(&error))
}

fn no_room(error: io::Error) -> Failure {
    Failure::Memory(errno(&error))
}

/// All that is in `file`, wherever it stands.
fn whole(mut file: &File) -> io::Result<Large<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut content = Large::default();
    let length = files::read_into(file, &mut content.0)?;
    content.0.truncate(length);
    Ok(content)
}

/// Inserts the module in the file `path`, which may be `prepared` already.
pub fn insert(
    kernel: &dyn Kernel,
    path: &Path,
    mut prepared: Option<Prepared>,
    params: &CStr,
    how: Insertion<'_>,
    watch: &mut Watch,
) -> Result<Route, Failure> {
    let (mut busy, mut interrupted) = (0, 0);
    loop {
        let ready = match prepared.take() {
            Some(prepared) => Ok(prepared),
            None => Prepared::new(kernel, path, how.guard, watch),
        };
        match ready.and_then(|ready| insert_prepared(kernel, ready, params, how.flags, watch)) {
            Err(Failure::Kernel(Errno::EBUSY)) if busy < BUSY_RETRIES => busy += 1,
            Err(Failure::Kernel(Errno::EINTR)) if interrupted < INTERRUPTED_RETRIES => {
                interrupted += 1;
            }
            Err(Failure::Kernel(Errno::ENOSYS)) if !kernel.has_modules() => {
                return Err(Failure::NoModules);
            }
            Err(Failure::Kernel(Errno::UnknownErrno)) => {
                return Err(Failure::Number(kernel.unnamed()));
            }
            result => return result,
        }
    }
}

fn insert_prepared(
    kernel: &dyn Kernel,
    mut module: Prepared,
    params: &CStr,
    flags: InsertFlags,
    watch: &mut Watch,
) -> Result<Route, Failure> {
    let kind = module.kind;
    let mut finit = |file: &File, flags| {
        watch.time(PhaseKind::Kernel, || kernel.finit_module(file, params, flags))
    };
    let mut refused = None;
    if kind == Kind::Plain {
        match finit(&module.file, flags) {
            Ok(()) => return Ok(Route { kind, refused, rung: Rung::File }),
            Err(Errno::ENOSYS) => {}
            Err(errno) => return Err(Failure::Kernel(errno)),
        }
    } else if module.image.is_none() {
        match finit(&module.file, InsertFlags { compressed_file: true, ..flags }) {
            Ok(()) => return Ok(Route { kind, refused, rung: Rung::KernelDecompresses }),
            Err(Errno::ENOSYS) => {}
            // So it answers to data that it can't decompress, but to a bad
            // parameter, too: then the module is refused once more below.
            Err(errno @ (Errno::EINVAL | Errno::EOPNOTSUPP)) => refused = Some(errno),
            Err(errno) => return Err(Failure::Kernel(errno)),
        }
        if let (Some(errno), false) = (refused, kind.is_known()) {
            // Without a codec here, that is all there is to say.
            return Err(Failure::Kernel(errno));
        }
        module.decompress(kernel, Guard::default(), watch)?;
    }
    let image = match module.image {
        None => whole(&module.file).map_err(unreadable)?,
        Some(Image::Bytes(bytes)) => bytes,
        Some(Image::File(memory)) => {
            match watch.time(PhaseKind::Kernel, || kernel.finit_module(&memory, params, flags)) {
                Ok(()) => return Ok(Route { kind, refused, rung: Rung::Memory }),
                // A kernel that minds the file being open for writing, or whose
                // policy knows files of its own alone.
                Err(Errno::ENOSYS | Errno::ETXTBSY | Errno::EACCES) => {}
                Err(errno) => return Err(Failure::Kernel(errno)),
            }
            whole(&memory).map_err(no_room)?
        }
    };
    if flags != InsertFlags::default() {
        return Err(Failure::NoFlags);
    }
    watch
        .time(PhaseKind::Kernel, || kernel.init_module(&image, params))
        .map_err(Failure::Kernel)?;
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
        /// Whether there is room in it.
        room: bool,
        modules: bool,
        answers: RefCell<Vec<Result<(), Errno>>>,
        calls: RefCell<Vec<String>>,
    }

    impl Fake {
        fn new(compression: &'static str, answers: &[Result<(), Errno>]) -> Self {
            let answers = RefCell::new(answers.iter().rev().copied().collect());
            Self {
                compression,
                memfd: true,
                room: true,
                modules: true,
                answers,
                calls: RefCell::default(),
            }
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
            if !self.room {
                return Ok(File::open("/dev/null").unwrap());
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
        let how = Insertion { flags, ..Insertion::default() };
        let result = insert(kernel, &path, None, c"", how, &mut Watch::start(false));
        (result, kernel.calls.take())
    }

    #[cfg(feature = "gzip")]
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

        let mut kernel = Fake::new("", &[]);
        kernel.room = false;
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
        assert!(matches!(result.unwrap_err(), Failure::Content(_)));
        assert!(calls.is_empty());
    }
}
