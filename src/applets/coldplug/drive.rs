//! The run: what workers answer, what the kernel tells of new devices, and when it is
//! over.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;

use super::gather::{Gathered, Goal, Who, Wish, from};
use super::tell::Report;
use super::{APPLET, JSON, LISTS_FIRST, LOCK, Patience, WAIT_FOR};
use crate::applets::{tell_damage, wants_json, wants_trace};
use crate::cli::{Args, TRACE};
use crate::collect::Collect;
use crate::devices;
use crate::error::{Error, Status};
use crate::files;
use crate::kernel::clock::Moment;
use crate::kernel::execute::Failed;
use crate::kernel::explain::{self, could_not_insert};
use crate::kernel::firmware::Firmware;
use crate::kernel::load::Failure;
use crate::kernel::queue::Queue;
use crate::kernel::record::Record;
use crate::kernel::uevent::{self, Uevents};
use crate::kernel::watch::Watch;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::plan::graph::Progress;
use crate::plan::{Action, Step};
use crate::root::Root;

/// How often it is looked whether a path is there: not every one comes with a message.
const LOOK: Duration = Duration::from_millis(50);

/// How often all devices are looked at, where the kernel sends no messages.
const LOOK_AT_ALL: Duration = Duration::from_millis(200);

/// How long the kernel's messages are left to gather, unless a worker has something to
/// say.
const NAP: Duration = Duration::from_millis(2);

/// After which time it is told that a module is still being inserted.
const SLOW: Duration = Duration::from_secs(10);

/// One run.
pub struct Drive<'a> {
    args: &'a Args,
    log: &'a Log,
    system: &'a Root,
    gathered: Gathered<'a>,
    /// What somebody wants.
    wishes: Vec<Wish>,
    uevents: Option<Uevents>,
    queue: Queue<'a>,
    /// Steps of which it was told that they take their time.
    slow: Vec<usize>,
    /// The steps whose last try failed.
    failures: Vec<(usize, Failed)>,
    /// The steps that were at work when something came or was inserted last: by then they may
    /// have looked for it, though they fail later.
    overtaken: Vec<usize>,
    /// Of which it was logged that they failed.
    told: Vec<ModuleName>,
    /// The steps whose modules were inserted.
    inserted: Vec<usize>,
    /// When something was inserted last, or came.
    last_news: Moment,
    /// When all devices were looked at last.
    last_look: Moment,
    record: Record,
}

impl<'a> Drive<'a> {
    /// A run of the plan in `queue`, which is for `wishes`.
    pub fn new(
        args: &'a Args,
        log: &'a Log,
        system: &'a Root,
        gathered: Gathered<'a>,
        wishes: Vec<Wish>,
        uevents: Option<Uevents>,
        queue: Queue<'a>,
    ) -> Self {
        let now = Moment::now();
        Self {
            args,
            log,
            system,
            gathered,
            wishes,
            uevents,
            queue,
            slow: Vec::new(),
            failures: Vec::new(),
            overtaken: Vec::new(),
            told: Vec::new(),
            inserted: Vec::new(),
            last_news: now,
            last_look: now,
            record: Record::default(),
        }
    }

    /// Runs, tells what came of it, and locks.
    pub fn run(mut self, patience: &Patience, watch: &Watch) -> Status {
        let missing = self.work(patience);
        let total = watch.elapsed();
        let mut status = self.gathered.status().merge(self.tell_rest(missing.is_empty()));
        status = status.merge(tell_damage(self.gathered.sources.modules, self.log));
        let locked = self.args.has(&LOCK).then(|| self.lock(&mut status));
        if locked == Some(false) {
            status = status.merge(Status::Unlocked);
        }
        if !missing.is_empty() {
            status = status.merge(Status::Missing);
        }
        let sources = self.gathered.sources;
        let nodes = self.queue.plan().nodes();
        let steps = self.inserted.iter().filter_map(|at| nodes.get(*at));
        let report = Report {
            system: self.system,
            sources,
            missing,
            inserted: steps.map(|node| &*node.step).vec(),
            left: self.left().map(|(step, _)| &step.module).vec(),
            total,
            failures: &self.failures,
            locked,
            status,
            is_blind: self.gathered.is_blind,
        };
        status = report.tell(self.log, patience.timeout, wants_json(self.args, &JSON));
        if let Some(file) = self.args.value(&TRACE) {
            let (record, jobs) = (std::mem::take(&mut self.record), self.queue.jobs());
            if let Err(error) = record.save(file, APPLET.name, sources.modules, jobs, total) {
                status = status.merge(self.log.error(error));
            }
        }
        status
    }

