//! The steps of many goals as one plan: each module once, behind what it needs.
//!
//! ```text
//! goals ──▶ nodes in the order of their goals ──▶ edges to what must be there before
//! ```
//!
//! An edge leads to an earlier node, so there is no cycle and the order of the nodes
//! is one in which they can be done. Two kinds of edges: a dependency has to be there,
//! or the node can't be done; what a soft dependency puts first has to be over,
//! whatever came of it.

use std::rc::Rc;

use super::{Action, Origin, Step};
use crate::collect::Collect;
use crate::format::text::{dependency, words};
use crate::large::Large;
use crate::name::{ModuleName, unfolded};
use crate::numbers::Numbers;
use crate::resolve::{Sources, resolve};

/// How often a step is tried once more: a driver that shows a device and fails would be
/// wanted again by what it showed itself.
const TRIES: usize = 64;

/// One plan for many goals, and how far it is.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    numbers: Numbers,
}

/// One step of the plan.
pub struct Node {
    /// The step.
    pub step: Rc<Step>,
    /// The nodes that it depends on, without those that these depend on.
    needs: Vec<usize>,
    /// The nodes that soft dependencies put first.
    after: Vec<usize>,
    /// How many nodes stand one upon another on it.
    height: usize,
    /// How far it is.
    pub progress: Progress,
    /// Somebody reads ahead for it, and will do it when it is ready.
    held: bool,
    /// Somebody has read ahead for it: nobody does so twice.
    was_held: bool,
    /// It is to be tried once more if it fails.
    again: bool,
    /// How often it was to be tried once more.
    tries: usize,
    /// When all that stands before it was over, as the caller counts time.
    pub ready: Option<u64>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was not begun.
    Waiting,
    /// Somebody is at it.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It can't be done, as this node failed.
    Unreachable(usize),
}

impl Progress {
    /// Whether nothing will change it any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl Node {
    /// Whether anybody may begin it.
    fn is_ready(&self) -> bool {
        self.progress == Progress::Waiting && self.ready.is_some() && !self.held
    }

    fn reopen(&mut self) {
        (self.progress, self.ready) = (Progress::Waiting, None);
    }
}

impl Graph {
    /// All nodes, in an order in which they can be done.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of module `name`.
    pub fn find(&self, name: &ModuleName) -> Option<usize> {
        let is_it = |at: usize| self.nodes.get(at).is_some_and(|node| node.step.module == *name);
        self.numbers.find(name.as_bytes(), &is_it)
    }

    /// The node whose failure keeps module `name` away, if it can't be had any more.
    pub fn failure(&self, name: &ModuleName) -> Option<usize> {
        let number = self.find(name)?;
        match self.nodes.get(number)?.progress {
            Progress::Failed => Some(number),
            Progress::Unreachable(failed) => Some(failed),
            _ => None,
        }
    }

    /// What has to be over before node `number` begins.
    pub fn before(&self, number: usize) -> impl Iterator<Item = usize> {
        let node = self.nodes.get(number).into_iter();
        node.flat_map(|node| node.needs.iter().chain(&node.after).copied())
    }

    /// Adds the steps of a goal; `now` is when. A module that is in the plan already
    /// stays where it is. With `again`, what is over of the steps is done once more.
    pub fn add(&mut self, sources: Sources<'_>, steps: Vec<Step>, now: u64, again: bool) {
        let first_new = self.nodes.len();
        for step in steps {
            let known = self.find(&step.module);
            if let Some(at) = known.filter(|_| again) {
                self.reopen(at);
            }
            match known {
                // Options may be set for the alias that led to a target.
                Some(at) if step.origin == Origin::Target => self.replace(at, step),
                Some(_) => {}
                None => {
                    self.numbers.add(step.module.as_bytes(), self.nodes.len());
                    self.nodes.push(Node {
                        step: Rc::new(step),
                        needs: Vec::new(),
                        after: Vec::new(),
                        height: 1,
                        progress: Progress::Waiting,
                        held: false,
                        was_held: false,
                        again: false,
                        tries: 0,
                        ready: None,
                    });
                }
            }
        }
        for number in first_new..self.nodes.len() {
            self.connect(sources, number);
        }
        self.settle_all(now);
        self.measure();
    }

    /// Has step `number` tried once more, and what could not be done without it.
    pub fn retry(&mut self, number: usize, now: u64) {
        self.reopen(number);
        self.settle_all(now);
    }

    fn reopen(&mut self, number: usize) {
        let Some(node) = self.nodes.get_mut(number).filter(|node| node.tries < TRIES) else {
            return;
        };
        node.tries += 1;
        match node.progress {
            Progress::Waiting => {}
            // It may have looked for what was not there yet.
            Progress::Running => node.again = true,
            _ => node.reopen(),
        }
        for node in &mut self.nodes {
            if node.progress == Progress::Unreachable(number) {
                node.reopen();
            }
        }
    }

    fn settle_all(&mut self, now: u64) {
        for number in 0..self.nodes.len() {
            self.settle(number, now);
        }
    }

    fn replace(&mut self, at: usize, step: Step) {
        if let Some(node) = self.nodes.get_mut(at) {
            if node.progress == Progress::Waiting && node.step.origin != Origin::Target {
                node.step = Rc::new(step);
            }
        }
    }

