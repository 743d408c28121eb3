//! Processes: a driver's init may kill or keep whoever inserts its module, so the one that
//! the caller waits for has others do it; and commands. The system calls alone take a tenth
//! of what the C library and the standard library have for them.

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

/// Makes a copy of this process, which has no thread but the one that calls; the copy's
/// number, which is none in the copy. That one ends by [`exit`].
pub fn fork() -> Result<Option<c_int>, Errno> {
    match new_process() {
        -1 => Err(Errno::last()),
        pid => Ok((pid != 0).then_some(pid as c_int)),
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

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Runs a shell command with more variables, each `NAME=VALUE`, and waits for it, as
/// `system(3)` does; its status as `wait(2)` has it.
pub fn run_command(command: &CStr, variables: &[CString]) -> Result<c_int, Errno> {
    let set: Vec<_> = environment(variables);
    let sh = c"/bin/sh";
    let words = [c"sh".as_ptr(), c"-c".as_ptr(), command.as_ptr(), null()];
    // What is meant for the command does not end who waits for it, who has to be told.
    let kept = [libc::SIGINT, libc::SIGQUIT].map(|signal| (signal, on(signal, libc::SIG_IGN)));
    on(libc::SIGCHLD, libc::SIG_DFL);
    let child = new_process();
    if child == 0 {
        for (signal, action) in kept {
            on(signal, action);
        }
        heed_signals();
        // SAFETY: both lists end with a null, and all that is in them is NUL-terminated.
        unsafe { libc::execve(sh.as_ptr(), words.as_ptr(), set.as_ptr()) };
        // SAFETY: it has no conditions.
        unsafe { libc::_exit(127) };
    }
    let mut status = 0;
    let ended = loop {
        // SAFETY: there is room for the status.
        match unsafe { libc::waitpid(child as libc::pid_t, &raw mut status, 0) } {
            _ if child < 0 => break Err(Errno::EAGAIN),
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => break Err(Errno::last()),
            _ => break Ok(status),
        }
    };
    for (signal, action) in kept {
        on(signal, action);
    }
    ended
}

/// The environment with `variables`, as `execve(2)` takes it.
fn environment(variables: &[CString]) -> Vec<*const c_char> {
    let name = |text: &CStr| text.to_bytes().split(|&c| c == b'=').next().unwrap_or_default().len();
    let is_set = |text: &CStr| {
        let length = name(text) + 1;
        variables
            .iter()
            .any(|other| text.to_bytes().get(..length) == other.to_bytes().get(..length))
    };
    let mut all: Vec<*const c_char> = Vec::new();
    // SAFETY: it ends with a null, and nobody changes it.
    unsafe {
        let mut place = environ;
        while !place.is_null() && !(*place).is_null() {
            if !is_set(CStr::from_ptr(*place)) {
                all.push(*place);
            }
            place = place.add(1);
        }
    }
    all.extend(variables.iter().map(|variable| variable.as_ptr()));
    all.push(null());
    all
}

/// Has a signal ignored (`SIG_IGN`), or not (`SIG_DFL`); what it did before.
fn on(signal: c_int, action: libc::sighandler_t) -> libc::sighandler_t {
    // The kernel's structure begins with the action; no flags, no mask (`asm/signal.h`).
    let (mut new, mut old) = ([0_usize; 8], [0_usize; 8]);
    if let Some(first) = new.first_mut() {
        *first = action;
    }
    // SAFETY: there is room for what the kernel reads and writes, and no code is called.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const new, &raw mut old, 8_usize) };
    old.first().copied().unwrap_or(libc::SIG_DFL)
}

/// How long the machine has been up.
pub fn uptime() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time. The C library would look for a faster way, which
    // takes longer than the call.
    #[cfg(target_pointer_width = "64")]
    unsafe {
        libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut time)
    };
    // SAFETY: as above; here there are two calls, and the C library knows which one.
    #[cfg(not(target_pointer_width = "64"))]
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time)
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long [`reap`] waits: one that the kernel kills has closed its files a moment before
/// it has ended, and some of those never end.
const END: Duration = Duration::from_millis(20);

/// The status of copy `pid`, whose files are closed, as `wait(2)` has it; none where it has
/// not ended.
pub fn reap(pid: c_int) -> Option<c_int> {
    let mut status = 0;
    for _ in 0..END.as_millis() {
        // SAFETY: there is room for the status.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 => {}
            found => return (found == pid).then_some(status),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Lets go of the caller's streams, so that whoever reads from them until they are closed
/// does not wait for this process. `other`, which is open, takes their numbers.
pub fn leave_streams(other: BorrowedFd<'_>) {
    for stream in 0..3 {
        // SAFETY: both are numbers of open files, and nobody here uses the streams.
        unsafe { libc::dup2(other.as_raw_fd(), stream) };
    }
}

/// What a signal did before [`ignore_signals`].
struct Before(c_int, AtomicUsize);

/// A pipe that nobody reads, and a file that is larger than the caller allows.
static BEFORE: [Before; 2] = [
    Before(libc::SIGPIPE, AtomicUsize::new(libc::SIG_DFL)),
    Before(libc::SIGXFSZ, AtomicUsize::new(libc::SIG_DFL)),
];

static ARE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Makes what can't be written an error, and not the end of this process, which may have more
/// to do than to write.
pub fn ignore_signals() {
    if !ARE_IGNORED.swap(true, Ordering::Relaxed) {
        for Before(signal, action) in &BEFORE {
            action.store(on(*signal, libc::SIG_IGN), Ordering::Relaxed);
        }
    }
}

/// Undoes that, for a command that this process runs.
fn heed_signals() {
    if ARE_IGNORED.load(Ordering::Relaxed) {
        for Before(signal, action) in &BEFORE {
            on(*signal, action.load(Ordering::Relaxed));
        }
    }
}
