//! Memory in place of musl's `malloc(3)`, which is 9 KB and careful in ways that a program
//! of a few milliseconds has no use for: pieces of 16 bytes to 64 KiB, each of a power of
//! two, are cut from large blocks, and wait in a list for the next of their size when they
//! are given back. What is larger is the kernel's own.
//!
//! What Rust drops is not given back: without the code that would do so at each place, the
//! binary is a twentieth smaller, and a process that has so little to remember ends soon.
//! What a vector grows or shrinks out of is, and so what is in a `Large`, and C's memory.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use super::shortage::Ours;

/// The least piece, and how pieces are aligned.
const UNIT: usize = 16;
/// The largest piece.
const LARGEST: usize = UNIT << (SIZES - 1);
const SIZES: usize = 13;
/// What is asked of the kernel at once.
const BLOCK: usize = 4 * LARGEST;

#[cfg_attr(not(test), global_allocator)]
static MEMORY: Ours<Memory> = Ours(Memory {
    is_taken: AtomicBool::new(false),
    pool: UnsafeCell::new(Pool { free: [null_mut(); SIZES], start: 0, end: 0 }),
});

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
        unsafe { noted(MEMORY.0.alloc(layout), layout) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
        let Some(layout) = count.checked_mul(size).and_then(layout) else { return null_mut() };
        // SAFETY: of size 16 at least.
        unsafe { noted(MEMORY.0.alloc_zeroed(layout), layout) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(given: *mut c_void, size: size_t) -> *mut c_void {
        let Some(new) = layout(size) else { return null_mut() };
        // SAFETY: the caller has it from one of these functions, or it is null.
        unsafe {
            if given.is_null() {
                return noted(MEMORY.0.alloc(new), new);
            }
            let (piece, old) = found(given);
            noted(MEMORY.0.realloc(piece, old, new.size()), new)
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
            MEMORY.0.give_back(piece, layout);
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
