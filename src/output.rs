//! Standard output, and the log that errors go to.
//!
//! Called by the kernel, a program has no standard streams. The log then goes
//! where the system's daemons log: to `/dev/log`, or where nobody listens there,
//! to the kernel's own log.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::entry;
use crate::error::{Cause, Status};
use crate::files;

/// How urgent a message is (`syslog(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is logged at this level.
    Silent = 0,
    /// The program gives up.
    Fatal = 2,
    /// Something asked for is not done.
    Error = 3,
    /// Something is odd.
    Warning = 4,
    /// Told under `-v`.
    Notice = 5,
    /// Told under `-vv`.
    Info = 6,
}

/// `LOG_DAEMON` of `syslog(3)`, in place.
const FACILITY: u8 = 3 << 3;

/// What fits into a record of the kernel's log.
const KMSG_RECORD: usize = 960;

/// Where messages go, and which of them.
pub struct Log {
    applet: &'static str,
    level: Level,
    syslog: bool,
}

impl Log {
    /// A log for `applet` that tells what is at least as urgent as `level`.
    pub fn new(applet: &'static str, level: Level, syslog: bool) -> Self {
        let syslog = syslog || !entry::stderr_is_open();
        entry::shortage::is_told_by(applet.as_bytes(), syslog);
        Self { applet, level, syslog }
    }

    /// The same, telling nothing.
    pub fn silenced(&self) -> Self {
        Self { level: Level::Silent, ..*self }
    }

    /// Whether messages of `level` are told.
    pub fn tells(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Tells `message`.
    pub fn tell(&self, level: Level, message: impl Display) {
        if self.tells(level) {
            self.put(level, &message);
        }
    }

    fn put(&self, level: Level, message: &dyn Display) {
        let word = match level {
            Level::Fatal => "FATAL: ",
            Level::Error => "ERROR: ",
            Level::Warning => "WARNING: ",
            Level::Notice => "NOTICE: ",
            Level::Info | Level::Silent => "INFO: ",
        };
        let mut text = format!("{}: {word}{message}", self.applet);
        if self.syslog {
            self.send(level, text.as_bytes());
        } else {
            text.push('\n');
            // There is nobody to tell that nothing can be told.
            let _ = write_all(entry::STDERR, text.as_bytes());
        }
    }

    /// Tells that nothing more will be done.
    pub fn fatal(&self, message: impl Display) -> Status {
        self.tell(Level::Fatal, message);
        Status::Failure
    }

    /// Tells that something asked for is not done.
    pub fn error(&self, message: impl Display) -> Status {
        self.tell(Level::Error, message);
        Status::Failure
    }

    /// Tells that something is odd.
    pub fn warning(&self, message: impl Display) {
        self.tell(Level::Warning, message);
    }

    fn send(&self, level: Level, message: &[u8]) {
        let record = [format!("<{}>", FACILITY | level as u8).as_bytes(), message].concat();
        let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(&record, "/dev/log"));
        if sent.is_err() {
            if let Ok(mut kmsg) = files::open_to_write(Path::new("/dev/kmsg"), OFlag::empty()) {
                // Without the line feed the kernel would wait for more of it,
                // and what is too long for a record it does not take at all.
                let record = record.get(..KMSG_RECORD).unwrap_or(&record);
                let _ = kmsg.write_all(&[record, b"\n"].concat());
            }
        }
    }
}

/// Writes `text` to standard output; tells `log` if that fails.
pub fn print(log: &Log, text: &[u8]) -> Status {
    match write_all(entry::STDOUT, text) {
        Ok(()) => Status::Success,
        Err(cause) => log.error(format_args!("could not write to standard output: {cause}")),
    }
}

fn write_all(to: entry::Stream, mut text: &[u8]) -> Result<(), Cause> {
    use nix::errno::Errno;
    while !text.is_empty() {
        match nix::unistd::write(to, text) {
            Ok(count) => text = text.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            // Closed: whoever called did not want to know.
            Err(Errno::EBADF) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
