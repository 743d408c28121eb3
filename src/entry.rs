//! The C library's edge: the entry point in place of Rust's start-up code, `system(3)`,
//! threads, directories' entries, and a few functions in place of musl's. The only unsafe code of the crate.
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

use std::ffi::{CStr, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::collect::Collect;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc;
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

/// Reads the next entries of `directory` into `entries`, as many as there is room for, in the
/// kernel's own form (`struct linux_dirent64`), and says how many bytes these are.
pub fn read_entries(directory: BorrowedFd<'_>, entries: &mut [u8]) -> io::Result<usize> {
    let (fd, room) = (directory.as_raw_fd(), entries.len());
    // SAFETY: the kernel writes no more than there is room for.
    let length = unsafe { libc::syscall(libc::SYS_getdents64, fd, entries.as_mut_ptr(), room) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
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

/// Memory in place of musl's `malloc(3)`, which is 9 KB and careful in ways that a program
/// of a few milliseconds has no use for: pieces of 16 bytes to 64 KiB, each of a power of
/// two, are cut from large blocks, and wait in a list for the next of their size when they
/// are given back. What is larger is the kernel's own.
///
/// What Rust drops is not given back: without the code that would do so at each place, the
/// binary is a twentieth smaller, and a process that has so little to remember ends soon.
/// What a vector grows or shrinks out of is, and so what is in a `Large`, and C's memory.
#[cfg(any(test, target_env = "musl"))]
mod memory {
    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::UnsafeCell;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::libc;

    /// The least piece, and how pieces are aligned.
    const UNIT: usize = 16;
    /// The largest piece.
    const LARGEST: usize = UNIT << (SIZES - 1);
    const SIZES: usize = 13;
    /// What is asked of the kernel at once.
    const BLOCK: usize = 4 * LARGEST;

    #[cfg_attr(not(test), global_allocator)]
    static MEMORY: Memory = Memory {
        is_taken: AtomicBool::new(false),
        pool: UnsafeCell::new(Pool { free: [null_mut(); SIZES], start: 0, end: 0 }),
    };

    struct Memory {
        is_taken: AtomicBool,
        pool: UnsafeCell<Pool>,
    }

    // SAFETY: the pool is only touched by whoever set `is_taken`.
    unsafe impl Sync for Memory {}

    struct Pool {
        /// Lists of pieces that were given back, by size; each starts with the next one.
        free: [*mut u8; SIZES],
        /// What is left of the last block.
        start: usize,
        end: usize,
    }

    /// The number of the size of which a piece for `size` bytes is.
    fn number(size: usize) -> usize {
        (size.saturating_sub(1) | (UNIT - 1)).ilog2() as usize - 3
    }

    fn is_large(layout: Layout) -> bool {
        layout.size() > LARGEST || layout.align() > UNIT
    }

    fn from_kernel(size: usize) -> *mut u8 {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new pages, wherever the kernel wants to have them.
        let pages = unsafe { libc::mmap(null_mut(), size, protection, flags, -1, 0) };
        if pages == libc::MAP_FAILED { null_mut() } else { pages.cast() }
    }

    impl Pool {
        fn take(&mut self, number: usize) -> *mut u8 {
            let Some(free) = self.free.get_mut(number) else { return null_mut() };
            if !free.is_null() {
                let piece = *free;
                // SAFETY: who gave it back wrote there what comes next.
                *free = unsafe { piece.cast::<*mut u8>().read() };
                return piece;
            }
            let size = UNIT << number;
            if self.end - self.start < size {
                let block = from_kernel(BLOCK) as usize;
                if block == 0 {
                    return null_mut();
                }
                (self.start, self.end) = (block, block + BLOCK);
            }
            self.start += size;
            (self.start - size) as *mut u8
        }

        fn give(&mut self, number: usize, piece: *mut u8) {
            if let Some(free) = self.free.get_mut(number) {
                // SAFETY: a piece is at least 16 bytes, and nobody uses it any more.
                unsafe { piece.cast::<*mut u8>().write(*free) };
                *free = piece;
            }
        }
    }

    impl Memory {
        #[inline(never)]
        fn with<T>(&self, work: impl FnOnce(&mut Pool) -> T) -> T {
            while self.is_taken.swap(true, Ordering::Acquire) {
                // SAFETY: it has no conditions.
                unsafe { libc::sched_yield() };
            }
            // SAFETY: nobody else has it before `is_taken` is false again.
            let result = work(unsafe { &mut *self.pool.get() });
            self.is_taken.store(false, Ordering::Release);
            result
        }

        /// # Safety
        /// As for `GlobalAlloc::dealloc`.
        unsafe fn give_back(&self, piece: *mut u8, layout: Layout) {
            match is_large(layout) {
                // SAFETY: it came from there.
                true => unsafe {
                    libc::munmap(piece.cast(), layout.size());
                },
                false => self.with(|pool| pool.give(number(layout.size()), piece)),
            }
        }
    }

    // SAFETY: pieces are as large and as aligned as was asked for, and nobody else's.
    unsafe impl GlobalAlloc for Memory {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match is_large(layout) {
                true => from_kernel(layout.size()),
                false => self.with(|pool| pool.take(number(layout.size()))),
            }
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: it is the piece's size; the kernel's pages are zero already.
            unsafe {
                let piece = self.alloc(layout);
                if !is_large(layout) && !piece.is_null() {
                    piece.write_bytes(0, layout.size());
                }
                piece
            }
        }

        unsafe fn realloc(&self, piece: *mut u8, old: Layout, size: usize) -> *mut u8 {
            // SAFETY: the caller says that `size` makes a layout, and of `piece` what
            // `dealloc` has to know.
            unsafe {
                let new = Layout::from_size_align_unchecked(size, old.align());
                match (is_large(old), is_large(new)) {
                    (false, false) if number(old.size()) == number(size) => return piece,
                    (true, true) => {
                        let move_it = libc::MREMAP_MAYMOVE;
                        let moved = libc::mremap(piece.cast(), old.size(), size, move_it);
                        return if moved == libc::MAP_FAILED { null_mut() } else { moved.cast() };
                    }
                    _ => {}
                }
                let moved = self.alloc(new);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(piece, old.size().min(size));
                    self.give_back(piece, old);
                }
                moved
            }
        }
    }

    /// C's functions, for the C libraries: a piece begins with its size, as `free` is not
    /// told that.
    #[cfg(not(test))]
    mod c {
        use nix::libc::{c_int, c_void, size_t};

        use super::*;

        const _: () = assert!(size_of::<Layout>() <= UNIT);

        /// The layout of a piece with `size` bytes for the caller.
        fn layout(size: size_t) -> Option<Layout> {
            Layout::from_size_align(size.checked_add(UNIT)?, UNIT).ok()
        }

        /// What the caller gets of `piece`, whose size is noted.
        unsafe fn noted(piece: *mut u8, layout: Layout) -> *mut c_void {
            if piece.is_null() {
                return null_mut();
            }
            // SAFETY: there are 16 bytes before what the caller gets.
            unsafe {
                piece.cast::<Layout>().write(layout);
                piece.add(UNIT).cast()
            }
        }

        /// Undoes [`noted`].
        unsafe fn found(given: *mut c_void) -> (*mut u8, Layout) {
            // SAFETY: the caller has it from one of these functions.
            unsafe {
                let piece = given.cast::<u8>().sub(UNIT);
                (piece, piece.cast::<Layout>().read())
            }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
            let Some(layout) = layout(size) else { return null_mut() };
            // SAFETY: of size 16 at least.
            unsafe { noted(MEMORY.alloc(layout), layout) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
            let Some(layout) = count.checked_mul(size).and_then(layout) else { return null_mut() };
            // SAFETY: of size 16 at least.
            unsafe { noted(MEMORY.alloc_zeroed(layout), layout) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn realloc(given: *mut c_void, size: size_t) -> *mut c_void {
            let Some(new) = layout(size) else { return null_mut() };
            // SAFETY: the caller has it from one of these functions, or it is null.
            unsafe {
                if given.is_null() {
                    return noted(MEMORY.alloc(new), new);
                }
                let (piece, old) = found(given);
                noted(MEMORY.realloc(piece, old, new.size()), new)
            }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn free(given: *mut c_void) {
            if given.is_null() {
                return;
            }
            // SAFETY: the caller has it from one of these functions.
            unsafe {
                let (piece, layout) = found(given);
                MEMORY.give_back(piece, layout);
            }
        }

        /// Nobody here wants a larger alignment than any piece has.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
            // SAFETY: as for `malloc`.
            if alignment <= UNIT { unsafe { malloc(size) } } else { null_mut() }
        }

        /// The same.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn posix_memalign(
            to: *mut *mut c_void,
            alignment: size_t,
            size: size_t,
        ) -> c_int {
            // SAFETY: `to` is the caller's.
            unsafe {
                let piece = aligned_alloc(alignment, size);
                to.write(piece);
                if piece.is_null() { libc::ENOMEM } else { 0 }
            }
        }
    }

    #[cfg(test)]
    mod tests;
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
    let arguments: Vec<OsString> = (0..count).map(argument).vec();
    crate::run(&arguments).code()
}
