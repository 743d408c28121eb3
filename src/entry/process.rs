//! Processes: a driver's init may kill or keep whoever inserts its module, so the one that
//! the caller waits for has others do it.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::libc;

/// Makes a copy of this process, which has no thread but the one that calls; whether this
/// is the copy. That one ends by [`exit`].
pub fn fork() -> Result<bool, Errno> {
    match new_process() {
        -1 => Err(Errno::last()),
        pid => Ok(pid == 0),
    }
}

/// The system call: what musl's `fork(3)` does besides is for programs with threads.
#[cfg(target_env = "musl")]
fn new_process() -> libc::c_long {
    let flags = libc::c_long::from(libc::SIGCHLD);
    // The stack stays what it is.
    let (first, second) = if cfg!(target_arch = "s390x") { (0, flags) } else { (flags, 0) };
    // SAFETY: there is no other thread that could hold a lock.
    unsafe { libc::syscall(libc::SYS_clone, first, second, 0_usize, 0_usize, 0_usize) }
}

/// The C library's, which takes care of the threads of a test.
#[cfg(not(target_env = "musl"))]
fn new_process() -> libc::c_long {
    // SAFETY: as above.
    unsafe { libc::fork() }.into()
}

/// How many processors this process may run on.
pub fn processors() -> usize {
    let mut set = [0_u64; 128];
    // SAFETY: that many bytes are there.
    let filled =
        unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&set), &raw mut set) };
    match filled {
        ..=0 => 1,
        _ => set.iter().map(|word| word.count_ones() as usize).sum(),
    }
}

/// Ends a copy of the process: nothing that the first one has to do at its end is done.
pub fn exit() -> ! {
    // SAFETY: it has no conditions.
    unsafe { libc::_exit(0) }
}

/// Takes what the kernel keeps of copies that have ended.
pub fn reap() {
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(-1, null_mut(), libc::WNOHANG) } > 0 {}
}

/// Lets go of the caller's streams, so that whoever reads from them until they are closed
/// does not wait for this process. `other`, which is open, takes their numbers.
pub fn leave_streams(other: BorrowedFd<'_>) {
    for stream in 0..3 {
        // SAFETY: both are numbers of open files, and nobody here uses the streams.
        unsafe { libc::dup2(other.as_raw_fd(), stream) };
    }
}

/// What SIGPIPE did before [`ignore_broken_pipes`].
static BROKEN_PIPE: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

/// Makes writing to a pipe that nobody reads an error, and not the end of this process.
pub fn ignore_broken_pipes() {
    // SAFETY: no code of this program's is called.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    BROKEN_PIPE.store(before, Ordering::Relaxed);
}

/// Undoes that, for a command that this process runs.
pub fn mind_broken_pipes() {
    // SAFETY: it is what the caller had.
    unsafe { libc::signal(libc::SIGPIPE, BROKEN_PIPE.load(Ordering::Relaxed)) };
}
