//! The kernel's edge: the system calls, the load ladder, the kernel's own
//! words, and the execution of a plan.

pub mod clock;
pub mod execute;
pub mod explain;
#[cfg(feature = "firmware")]
pub mod firmware;
#[cfg(not(feature = "firmware"))]
#[path = "firmware_unknown.rs"]
pub mod firmware;
mod guard;
pub mod linux;
pub mod load;
pub mod log;
pub mod queue;
pub mod reason;
#[cfg(feature = "trace")]
pub mod record;
#[cfg(not(feature = "trace"))]
#[path = "record_nothing.rs"]
pub mod record;
pub mod uevent;
#[cfg(feature = "trace")]
pub mod watch;
#[cfg(not(feature = "trace"))]
#[path = "watch_nothing.rs"]
pub mod watch;
mod worker;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::process::ExitStatus;

use nix::errno::Errno;

#[cfg(any(test, feature = "depmod"))]
pub use crate::entry::with_threads;
use crate::name::ModuleName;
pub use guard::Guard;

/// Flags of `finit_module(2)` (kernel: `include/uapi/linux/module.h`).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct InsertFlags {
    /// `MODULE_INIT_IGNORE_MODVERSIONS`
    pub ignore_modversions: bool,
    /// `MODULE_INIT_IGNORE_VERMAGIC`
    pub ignore_vermagic: bool,
    /// `MODULE_INIT_COMPRESSED_FILE`
    pub compressed_file: bool,
}

impl InsertFlags {
    /// The flags that an applet's force options ask for.
    pub fn force(all: bool, modversions: bool, vermagic: bool) -> Self {
        Self {
            ignore_modversions: all || modversions,
            ignore_vermagic: all || vermagic,
            compressed_file: false,
        }
    }
}

/// How modules are inserted.
#[derive(Default, Clone, Copy)]
pub struct Insertion<'a> {
    /// The flags of each.
    pub flags: InsertFlags,
    /// What is kept out.
    pub guard: Guard<'a>,
}

/// The system calls that a loader makes. The real kernel, or one that a test
/// makes up: no policy is below this line.
pub trait Kernel {
    /// `finit_module(2)`
    fn finit_module(&self, file: &File, params: &CStr, flags: InsertFlags) -> Result<(), Errno>;

    /// `init_module(2)`
    fn init_module(&self, image: &[u8], params: &CStr) -> Result<(), Errno>;

    /// `delete_module(2)`, never waiting; with `force`, even if in use.
    fn delete_module(&self, name: &CStr, force: bool) -> Result<(), Errno>;

    /// Runs a shell command for module `module`, and waits for it.
    fn run(&self, command: &[u8], module: &ModuleName) -> io::Result<ExitStatus>;

    /// `memfd_create(2)`: a file in memory.
    fn memfd_create(&self) -> Result<File, Errno>;

    /// Whether the kernel can have modules at all.
    fn has_modules(&self) -> bool;

    /// The compression that the kernel undoes itself, from
    /// `/sys/module/compression`; empty where it undoes none.
    fn compression(&self) -> &str;

    /// Remembers where the kernel's log ends now, if no place in it is remembered yet.
    fn mark_log(&self) {}

    /// What the kernel has logged about module `name` since the mark; of a process that was
    /// `killed` when it inserted that, what the kernel says of the fault, if it was its own.
    fn log_since_mark(&self, _name: &[u8], _killed: Option<i32>) -> Vec<String> {
        Vec::new()
    }

    /// The number of the last refusal, if that was `Errno::UnknownErrno`: an init may return
    /// numbers that mean something inside of the kernel alone.
    fn unnamed(&self) -> i32 {
        0
    }
}
