//! The C library's edge: the entry point in place of Rust's start-up code, `system(3)`,
//! and three functions in place of musl's. The only unsafe code of the crate.
//!
//! The kernel calls `/sbin/modprobe` with the three standard streams closed.
//! Rust's start-up code opens `/dev/null` in their place and aborts where there
//! is none, as in an initramfs before `/dev` is populated; and it ignores
//! SIGPIPE, so that writing to a closed pipe is an error to report where every
//! other tool dies quietly. A C `main` runs without it. With musl, the arguments
//! are then those that `main` gets and none else.
//!
//! `system` is 30 KB smaller than what the standard library has for commands.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;

/// A standard stream.
#[derive(Clone, Copy)]
pub struct Stream(c_int);

/// Standard output.
pub const STDOUT: Stream = Stream(1);
/// Standard error.
pub const STDERR: Stream = Stream(2);

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `occupy_standard_streams` has made sure that 0, 1 and 2 are
        // open, and nothing ever closes them.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

static STDERR_WAS_OPEN: AtomicBool = AtomicBool::new(true);

/// Whether the caller left standard error open.
pub fn stderr_is_open() -> bool {
    STDERR_WAS_OPEN.load(Ordering::Relaxed)
}

/// Puts something harmless where a standard stream is closed, so that no
/// module's file gets its number and no message is written into one. `/` exists
/// without `/dev`, and what is opened as a path can't be read or written.
fn occupy_standard_streams() {
    for stream in [Stream(0), STDOUT, STDERR] {
        // SAFETY: only asked whether it is open.
        let fd = unsafe { BorrowedFd::borrow_raw(stream.0) };
        let flags = fcntl(fd, FcntlArg::F_GETFL);
        // What a modprobe that runs this one put there is no stream either.
        let is_open = flags.is_ok_and(|flags| flags & OFlag::O_PATH.bits() == 0);
        if stream.0 == STDERR.0 && !is_open {
            STDERR_WAS_OPEN.store(false, Ordering::Relaxed);
        }
        if flags.is_ok() {
            continue;
        }
        // The lowest free number is this one, as those below it are taken.
        if let Ok(fd) = open("/", OFlag::O_PATH, Mode::empty()) {
            std::mem::forget(fd);
        }
    }
}

unsafe extern "C" {
    fn setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int;
    fn system(command: *const c_char) -> c_int;
}

/// Sets an environment variable, for the commands that [`run_command`] runs.
pub fn set_variable(name: &CStr, value: &CStr) {
    // SAFETY: both are NUL-terminated and copied, and of all threads one at a time
    // calls this, while none reads a variable.
    unsafe { setenv(name.as_ptr(), value.as_ptr(), 1) };
}

/// Runs a shell command and waits for it: `system(3)`.
pub fn run_command(command: &CStr) -> io::Result<ExitStatus> {
    // SAFETY: it is NUL-terminated.
    match unsafe { system(command.as_ptr()) } {
        -1 => Err(io::Error::last_os_error()),
        status => Ok(ExitStatus::from_raw(status)),
    }
}

/// The name of a thread, in place of musl's function, which writes it with `printf`:
/// 10 KB for threads that have no names.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn pthread_setname_np(_thread: *const u8, _name: *const c_char) -> c_int {
    0
}

/// `memcpy(3)`: musl's takes thirty cycles before the first byte, and most pieces are
/// short. `scripts/build` has the linker take this one.
///
/// # Safety
/// As for `memcpy`.
#[cfg(all(not(test), target_arch = "x86_64"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    /// Copies `count` bytes that are one or two of `T`: the first and the last.
    unsafe fn ends<T>(to: *mut u8, from: *const u8, count: usize) {
        let last = count - size_of::<T>();
        // SAFETY: `count` is not less than a `T` takes.
        unsafe {
            let (a, b) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>());
            let b = b.read_unaligned();
            to.cast::<T>().write_unaligned(a);
            to.add(last).cast::<T>().write_unaligned(b);
        }
    }
    // SAFETY: the caller says that there are `count` bytes in both places.
    unsafe {
        match count {
            0 => {}
            1 => *to = *from,
            2..4 => ends::<u16>(to, from, count),
            4..8 => ends::<u32>(to, from, count),
            8..16 => ends::<u64>(to, from, count),
            16..=32 => ends::<u128>(to, from, count),
            33..=64 => ends::<[u128; 2]>(to, from, count),
            _ => std::arch::asm!(
                "rep movsb",
                inout("rcx") count => _,
                inout("rdi") to => _,
                inout("rsi") from => _,
                options(nostack, preserves_flags)
            ),
        }
    }
    to
}

/// `memcmp(3)`: eight bytes at a time, where musl's compares one.
///
/// # Safety
/// As for `memcmp`.
#[cfg(all(not(test), target_arch = "x86_64"))]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_memcmp(a: *const u8, b: *const u8, count: usize) -> c_int {
    let mut at = 0;
    while at < count {
        // SAFETY: the caller says that there are `count` bytes in both places.
        let (x, y, step) = unsafe {
            match count - at {
                0..8 => (u64::from(*a.add(at)), u64::from(*b.add(at)), 1),
                _ => {
                    let word = |from: *const u8| from.add(at).cast::<u64>().read_unaligned();
                    // The first byte counts most.
                    (word(a).swap_bytes(), word(b).swap_bytes(), 8)
                }
            }
        };
        if x != y {
            return if x < y { -1 } else { 1 };
        }
        at += step;
    }
    0
}

/// The C entry point.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[cfg_attr(test, allow(dead_code))]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    occupy_standard_streams();
    let count = usize::try_from(argc).unwrap_or(0);
    let argument = |at| {
        // SAFETY: `argv` holds `argc` pointers to NUL-terminated strings, which
        // live as long as the process.
        let text = unsafe { CStr::from_ptr(*argv.add(at)) };
        OsStr::from_bytes(text.to_bytes()).to_owned()
    };
    let arguments: Vec<OsString> = (0..count).map(argument).collect();
    crate::run(&arguments).code()
}
