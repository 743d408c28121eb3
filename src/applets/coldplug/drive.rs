//! The run: what workers tell, what the kernel tells of new devices, and when it is
//! over.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::gather::{Gathered, Who, Wish, from};
use super::tell::Report;
use super::{APPLET, JSON, LOCK, Patience, WAIT_FOR};
use crate::applets::{wants_json, wants_trace};
use crate::cli::{Args, TRACE, VERBOSE, for_commands};
use crate::collect::Collect;
use crate::devices;
use crate::error::{Error, Status};
use crate::files;
use crate::kernel::execute::{Failed, Manner, Reason};
use crate::kernel::explain;
use crate::kernel::linux::Linux;
use crate::kernel::load::Failure;
use crate::kernel::queue::{Queue, Tools, Workers};
use crate::kernel::record::Record;
use crate::kernel::uevent::{self, Uevents};
use crate::kernel::watch::Watch;
use crate::name::ModuleName;
use crate::output::{Level, Log, print};
use crate::plan::Action;
use crate::plan::graph::{Graph, Progress};
use crate::root::Root;

/// How often it is looked whether a path is there: not every one comes with a message.
const LOOK: Duration = Duration::from_millis(50);

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
    /// What somebody wants and nobody has heard of yet.
    wishes: Vec<Wish>,
    uevents: Option<Uevents>,
    queue: &'a Queue,
    /// Steps of which it was told that they take their time.
    slow: Vec<usize>,
    failures: Vec<(usize, Failed)>,
    /// Of which it was told that they failed.
    told: Vec<ModuleName>,
    inserted: usize,
    record: Record,
    status: Status,
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
        queue: &'a Queue,
    ) -> Self {
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
            told: Vec::new(),
            inserted: 0,
            record: Record::default(),
            status: Status::Success,
        }
    }

    /// Runs, tells what came of it, and locks.
    pub fn run(mut self, patience: &Patience, watch: &Watch) -> Status {
        let began = Instant::now();
        let kernel = Linux::new(Root::system(), self.log.tells(Level::Error));
        let kernel = kernel.with_options(for_commands(self.args));
        let verbose = self.args.has(&VERBOSE).then_some(self.log);
        let manner = Manner::default();
        let tools = Tools { manner, kernel: &kernel, brings_more: true, verbose };
        let queue = self.queue;
        let missing = queue.run(&tools, |workers| self.work(workers, patience, began));
        let total = watch.elapsed();
        self.status = self.status.merge(self.gathered.status());
        for warning in self.gathered.sources.modules.take_warnings() {
            self.log.warning(warning);
        }
        let locked = self.args.has(&LOCK).then(|| self.lock());
        let modules = self.gathered.sources;
        let (inserted, failures) = (self.inserted, &self.failures);
        let report = Report {
            system: self.system,
            sources: modules,
            missing,
            inserted,
            total,
            failures,
            locked,
        };
        self.status = self.status.merge(report.tell(
            self.log,
            patience.timeout,
            wants_json(self.args, &JSON),
        ));
        if let Some(file) = self.args.value(&TRACE) {
            let record = std::mem::take(&mut self.record);
            if let Err(error) = record.save(file, APPLET.name, modules.modules, queue, total) {
                self.status = self.log.error(error);
            }
        }
        self.status
    }

    /// Works until there is nothing to do and nothing to wait for; the paths that never
    /// came.
    fn work(
        &mut self,
        workers: &Workers<'_>,
        patience: &Patience,
        began: Instant,
    ) -> Vec<&'a Path> {
        let args = self.args;
        let mut missing: Vec<&Path> = args.values(&WAIT_FOR).iter().map(Path::new).vec();
        if !self.gathered.has_looked {
            // The first drivers are inserted while the last devices are still looked at.
            devices::walk(self.system, &mut |device| {
                self.gathered.device(device.modaliases);
                self.add();
            });
        }
        let mut last_news = Instant::now();
        loop {
            workers.help();
            // Before the socket is read: what a driver brings was sent before the driver's
            // step was over.
            let (mut news, is_over) = self.hear();
            news |= self.listen(is_over);
            if news {
                last_news = Instant::now();
            }
            if news && !self.failures.is_empty() {
                self.tell_failures();
            }
            missing.retain(|path| !path.exists());
            let mut wait = SLOW;
            if is_over && self.queue.look(Graph::is_over) {
                let left = patience.timeout.saturating_sub(began.elapsed());
                let settle = patience.settle.unwrap_or_default();
                let unsettled = settle.saturating_sub(last_news.elapsed());
                if left.is_zero() || (missing.is_empty() && unsettled.is_zero()) {
                    return missing;
                }
                wait = if missing.is_empty() { unsettled } else { LOOK }.min(left);
            }
            // What comes while all are busy can wait for them.
            let is_free = is_over || self.queue.has_idle();
            let socket = self.uevents.as_ref().filter(|_| is_free);
            let socket = socket.map(AsFd::as_fd);
            let is_news = self.queue.wait(socket, Some(wait));
            if is_news && socket.is_some() {
                // One message seldom comes alone.
                self.queue.wait(None, Some(NAP));
            }
            if !is_news && !is_over {
                self.tell_slow();
            }
        }
    }

    /// Takes what workers report; whether that was anything, and whether nothing is left to
    /// do.
    fn hear(&mut self) -> (bool, bool) {
        let (reports, is_over) = self.queue.take();
        let any = !reports.is_empty();
        for report in reports {
            if wants_trace(self.args) {
                self.record.keep(self.queue, &report);
            }
            match (report.outcome.result, &report.step.action) {
                (Ok(Some(route)), Action::Insert { path, .. }) => {
                    self.inserted += 1;
                    self.log.tell(Level::Info, route.tell(&report.step.module, path));
                }
                (Ok(_), _) => {}
                (Err(failed), _) => self.failures.push((report.number, failed)),
            }
        }
        (any, is_over)
    }

    /// Tells of wishes that can't come true, each once.
    fn tell_failures(&mut self) {
        for wish in std::mem::take(&mut self.wishes) {
            let number = self.queue.look(|plan| plan.failure(&wish.target));
            let failed = self.failures.iter().find(|(at, _)| Some(*at) == number);
            let Some((_, failed)) = failed else {
                self.wishes.push(wish);
                continue;
            };
            let status = match self.told.contains(&wish.target) {
                // Other devices want it, too.
                true if wish.who == Who::Device => Status::Success,
                _ => self.tell_failure(&wish, failed),
            };
            self.status = self.status.merge(status);
            self.told.push(wish.target);
        }
    }

    fn tell_failure(&self, wish: &Wish, failed: &Failed) -> Status {
        let (level, status) = match &wish.who {
            // So says a driver that finds none of its devices.
            Who::Device if is_no_device(failed) => (Level::Notice, Status::Success),
            Who::Device => (Level::Warning, Status::Success),
            _ => (Level::Error, Status::Failure),
        };
        if self.log.tells(level) {
            if let Some(error) = explain::install_command(failed) {
                self.log.tell(level, error);
            }
            let modules = self.gathered.sources.modules;
            let error = explain::failed(&wish.target, failed, false, modules);
            self.log.tell(level, from(error, &wish.who));
        }
        status
    }

    /// Takes what the kernel says of devices; whether that was anything. Without its
    /// messages, or where some were lost, all devices are looked at again.
    fn listen(&mut self, is_over: bool) -> bool {
        let (mut any, mut lost) = (false, self.uevents.is_none() && is_over);
        while let Some(news) = self.uevents.as_mut().and_then(Uevents::next) {
            any = true;
            match news {
                uevent::News::Added { modaliases, .. } => self.gathered.device(modaliases),
                uevent::News::Lost => lost = true,
                uevent::News::Removed { .. } | uevent::News::Other => {}
            }
        }
        if lost {
            if self.uevents.is_some() {
                let message =
                    "the kernel sent more than could be read: looking at all devices again";
                self.log.tell(Level::Notice, message);
            }
            self.gathered.hardware(self.system);
        }
        self.add() || any
    }

    /// Adds to the plan what was gathered; whether that was anything.
    fn add(&mut self) -> bool {
        let goals = self.gathered.take();
        let any = !goals.is_empty();
        for (wish, steps) in goals {
            self.queue.add(self.gathered.sources, steps);
            self.wishes.push(wish);
        }
        any
    }

    /// Tells which modules take their time: a machine that hangs at boot has no other
    /// way to say why.
    fn tell_slow(&mut self) {
        let running = self.queue.look(|plan| {
            let nodes = plan.nodes().iter().enumerate();
            let running = nodes.filter(|(_, node)| node.progress == Progress::Running);
            running.map(|(at, node)| (at, node.step.clone())).vec()
        });
        for (number, step) in running {
            if !self.slow.contains(&number) {
                let (module, seconds) = (&step.module, SLOW.as_secs());
                self.log.warning(format_args!("'{module}' is not done after {seconds} s"));
                self.slow.push(number);
            }
        }
    }

    /// Has the kernel take no more modules, and tells whether it does.
    fn lock(&mut self) -> bool {
        let path = self.system.join(LOCK_FILE);
        let written = files::write(&path, OFlag::empty(), b"1\n");
        let is_locked = files::read(&path).is_ok_and(|text| text.starts_with(b"1"));
        if is_locked {
            // A report says it, too, and is to be one document.
            if !wants_json(self.args, &JSON) {
                let _ = print(self.log, b"locked: the kernel takes no more modules\n");
            }
        } else {
            let error = match written {
                Err(error) => Error::new("could not lock the kernel", error),
                Ok(()) => Error::said("could not lock the kernel"),
            };
            self.status = self.log.error(error.note(path.display().to_string()));
        }
        is_locked
    }
}

/// What takes modules no more once it is 1 (kernel: `Documentation/admin-guide/sysctl`).
const LOCK_FILE: &str = "/proc/sys/kernel/modules_disabled";

fn is_no_device(failed: &Failed) -> bool {
    matches!(failed.cause, Reason::Insert(_, Failure::Kernel(Errno::ENODEV)))
}
