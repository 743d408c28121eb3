//! What went wrong, in the words that scripts match, and the exit status.
//!
//! An [`Error`] reads `could not insert 'x': operation's errno sentence`, and
//! behind it, in parentheses, what else is known: the dependency that failed
//! and the kernel's own words. The errno sentences are glibc's, as these are
//! what kmod prints, whatever libc this binary is linked with.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use nix::errno::Errno;

/// How many lines of the kernel's are shown.
const KERNEL_LINES: usize = 3;

/// One failure: `doing` `subject`: `cause` (`notes`). In a box, as results of all kinds
/// are handed on and few of them are errors.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    /// What was tried, as `could not insert 'x'` or the whole message.
    doing: String,
    /// Why it failed.
    cause: Cause,
    /// What else is known, each a clause: shown in parentheses.
    notes: Vec<String>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A system call's errno.
    Errno(Errno),
    /// A sentence that says more than an errno could.
    Text(String),
    /// `doing` is the whole message.
    Said,
}

impl Error {
    /// A failure to do `doing` because of `cause`.
    pub fn new(doing: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::of(doing.into(), cause.into())
    }

    /// The same in one piece of code for all kinds.
    #[inline(never)]
    fn of(doing: String, cause: Cause) -> Self {
        Self(Box::new(Parts { doing, cause, notes: Vec::new() }))
    }

    /// The file or directory `path` could not be read.
    pub fn reading(path: &Path, cause: impl Into<Cause>) -> Self {
        Self::new(format!("could not read {}", path.to_string_lossy()), cause)
    }

    /// A message that is complete as it stands.
    pub fn said(message: impl Into<String>) -> Self {
        Self::new(message, Cause::Said)
    }

    /// Whether what it is about is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self.0.cause, Cause::Errno(Errno::ENOENT | Errno::ENOTDIR))
    }

    /// Whether it is about something that is there and could not be read.
    pub fn is_unread(&self) -> bool {
        matches!(self.0.cause, Cause::Errno(errno) if errno != Errno::ENOENT)
    }

    /// Adds a clause to the parentheses.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds what the kernel said, if it said anything: its first lines.
    pub fn kernel(self, words: &[String]) -> Self {
        match words.get(..KERNEL_LINES).unwrap_or(words) {
            [] => self,
            words => self.note(format!("kernel: {}", words.join("; "))),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { doing, cause, notes } = &*self.0;
        f.write_str(doing)?;
        match cause {
            Cause::Said => {}
            cause => write!(f, ": {cause}")?,
        }
        match notes.as_slice() {
            [] => Ok(()),
            notes => write!(f, " ({})", notes.join("; ")),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => match sentence(*errno) {
                Some(sentence) => f.write_str(&sentence),
                None => write!(f, "Unknown error {}", *errno as i32),
            },
            Self::Text(text) => f.write_str(text),
            Self::Said => Ok(()),
        }
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        (&error).into()
    }
}

impl From<&std::io::Error> for Cause {
    fn from(error: &std::io::Error) -> Self {
        Self::Errno(errno(error))
    }
}

/// The number of `error`, or what comes near to it.
pub fn errno(error: &std::io::Error) -> Errno {
    // What std finds by itself is a file's name with a NUL in it. To ask it for its own words,
    // or for the kind of an error, takes all of its tables along.
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

/// Whether the call is to be made again.
pub fn is_interrupted(error: &std::io::Error) -> bool {
    errno(error) == Errno::EINTR
}

/// Whether a file that the kernel makes is not there, or its device or module has gone while it
/// was read.
pub fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV)
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// glibc's sentences for the errors that module calls and drivers' inits return.
const SENTENCES: &[(Errno, &str)] = &[
    (Errno::EPERM, "Operation not permitted"),
    (Errno::ENOENT, "No such file or directory"),
    (Errno::ESRCH, "No such process"),
    (Errno::EINTR, "Interrupted system call"),
    (Errno::EIO, "Input/output error"),
    (Errno::ENXIO, "No such device or address"),
    (Errno::E2BIG, "Argument list too long"),
    (Errno::ENOEXEC, "Exec format error"),
    (Errno::EBADF, "Bad file descriptor"),
    (Errno::ECHILD, "No child processes"),
    (Errno::EAGAIN, "Resource temporarily unavailable"),
    (Errno::ENOMEM, "Cannot allocate memory"),
    (Errno::EACCES, "Permission denied"),
    (Errno::EFAULT, "Bad address"),
    (Errno::EBUSY, "Device or resource busy"),
    (Errno::EEXIST, "File exists"),
    (Errno::EXDEV, "Invalid cross-device link"),
    (Errno::ENODEV, "No such device"),
    (Errno::ENOTDIR, "Not a directory"),
    (Errno::EISDIR, "Is a directory"),
    (Errno::EINVAL, "Invalid argument"),
    (Errno::ENFILE, "Too many open files in system"),
    (Errno::EMFILE, "Too many open files"),
    (Errno::ETXTBSY, "Text file busy"),
    (Errno::EFBIG, "File too large"),
    (Errno::ENOSPC, "No space left on device"),
    (Errno::ESPIPE, "Illegal seek"),
    (Errno::EROFS, "Read-only file system"),
    (Errno::EPIPE, "Broken pipe"),
    (Errno::ERANGE, "Numerical result out of range"),
    (Errno::ENAMETOOLONG, "File name too long"),
    (Errno::ENOSYS, "Function not implemented"),
    (Errno::ELOOP, "Too many levels of symbolic links"),
    (Errno::ENODATA, "No data available"),
    (Errno::ETIME, "Timer expired"),
    (Errno::ENOPKG, "Package not installed"),
    (Errno::ECOMM, "Communication error on send"),
    (Errno::EPROTO, "Protocol error"),
    (Errno::EBADMSG, "Bad message"),
    (Errno::EOVERFLOW, "Value too large for defined data type"),
    (Errno::EILSEQ, "Invalid or incomplete multibyte or wide character"),
    (Errno::EOPNOTSUPP, "Operation not supported"),
    (Errno::EAFNOSUPPORT, "Address family not supported by protocol"),
    (Errno::EADDRINUSE, "Address already in use"),
    (Errno::ENOBUFS, "No buffer space available"),
    (Errno::ETIMEDOUT, "Connection timed out"),
    (Errno::EALREADY, "Operation already in progress"),
    (Errno::EREMOTEIO, "Remote I/O error"),
    (Errno::ENOKEY, "Required key not available"),
    (Errno::EKEYEXPIRED, "Key has expired"),
    (Errno::EKEYREVOKED, "Key has been revoked"),
    (Errno::EKEYREJECTED, "Key was rejected by service"),
    (Errno::ERFKILL, "Operation not possible due to RF-kill"),
    (Errno::EHWPOISON, "Memory page has hardware error"),
];