    /// Works until there is nothing to do and nothing to wait for; the paths that never
    /// came.
    fn work(&mut self, patience: &Patience) -> Vec<&'a Path> {
        let (args, began) = (self.args, Moment::now());
        let has_paths = args.has(&WAIT_FOR);
        let mut missing: Vec<&Path> = args.values(&WAIT_FOR).iter().map(Path::new).vec();
        if args.has(&LISTS_FIRST) {
            self.do_lists(patience.timeout);
        }
        if !self.gathered.has_looked {
            self.look_at_devices();
        }
        self.last_news = Moment::now();
        let mut has_come = true;
        loop {
            self.queue.begin();
            // Before the socket is read: what a driver brings was sent before the driver's
            // step was over.
            self.hear();
            if has_come || self.uevents.is_none() || self.queue.has_room() {
                self.listen();
                self.queue.begin();
            }
            missing.retain(|path| !path.exists());
            let left = patience.timeout.saturating_sub(began.elapsed());
            let settle = patience.settle.unwrap_or_default();
            let unsettled = settle.saturating_sub(self.last_news.elapsed());
            // What was waited for is there: what takes longer is not waited for.
            let is_done = self.queue.plan().is_over() || (has_paths && self.queue.is_held_up());
            if left.is_zero() || (is_done && missing.is_empty() && unsettled.is_zero()) {
                return missing;
            }
            let wait = match (missing.is_empty(), self.uevents.is_some()) {
                (false, _) => LOOK,
                (true, _) if is_done => unsettled,
                (true, false) => LOOK_AT_ALL,
                (true, true) => SLOW,
            };
            // What comes while all are busy can wait for them.
            let socket = self.uevents.as_ref().filter(|_| self.queue.has_room());
            has_come = self.queue.wait(socket.map(AsFd::as_fd), wait.min(left));
            if has_come {
                // One message seldom comes alone.
                self.queue.wait(None, NAP);
            }
            self.tell_slow();
        }
    }

    /// Does what is named or listed, but for what takes too long.
    fn do_lists(&mut self, timeout: Duration) {
        let began = Moment::now();
        loop {
            self.queue.begin();
            self.hear();
            let is_held_up = self.queue.plan().ready() == 0
                && self.queue.running().all(|(_, since)| since.elapsed() > SLOW);
            if is_held_up || began.elapsed() > timeout {
                return;
            }
            self.queue.wait(None, LOOK);
            self.tell_slow();
        }
    }

    /// Looks at all devices. The first drivers are inserted while the last devices are still
    /// looked at.
    fn look_at_devices(&mut self) {
        let looked = devices::walk(self.system, &|_| false, &mut |device| {
            self.gathered.device(&device.path, device.modaliases, false);
            if self.add() {
                self.queue.wait(None, Duration::ZERO);
                self.hear();
                self.queue.begin();
            }
        });
        self.gathered.looked(looked);
        self.last_look = Moment::now();
    }

    /// Takes what workers report.
    fn hear(&mut self) {
        let (mut has_failed, mut has_inserted) = (false, false);
        for report in self.queue.take() {
            self.last_news = Moment::now();
            if wants_trace(self.args) {
                self.record.keep(self.queue.plan(), &report);
            }
            // It may have been tried before.
            self.failures.retain(|(number, _)| *number != report.number);
            let overtaken = self.overtaken.iter().position(|number| *number == report.number);
            let was_overtaken = overtaken.map(|at| self.overtaken.swap_remove(at)).is_some();
            match (report.outcome.result, &report.step.action) {
                (Ok(Some(route)), Action::Insert { path, .. }) => {
                    has_inserted = true;
                    self.inserted.push(report.number);
                    self.log.tell(Level::Info, route.tell(&report.step.module, path));
                    if self.log.tells(Level::Notice) {
                        let firmware = Firmware::of(self.system, path);
                        let notice = explain::no_firmware(&report.step.module, &firmware);
                        notice.into_iter().for_each(|notice| self.log.tell(Level::Notice, notice));
                    }
                }
                (Ok(_), _) => {}
                (Err(failed), _) => {
                    has_failed = true;
                    if was_overtaken && failed.failure().is_some_and(Failure::is_deferred) {
                        self.queue.retry(report.number);
                    }
                    self.failures.push((report.number, failed));
                }
            }
        }
        if has_failed {
            self.tell_failures(false);
        }
        if has_inserted {
            self.retry_deferred();
        }
    }

    /// Tries once more what waits for something, which may be there now.
    fn retry_deferred(&mut self) {
        self.overtaken = self.queue.running().map(|(number, _)| number).vec();
        for (number, failed) in &self.failures {
            if failed.failure().is_some_and(Failure::is_deferred) {
                self.queue.retry(*number);
            }
        }
    }

    /// Logs what of the wishes can't be had, each once; what may still come, as its device
    /// may, only at the `end`.
    fn tell_failures(&mut self, end: bool) {
        let mut wishes = std::mem::take(&mut self.wishes);
        for wish in wishes.iter_mut().filter(|wish| !wish.is_told) {
            let number = self.queue.plan().failure(&wish.target);
            let failed = self.failures.iter().find(|(at, _)| Some(*at) == number);
            let Some((_, failed)) = failed else { continue };
            let is_device = wish.who == Who::Device;
            let may_come = failed.failure().is_some_and(Failure::is_no_device) && !is_device;
            if may_come && !end {
                continue;
            }
            wish.is_told = true;
            // Other devices want it, too.
            if !(is_device && self.told.contains(&wish.target)) {
                self.tell_failure(wish, failed);
                self.told.push(wish.target.clone());
            }
        }
        self.wishes = wishes;
    }

    fn tell_failure(&self, wish: &Wish, failed: &Failed) {
        let level = match &wish.who {
            // So says a driver that finds none of its devices.
            Who::Device if failed.failure().is_some_and(Failure::is_no_device) => Level::Notice,
            Who::Device => Level::Warning,
            _ => Level::Error,
        };
        if self.log.tells(level) {
            if let Some(error) = explain::install_command(failed) {
                self.log.tell(level, error);
            }
            let modules = self.gathered.sources.modules;
            let error = explain::failed(&wish.target, failed, false, modules);
            self.log.tell(level, from(error, &wish.who));
        }
    }

    /// The steps that are not over, and whether each was begun.
    fn left(&self) -> impl Iterator<Item = (&Step, bool)> {
        self.queue.plan().nodes().iter().filter_map(|node| match node.progress {
            Progress::Running => Some((&*node.step, true)),
            Progress::Waiting => Some((&*node.step, false)),
            _ => None,
        })
    }

    /// Logs at the end what failed and what is left behind; whether all names of the command
    /// line are in. If `is_there`, that counts for which there was a wait, and what is left
    /// behind is no failure.
    fn tell_rest(&mut self, is_there: bool) -> Status {
        self.tell_failures(true);
        let names = |begun: bool| {
            let left = self.left().filter(|(_, is_begun)| *is_begun == begun);
            left.map(|(step, _)| step.module.to_string()).vec().join(", ")
        };
        let (running, waiting) = (names(true), names(false));
        if !running.is_empty() {
            let is_insertion = |(step, is_begun): (&Step, bool)| {
                !is_begun || matches!(step.action, Action::Insert { .. })
            };
            let error = Error::said(format!("left behind: {running}"));
            let error = error.note(match self.left().all(is_insertion) {
                true => "the kernel is not done with that",
                // There is a command that stands in a module's place, too.
                false => "not done in time",
            });
            self.log.warning(match waiting.as_str() {
                "" => error,
                waiting => error.note(format!("not begun: {waiting}")),
            });
        }
        let is_waited_for = !(is_there && self.args.has(&WAIT_FOR));
        let mut status = Status::Success;
        for wish in self.wishes.iter().filter(|wish| wish.who == Who::Caller) {
            let plan = self.queue.plan();
            if plan.failure(&wish.target).is_some() {
                status = Status::Failure;
            } else if wish.is_told {
                self.log.warning(format_args!("'{}' is in, by another try", wish.target));
            } else if is_waited_for && self.left().any(|(step, _)| step.module == wish.target) {
                status = self.log.error(could_not_insert(&wish.target, "not done in time"));
            }
        }
        status
    }

    /// Takes what the kernel says of devices. Without its messages, or where some were lost,
    /// all devices are looked at again.
    fn listen(&mut self) {
        let mut lost = self.uevents.is_none() && self.last_look.elapsed() >= LOOK_AT_ALL;
        let mut is_news = false;
        while let Some(news) = self.uevents.as_mut().and_then(Uevents::next) {
            match news {
                uevent::News::Added { path, modaliases } => {
                    is_news |= self.gathered.device(&path, modaliases, true);
                }
                uevent::News::Removed { path } => self.gathered.forget(&path),
                uevent::News::Lost => {
                    lost = true;
                    // What still comes is seen at the next look: the time must not be lost, too.
                    break;
                }
                uevent::News::Other => {}
            }
        }
        if lost {
            if self.uevents.is_some() {
                let message =
                    "the kernel sent more than could be read: looking at all devices again";
                self.log.tell(Level::Notice, message);
            }
            is_news |= self.gathered.hardware(true);
            self.last_look = Moment::now();
        }
        if is_news {
            self.retry_deferred();
        }
        if self.add() || is_news {
            self.last_news = Moment::now();
        }
    }

    /// Adds to the plan what was gathered; whether that was anything.
    fn add(&mut self) -> bool {
        let goals = self.gathered.take();
        let any = !goals.is_empty();
        for Goal { wish, steps, again } in goals {
            let again = again || self.is_what_was_missing(&wish);
            self.queue.add(self.gathered.sources, steps, again);
            self.wishes.push(wish);
        }
        any
    }

    /// Whether it is the first device for a driver that somebody else wanted, and that failed
    /// before the device was looked at: it may have been for want of it.
    fn is_what_was_missing(&self, wish: &Wish) -> bool {
        let is_other = |other: &Wish| other.who == Who::Device && other.target == wish.target;
        wish.who == Who::Device
            && self.queue.plan().failure(&wish.target).is_some()
            && !self.wishes.iter().any(is_other)
    }

    /// Tells which modules take their time: a machine that hangs at boot has no other
    /// way to say why.
    fn tell_slow(&mut self) {
        let slow = |(_, since): &(usize, Moment)| since.elapsed() > SLOW;
        for (number, _) in self.queue.running().filter(slow) {
            if self.slow.contains(&number) {
                continue;
            }
            self.slow.push(number);
            if let Some(node) = self.queue.plan().nodes().get(number) {
                let (module, seconds) = (&node.step.module, SLOW.as_secs());
                self.log.warning(format_args!("'{module}' is not done after {seconds} s"));
            }
        }
    }

    /// Has the kernel take no more modules, and tells whether it does, or that it can't tell.
    fn lock(&self, status: &mut Status) -> bool {
        let path = self.system.join(LOCK_FILE);
        let written = files::write(&path, OFlag::empty(), b"1\n");
        let is_locked = files::read(&path).is_ok_and(|text| text.starts_with(b"1"));
        if is_locked {
            // A report says it, too, and is to be one document.
            if !wants_json(self.args, &JSON) {
                let told = print(self.log, b"locked: the kernel takes no more modules\n");
                *status = status.merge(told);
            }
        } else {
            let error = match written {
                Err(error) => Error::new("could not lock the kernel", error),
                Ok(()) => Error::said("could not lock the kernel"),
            };
            self.log.error(error.note(path.to_string_lossy().into_owned()));
        }
        is_locked
    }
}

/// What takes modules no more once it is 1 (kernel: `Documentation/admin-guide/sysctl`).
const LOCK_FILE: &str = "/proc/sys/kernel/modules_disabled";
