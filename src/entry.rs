//! The C library's edge: the entry point in place of Rust's start-up code, processes,
//! threads, directories' entries, and a few functions in place of musl's. The only unsafe
//! code of the crate.
//!
//! The kernel calls `/sbin/modprobe` with the three standard streams closed.
//! Rust's start-up code opens `/dev/null` in their place and aborts where there
//! is none, as in an initramfs before `/dev` is populated; and it ignores
//! SIGPIPE, so that writing to a closed pipe is an error to report where every
//! other tool dies quietly. A C `main` runs without it. With musl, the arguments
//! are then those that `main` gets and none else.
#![allow(unsafe_code)]

#[cfg(any(test, target_env = "musl"))]
mod memory;
pub mod process;
pub mod shortage;

use std::ffi::{CStr, OsStr, OsString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::collect::Collect;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc;
use nix::sys::stat::Mode;

#[cfg(all(not(test), not(target_env = "musl")))]
#[global_allocator]
static MEMORY: shortage::Ours<std::alloc::System> = shortage::Ours(std::alloc::System);

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

/// Reads the next entries of `directory` into `entries`, as many as there is room for, in the
/// kernel's own form (`struct linux_dirent64`), and says how many bytes these are.
pub fn read_entries(directory: BorrowedFd<'_>, entries: &mut [u8]) -> Result<usize, Errno> {
    let (fd, room) = (directory.as_raw_fd(), entries.len());
    // SAFETY: the kernel writes no more than there is room for.
    let length = unsafe { libc::syscall(libc::SYS_getdents64, fd, entries.as_mut_ptr(), room) };
    usize::try_from(length).map_err(|_| Errno::last())
}

/// How many bytes of memory the machine has, and how many nobody uses.
pub fn machine_memory() -> Option<(u64, u64)> {
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: what is not filled in is zero, which is a number, too.
    let info = unsafe {
        let failed = libc::sysinfo(info.as_mut_ptr()) != 0;
        (!failed).then(|| info.assume_init())?
    };
    // These have other widths on other machines.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    let bytes = |units| u64::from(units).checked_mul(u64::from(info.mem_unit));
    Some((bytes(info.totalram)?, bytes(info.freeram)?))
}

/// A thread of [`with_threads`]: what it does, and its number.
struct Start<'a>(&'a (dyn Fn(usize) + Sync), usize);

/// Waits for all of them before anything that they use goes away.
struct Threads(Vec<libc::pthread_t>);

impl Drop for Threads {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // SAFETY: it was started, and nobody has waited for it.
            unsafe { libc::pthread_join(thread, null_mut()) };
        }
    }
}

extern "C" fn start(start: *mut c_void) -> *mut c_void {
    // SAFETY: `with_threads` keeps it until this thread is over.
    let Start(work, number) = unsafe { &*start.cast::<Start<'_>>() };
    work(*number);
    null_mut()
}

/// Has up to `count` threads, with stacks of so many bytes, call `work` with their numbers,
/// from 1 on, while this one calls `drive` with how many could be started. Ends when all
/// are over. The standard library's threads take 10 KB more.
#[cfg_attr(not(any(feature = "jobs", feature = "depmod")), allow(dead_code))]
pub fn with_threads<T>(
    count: usize,
    stack: usize,
    work: &(dyn Fn(usize) + Sync),
    drive: impl FnOnce(usize) -> T,
) -> T {
    let starts: Vec<Start<'_>> = (1..=count).map(|number| Start(work, number)).vec();
    let mut threads = Threads(Vec::new());
    for given in &starts {
        let mut attributes = MaybeUninit::uninit();
        let mut thread = MaybeUninit::uninit();
        // SAFETY: `given` and what it refers to live until the thread was waited for, and
        // what is written is read only where that was done.
        unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack);
            let given = (given as *const Start<'_>).cast_mut().cast();
            let failed =
                libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), start, given);
            if failed != 0 {
                break;
            }
            threads.0.push(thread.assume_init());
        }
    }
    drive(threads.0.len())
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
    // SAFETY: `argv` holds `argc` pointers to NUL-terminated strings, which
    // live as long as the process.
    let text = |at| -> &'static [u8] { unsafe { CStr::from_ptr(*argv.add(at)) }.to_bytes() };
    if count > 0 {
        let name = text(0).rsplit(|&c| c == b'/').next().unwrap_or_default();
        let is_word = name == b"nanomod" && count > 1 && !text(1).starts_with(b"-");
        shortage::is_told_by(if is_word { text(1) } else { name }, !stderr_is_open());
    }
    let argument = |at| OsStr::from_bytes(text(at)).to_owned();
    let arguments: Vec<OsString> = (0..count).map(argument).vec();
    crate::run(&arguments).code()
}
