//! No more memory: the end of the process, with a word. Rust would end it by a signal, of
//! which a boot without a shell shows nothing.
//!
//! What has to do with files, whose sizes others choose, asks by [`zeroed`] and [`fallibly`],
//! and tells which file it was.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::write;

use super::STDERR;

/// The applet's name, and where its messages go.
static NAME: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static KERNELS_LOG: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread can do without what it asks for.
    static MAY_FAIL: Cell<bool> = const { Cell::new(false) };
}

/// From now on a shortage is told by `name`: to standard error, or the kernel's log. Not while
/// there are other threads.
pub fn is_told_by(name: &'static [u8], kernels_log: bool) {
    NAME.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
    LENGTH.store(name.len(), Ordering::Relaxed);
    KERNELS_LOG.store(kernels_log, Ordering::Relaxed);
}

/// Has `work` go on where there is no more memory, as `try_reserve` does.
pub fn fallibly<T>(work: impl FnOnce() -> T) -> T {
    let before = MAY_FAIL.replace(true);
    let result = work();
    MAY_FAIL.set(before);
    result
}

/// So many bytes, all zero; none where there is no more memory. They are the kernel's own
/// where they are many, and take no memory before they are written to.
pub fn zeroed(length: usize) -> Option<Vec<u8>> {
    let layout = Layout::array::<u8>(length).ok().filter(|_| length > 0)?;
    // SAFETY: the size is not 0.
    let bytes = fallibly(|| unsafe { std::alloc::alloc_zeroed(layout) });
    // SAFETY: these are so many bytes, all of them zero, of the allocator that vectors have.
    (!bytes.is_null()).then(|| unsafe { Vec::from_raw_parts(bytes, length, length) })
}

/// Ends the process, as there is no more memory. Nothing here asks for any.
#[cfg_attr(test, allow(dead_code))]
#[cold]
fn end() -> ! {
    let (name, length) = (NAME.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    let name = match name.is_null() {
        true => &b"nanomod"[..],
        // SAFETY: a name and its length, which were set before there was a second thread.
        false => unsafe { std::slice::from_raw_parts(name, length) },
    };
    let mut line = [0; 64];
    let mut filled = 0;
    for part in [b"<26>", name, b": FATAL: out of memory\n"] {
        if let Some(room) = line.get_mut(filled..filled + part.len()) {
            room.copy_from_slice(part);
            filled += part.len();
        }
    }
    let line = line.get(..filled).unwrap_or_default();
    let message = line.get(4..).unwrap_or_default();
    match KERNELS_LOG.load(Ordering::Relaxed) {
        false => drop(write(STDERR, message)),
        true => {
            if let Ok(log) = open("/dev/kmsg", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
                let _ = write(log, line);
            }
        }
    }
    // SAFETY: it has no conditions.
    unsafe { libc::_exit(1) }
}

/// Memory for Rust's own use, which is there, or the process ends.
#[cfg_attr(test, allow(dead_code))]
pub struct Ours<A>(pub A);

#[cfg_attr(test, allow(dead_code))]
impl<A> Ours<A> {
    fn checked(piece: *mut u8) -> *mut u8 {
        if piece.is_null() && !MAY_FAIL.get() {
            end();
        }
        piece
    }
}

// SAFETY: it is what the other gives.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Ours<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        Self::checked(unsafe { self.0.alloc(layout) })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe { self.0.dealloc(piece, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        Self::checked(unsafe { self.0.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        Self::checked(unsafe { self.0.realloc(piece, layout, size) })
    }
}
