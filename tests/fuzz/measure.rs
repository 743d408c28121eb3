//! What an input costs: blocks of code that were run, bytes of memory at once, time.
//!
//! Blocks are counted where the compilers were told to call for each
//! (`-sanitizer-coverage-trace-pc`, `-fsanitize-coverage=trace-pc`), as `scripts/fuzz` does:
//! the same input has the same number each time. Elsewhere there is only time.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CString;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering::Relaxed};

use nix::libc;

/// How many places in the code are told apart.
pub const PLACES: usize = 1 << 16;

static HITS: [AtomicU8; PLACES] = [const { AtomicU8::new(0) }; PLACES];
/// Those of them that were hit.
static TOUCHED: [AtomicU16; PLACES] = [const { AtomicU16::new(0) }; PLACES];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicU64 = AtomicU64::new(0);

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// What compilers call hands on from where it was called: a stable compiler has no other way to
// say that.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".globl __sanitizer_cov_trace_pc",
    "__sanitizer_cov_trace_pc:",
    "mov rdi, [rsp]",
    "jmp {hit}",
    hit = sym __sanitizer_hit,
);

/// Compilers do not instrument what is called so.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_hit(place: usize) {
    // Wherever the program was loaded.
    let place = place.wrapping_sub(__sanitizer_hit as *const () as usize);
    let mixed = (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    let hits = &HITS[mixed as usize];
    match hits.load(Relaxed) {
        0 => {
            let count = COUNT.load(Relaxed);
            TOUCHED[count % PLACES].store(mixed as u16, Relaxed);
            COUNT.store(count + 1, Relaxed);
            hits.store(1, Relaxed);
        }
        u8::MAX => {}
        many => hits.store(many + 1, Relaxed),
    }
    BLOCKS.store(BLOCKS.load(Relaxed) + 1, Relaxed);
}

/// Counts what it gives.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn more(size: usize) {
        let live = LIVE.fetch_add(size, Relaxed) + size;
        PEAK.fetch_max(live, Relaxed);
    }
}

// SAFETY: it is what the system's gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::more(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::more(layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::more(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises.
        unsafe { System.realloc(piece, layout, size) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(piece, layout) }
    }
}

/// What something has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Blocks of code; 0 where nobody counts them.
    pub blocks: u64,
    /// Bytes of memory at once, beside those that there were.
    pub memory: usize,
    /// Nanoseconds of a processor.
    pub time: u64,
}

/// What `work` costs. Nothing else may run meanwhile.
pub fn cost(work: impl FnOnce()) -> Cost {
    for at in 0..COUNT.swap(0, Relaxed).min(PLACES) {
        HITS[usize::from(TOUCHED[at].load(Relaxed))].store(0, Relaxed);
    }
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    BLOCKS.store(0, Relaxed);
    let began = now();
    work();
    Cost {
        time: now() - began,
        blocks: BLOCKS.load(Relaxed),
        memory: PEAK.load(Relaxed).saturating_sub(live),
    }
}

/// Calls `each` with every place in the code that the last work came to, and with a bit for how
/// often that was, roughly.
pub fn places(each: &mut dyn FnMut(usize, u8)) {
    for touched in TOUCHED.iter().take(COUNT.load(Relaxed)) {
        let place = usize::from(touched.load(Relaxed));
        let bit = match HITS[place].load(Relaxed) {
            1 => 1,
            2 => 2,
            3 => 4,
            4..=7 => 8,
            8..=15 => 16,
            16..=31 => 32,
            32..=127 => 64,
            _ => 128,
        };
        each(place, bit);
    }
}

fn now() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: what is filled in is this one, and zeros are a time, too.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Lets this process have no more memory than so many bytes, libraries in C as well.
pub fn limit_memory(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes as _, rlim_max: bytes as _ };
    // SAFETY: it reads this one.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
}

/// Whether the C library's `fnmatch(3)` finds that `text` matches. Neither has NULs.
pub fn system_glob(pattern: &[u8], text: &[u8]) -> bool {
    let [pattern, text] = [pattern, text].map(|text| CString::new(text).unwrap());
    // SAFETY: both are strings of C.
    unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), 0) == 0 }
}

/// Closes the file that is opened next and not closed, if there is one.
pub struct Closes(RawFd);

impl Closes {
    pub fn next() -> Self {
        // The lowest number that is free.
        Self(File::open("/").unwrap().as_raw_fd())
    }
}

impl Drop for Closes {
    fn drop(&mut self) {
        // SAFETY: it was not open before, and nobody who opened it meanwhile is left.
        unsafe { libc::close(self.0) };
    }
}
