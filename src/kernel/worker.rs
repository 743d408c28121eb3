//! Workers: processes that insert modules for the one that `/init` waits for.
//!
//! A driver's init runs in the task that inserts it. If it oopses, the kernel ends that
//! task; if it never returns, the task never ends, and no signal reaches it. So the plan
//! is in one process, and insertions are in others, whose end it sees as the end of a
//! pipe. Threads would not do: a process with one of them in the kernel can't end.
//!
//! ```text
//! plan ──▶ task:   u32 length, u8 what, path NUL parameters ──▶ worker
//!      ◀── answer: u16 length, u8 what, u8 kind or failure, u8 rung, u8 text's length,
//!                  i32 errno or size, text, times ◀──
//! ```
//!
//! A worker has one task at a time, and an answer fits into one write to a pipe.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read, write};

use super::clock::Moment;
use super::execute::{c_string, outcome};
use super::load::{self, Failure, Prepared, Route, Rung};
use super::watch::Watch;
use super::{Insertion, Kernel};
use crate::entry::process;
use crate::format::compression::Kind;
use crate::format::trace::{Phase, PhaseKind};
use crate::large::Large;
use crate::name::ModuleName;

/// `PIPE_BUF`: what a pipe takes whole or not at all.
const ANSWER: usize = 4096;

/// What stands before an answer's text.
const HEADER: usize = 8;

/// What a worker is to do.
pub enum Task<'a> {
    /// Insert the module in this file with these parameters; where `is_ready`, it is the one
    /// that was read ahead last.
    Insert { path: &'a Path, params: &'a [u8], is_ready: bool },
    /// Read this file ahead, and decompress it.
    ReadAhead(&'a Path),
}

/// What came of a task.
pub enum Answer {
    /// The module was inserted.
    Inserted(Route),
    /// It was not.
    Failed(Failure),
    /// What was read ahead takes so many bytes.
    Ahead(usize),
    /// A command is over; how, if it failed.
    Command(Option<String>),
}

/// What a worker does.
#[derive(Clone, Copy, PartialEq)]
pub enum Work {
    /// Nothing.
    Nothing,
    /// This step of the plan, since then.
    Step(usize, Moment),
    /// It reads ahead for this step.
    Ahead(usize),
}

/// One worker, as the process sees it that has the plan.
pub struct Worker {
    /// Its number, from 1 on.
    pub number: usize,
    /// Its process.
    pub pid: i32,
    /// What it does.
    pub work: Work,
    /// The step for which it has read ahead, how many bytes that takes, and how long it
    /// took.
    pub ahead: Option<(usize, usize, Vec<Phase>)>,
    tasks: OwnedFd,
    /// Where its answers come from.
    pub answers: OwnedFd,
}

impl Worker {
    /// Starts a worker beside `others`, that waits for tasks and leaves the caller's streams
    /// alone.
    pub fn start(
        number: usize,
        others: &mut Vec<Self>,
        kernel: &dyn Kernel,
        how: Insertion<'_>,
        watch: &Watch,
    ) -> Result<Self, Errno> {
        let serve = |tasks: OwnedFd, answers: OwnedFd| {
            process::leave_streams(tasks.as_fd());
            serve(kernel, how, &mut watch.of_worker(number), &tasks, &answers);
        };
        Self::fork(number, others, serve)
    }

    /// Starts one that runs a command in place of inserting `module`, with the caller's
    /// streams, and ends then.
    pub fn command(
        number: usize,
        others: &mut Vec<Self>,
        kernel: &dyn Kernel,
        command: &[u8],
        module: &ModuleName,
        watch: &Watch,
    ) -> Result<Self, Errno> {
        let run = |_: OwnedFd, answers: OwnedFd| {
            let mut watch = watch.of_worker(number);
            let status = watch.time(PhaseKind::Command, || kernel.run(command, module));
            send(&answers, &Answer::Command(outcome(status)), &mut watch);
        };
        Self::fork(number, others, run)
    }

    fn fork(
        number: usize,
        others: &mut Vec<Self>,
        work: impl FnOnce(OwnedFd, OwnedFd),
    ) -> Result<Self, Errno> {
        let (tasks, give) = pipe2(OFlag::O_CLOEXEC)?;
        let (answers, answer) = pipe2(OFlag::O_CLOEXEC)?;
        let Some(pid) = process::fork()? else {
            // What another worker waits for the end of must end with the first process.
            others.clear();
            drop((give, answers));
            work(tasks, answer);
            process::exit();
        };
        Ok(Self { number, pid, work: Work::Nothing, ahead: None, tasks: give, answers })
    }

    /// Gives it a task; whether it took it, which one that is dead does not.
    pub fn give(&self, task: &Task<'_>) -> bool {
        let (what, path, params) = match task {
            Task::Insert { path, params, is_ready: false } => (INSERT, *path, *params),
            Task::Insert { path, params, is_ready: true } => (INSERT_READY, *path, *params),
            Task::ReadAhead(path) => (READ_AHEAD, *path, &b""[..]),
        };
        let path = path.as_os_str().as_bytes();
        let length = u32::try_from(path.len() + params.len() + 2).unwrap_or(0);
        let parts: [&[u8]; 5] = [&length.to_le_bytes(), &[what], path, &[0], params];
        let task = Large(parts.concat());
        write_whole(&self.tasks, &task)
    }

    /// Its answer, and how long what took; none where it is dead.
    pub fn answer(&self) -> Option<(Answer, Vec<Phase>)> {
        let mut answer = [0; ANSWER];
        let read = fill(&self.answers, &mut answer, 0, 2)?;
        let (length, _) = answer.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes(*length));
        fill(&self.answers, answer.get_mut(..length)?, read, length)?;
        read_answer(answer.get(2..length)?, self.number)
    }
}