    /// Finds the edges between node `number` and those before it.
    fn connect(&mut self, sources: Sources<'_>, number: usize) {
        let Some(node) = self.nodes.get(number) else { return };
        let name = node.step.module.clone();
        let all = self.dependencies(sources, &name, number);
        // What another one depends on is behind that one anyway.
        let below = self.below(&all);
        let is_below = |at: &&usize| below.get(**at).copied().unwrap_or_default();
        let needs: Vec<usize> = all.iter().filter(|at| !is_below(at)).copied().vec();
        let softdep = sources.config.softdep(&name);
        let mut after = self.named(sources, &softdep.pre);
        after.retain(|&at| at < number && !needs.contains(&at));
        let later = self.named(sources, &softdep.post);
        if let Some(node) = self.nodes.get_mut(number) {
            node.needs = needs;
            after.retain(|at| !node.after.contains(at));
            node.after.extend(after);
        }
        for at in later {
            match self.nodes.get_mut(at) {
                Some(node) if at > number && !node.after.contains(&number) => {
                    node.after.push(number);
                }
                _ => {}
            }
        }
    }

    /// The nodes before `number` that module `name` depends on.
    fn dependencies(&self, sources: Sources<'_>, name: &ModuleName, number: usize) -> Large<usize> {
        let (mut line, mut all) = (Large::default(), Large::default());
        sources.modules.line(name, &mut line.0);
        let (_, paths) = dependency(&line).unwrap_or_default();
        for path in words(paths) {
            let is_it =
                |at: usize| self.nodes.get(at).is_some_and(|node| node.step.module.is_of(path));
            let at = self.numbers.find(unfolded(path), &is_it);
            all.0.extend(at.filter(|&at| at < number));
        }
        all
    }

    /// Of all nodes, whether one of `numbers` depends on it, directly or not.
    fn below(&self, numbers: &[usize]) -> Large<bool> {
        let mut below = Large(vec![false; self.nodes.len()]);
        let mut open = Large(numbers.to_vec());
        while let Some(at) = open.0.pop() {
            for &need in self.nodes.get(at).map_or(&[][..], |node| &node.needs) {
                if let Some(is_below @ false) = below.0.get_mut(need) {
                    *is_below = true;
                    open.0.push(need);
                }
            }
        }
        below
    }

    /// The nodes of what `names`, of a soft dependency, stand for.
    fn named(&self, sources: Sources<'_>, names: &[Vec<u8>]) -> Vec<usize> {
        let targets = names.iter().flat_map(|name| resolve(sources, name));
        targets.filter_map(|target| self.find(&target.name)).vec()
    }

    /// Counts how much stands upon each node.
    fn measure(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.height = 1);
        let mut rest = self.nodes.as_mut_slice();
        while let Some((node, earlier)) = rest.split_last_mut() {
            for &at in node.needs.iter().chain(&node.after) {
                if let Some(below) = earlier.get_mut(at) {
                    below.height = below.height.max(node.height.saturating_add(1));
                }
            }
            rest = earlier;
        }
    }

    /// The step to begin next, if any can be: the first, or with `highest` the one on
    /// which the longest chain stands.
    pub fn next(&self, highest: bool) -> Option<usize> {
        let mut ready = self.nodes.iter().enumerate().filter(|(_, node)| node.is_ready());
        let found = match highest {
            // Of equal ones, the first.
            true => ready.reduce(|best, one| if one.1.height > best.1.height { one } else { best }),
            false => ready.next(),
        };
        found.map(|(number, _)| number)
    }

    /// How many steps could be begun now.
    pub fn ready(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_ready()).count()
    }

    /// The step to read ahead for: of those that were not begun, and for which nobody has
    /// done so, the one on which the longest chain stands.
    pub fn next_ahead(&self) -> Option<usize> {
        let nodes = self.nodes.iter().enumerate();
        let waiting = nodes.filter(|(_, node)| {
            let is_file = matches!(node.step.action, Action::Insert { .. });
            node.progress == Progress::Waiting && !node.was_held && is_file
        });
        let first =
            waiting.reduce(|best, one| if one.1.height > best.1.height { one } else { best });
        first.map(|(number, _)| number)
    }

    /// Says whether somebody reads ahead for step `number`.
    pub fn hold(&mut self, number: usize, held: bool) {
        if let Some(node) = self.nodes.get_mut(number) {
            (node.held, node.was_held) = (held, true);
        }
    }

    /// Says that somebody is at step `number`.
    pub fn begin(&mut self, number: usize) {
        if let Some(node) = self.nodes.get_mut(number) {
            node.progress = Progress::Running;
        }
    }

    /// Says that step `number` is done or failed, at `now`.
    pub fn finish(&mut self, number: usize, done: bool, now: u64) {
        if let Some(node) = self.nodes.get_mut(number) {
            let again = std::mem::take(&mut node.again);
            node.progress = match done {
                true => Progress::Done,
                false if again => Progress::Waiting,
                false => Progress::Failed,
            };
        }
        // Edges lead back only: one pass reaches all that follows from it.
        for later in number + 1..self.nodes.len() {
            self.settle(later, now);
        }
    }

    /// Whether there is nothing to do any more.
    pub fn is_over(&self) -> bool {
        self.nodes.iter().all(|node| node.progress.is_over())
    }

    /// Draws from what stands before node `number` whether it can be begun.
    fn settle(&mut self, number: usize, now: u64) {
        let Some(node) = self.nodes.get(number) else { return };
        if node.progress != Progress::Waiting || node.ready.is_some() {
            return;
        }
        let progress = |at: &usize| self.nodes.get(*at).map(|node| node.progress);
        let failed = node.needs.iter().find_map(|at| match progress(at)? {
            Progress::Failed => Some(*at),
            Progress::Unreachable(failed) => Some(failed),
            _ => None,
        });
        let is_ready = node
            .needs
            .iter()
            .chain(&node.after)
            .all(|at| progress(at).is_none_or(Progress::is_over));
        let Some(node) = self.nodes.get_mut(number) else { return };
        match failed {
            Some(failed) => node.progress = Progress::Unreachable(failed),
            None if is_ready => node.ready = Some(now),
            None => {}
        }
    }
}