/// The same as bytes: number, length, text. A pointer to each would be as long as the
/// texts are.
static PACKED: [u8; packed_length()] = packed();

#[allow(clippy::indexing_slicing, reason = "done by the compiler, which would refuse it")]
const fn packed_length() -> usize {
    let (mut at, mut length) = (0, 0);
    while at < SENTENCES.len() {
        length += 2 + SENTENCES[at].1.len();
        at += 1;
    }
    length
}

#[allow(clippy::indexing_slicing, reason = "done by the compiler, which would refuse it")]
const fn packed() -> [u8; packed_length()] {
    let mut packed = [0; packed_length()];
    let (mut at, mut end) = (0, 0);
    while at < SENTENCES.len() {
        let (errno, text) = (SENTENCES[at].0, SENTENCES[at].1.as_bytes());
        packed[end] = errno as u8;
        packed[end + 1] = text.len() as u8;
        end += 2;
        let mut from = 0;
        while from < text.len() {
            packed[end] = text[from];
            end += 1;
            from += 1;
        }
        at += 1;
    }
    packed
}

fn sentence(errno: Errno) -> Option<Cow<'static, str>> {
    let mut rest = &PACKED[..];
    while let [number, length, texts @ ..] = rest {
        let (text, others) = texts.split_at_checked(usize::from(*length))?;
        if i32::from(*number) == errno as i32 {
            return Some(String::from_utf8_lossy(text));
        }
        rest = others;
    }
    None
}

/// A command's exit status. Many-argument commands keep the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Everything asked for is done: exit status 0.
    Success,
    /// Something is not: exit status 1.
    Failure,
    /// What was waited for did not come: exit status 2, of coldplug.
    Missing,
    /// The kernel could not be locked: exit status 3, of coldplug.
    Unlocked,
    /// The command line is wrong: exit status 64, of coldplug (`EX_USAGE`, `sysexits.h`).
    Usage,
}

impl Status {
    /// A failure if `is_so`.
    pub fn failure_if(is_so: bool) -> Self {
        if is_so { Self::Failure } else { Self::Success }
    }

    /// The worse of the two.
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    /// The number that the process exits with.
    pub fn code(self) -> i32 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Missing => 2,
            Self::Unlocked => 3,
            Self::Usage => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_scripts_expect() {
        let error = Error::new("could not insert 'x'", Errno::EPERM).note("kernel: x: no");
        assert_eq!(
            error.to_string(),
            "could not insert 'x': Operation not permitted (kernel: x: no)"
        );
        assert_eq!(Error::said("missing filename.").to_string(), "missing filename.");
    }

    #[test]
    fn every_sentence_is_found() {
        for (errno, text) in SENTENCES {
            assert_eq!(sentence(*errno).as_deref(), Some(*text));
            assert!(*errno as i32 <= 255 && text.len() <= 255);
        }
        assert_eq!(sentence(Errno::UnknownErrno), None);
        assert_eq!(sentence(Errno::EL2HLT), None);
    }

    #[test]
    fn the_worst_status_stays() {
        assert_eq!(Status::Success.merge(Status::Failure), Status::Failure);
        assert_eq!(Status::Failure.merge(Status::Success), Status::Failure);
        assert_eq!(Status::Success.merge(Status::Success).code(), 0);
    }
}