const INSERT: u8 = 0;
const INSERT_READY: u8 = 1;
const READ_AHEAD: u8 = 2;

/// Does tasks until there are none any more, as the process with the plan has ended.
fn serve(
    kernel: &dyn Kernel,
    how: Insertion<'_>,
    watch: &mut Watch,
    tasks: &OwnedFd,
    answers: &OwnedFd,
) {
    let mut ahead: Option<Prepared> = None;
    let mut task = Vec::new();
    while read_task(tasks, &mut task).is_some() {
        let (what, rest) = task.split_first().unwrap_or((&INSERT, &[]));
        let end = rest.iter().position(|&c| c == 0).unwrap_or(rest.len());
        let (path, params) = rest.split_at_checked(end).unwrap_or_default();
        let path = Path::new(OsStr::from_bytes(path));
        let answer = if *what == READ_AHEAD {
            match Prepared::new(kernel, path, how.guard, watch) {
                Ok(made) => Answer::Ahead(ahead.insert(made).size()),
                Err(failure) => Answer::Failed(failure),
            }
        } else {
            let params = c_string(params.get(1..).unwrap_or_default());
            let ready = if *what == INSERT_READY { ahead.take() } else { None };
            match load::insert(kernel, path, ready, &params, how, watch) {
                Ok(route) => Answer::Inserted(route),
                Err(failure) => Answer::Failed(failure),
            }
        };
        send(answers, &answer, watch);
    }
}

fn read_task(tasks: &OwnedFd, task: &mut Vec<u8>) -> Option<()> {
    let mut length = [0; 4];
    fill(tasks, &mut length, 0, 4)?;
    task.clear();
    task.resize(usize::try_from(u32::from_le_bytes(length)).ok()?, 0);
    let length = task.len();
    fill(tasks, task, 0, length).map(|_| ())
}

/// Reads on behind the first `length` bytes until there are at least so many; how many. None
/// at the end.
fn fill(from: &OwnedFd, buffer: &mut [u8], mut length: usize, least: usize) -> Option<usize> {
    while length < least {
        match read(from, buffer.get_mut(length..)?) {
            Ok(0) => return None,
            Ok(count) => length += count,
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
    Some(length)
}

/// Writes all of it; whether somebody takes it.
fn write_whole(to: &OwnedFd, mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match write(to, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn send(answers: &OwnedFd, answer: &Answer, watch: &mut Watch) {
    let (head, number, text) = match answer {
        Answer::Inserted(Route { kind, refused, rung }) => {
            let number = refused.map_or(0, |errno| errno as i32);
            ([0, *kind as u8, *rung as u8], number, "")
        }
        Answer::Failed(failure) => {
            let (which, number, text) = match failure {
                Failure::Kernel(errno) => (0, *errno as i32, ""),
                Failure::Number(number) => (1, *number, ""),
                Failure::NoModules => (2, 0, ""),
                Failure::File(errno) => (3, *errno as i32, ""),
                Failure::Content(why) => (4, 0, why.as_str()),
                Failure::Memory(errno) => (5, *errno as i32, ""),
                Failure::NoFlags => (6, 0, ""),
                // So says a worker of no other.
                Failure::Killed { .. } => (7, 0, ""),
            };
            ([1, which, 0], number, text)
        }
        Answer::Ahead(bytes) => ([2, 0, 0], i32::try_from(*bytes).unwrap_or(i32::MAX), ""),
        Answer::Command(None) => ([3, 0, 0], 0, ""),
        Answer::Command(Some(outcome)) => ([3, 1, 0], 0, outcome.as_str()),
    };
    let text = text.as_bytes();
    let text = text.get(..usize::from(u8::MAX)).unwrap_or(text);
    let number = number.to_le_bytes();
    let mut message = Large([&[0, 0], &head[..], &[text.len() as u8], &number, text].concat());
    watch.put(&mut message.0);
    message.0.truncate(ANSWER);
    let length = (message.len() as u16).to_le_bytes();
    if let Some(start) = message.0.first_chunk_mut() {
        *start = length;
    }
    if !write_whole(answers, &message) {
        // Nobody is there any more who wants to know.
        process::exit();
    }
}

/// Undoes [`send`].
fn read_answer(message: &[u8], worker: usize) -> Option<(Answer, Vec<Phase>)> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    let [what, which, rung, length, number @ ..] = header;
    let number = i32::from_le_bytes(*number);
    let (text, times) = rest.split_at_checked(usize::from(*length))?;
    let text = || String::from_utf8_lossy(text).into_owned();
    let which = usize::from(*which);
    let errno = Errno::from_raw(number);
    let answer = match what {
        0 => Answer::Inserted(Route {
            kind: *Kind::ALL.get(which)?,
            refused: (number != 0).then_some(errno),
            rung: *Rung::ALL.get(usize::from(*rung))?,
        }),
        1 => Answer::Failed(match which {
            0 => Failure::Kernel(errno),
            1 => Failure::Number(number),
            2 => Failure::NoModules,
            3 => Failure::File(errno),
            4 => Failure::Content(text()),
            5 => Failure::Memory(errno),
            6 => Failure::NoFlags,
            _ => Failure::Killed { by_kernel: false, how: None },
        }),
        2 => Answer::Ahead(usize::try_from(number).unwrap_or(0)),
        _ => Answer::Command((which != 0).then(text)),
    };
    Some((answer, Watch::phases(times, worker)))
}
