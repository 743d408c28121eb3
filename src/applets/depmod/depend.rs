//! Which module needs which, and in which order those that one needs have to load.
//!
//! A module needs those that export the symbols it wants. The order is kmod's, as
//! `modules.dep` is compared with it: modules that nobody needs are taken from the end
//! of the list of all, each followed by those that only it still needed; what is taken
//! later loads earlier.
//!
//! Refused: modules that need one another in a circle.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::parallel::in_parallel;
use super::read::{Contents, List};
use crate::collect::Collect;
use crate::format::symvers::bare;
use crate::large::Large;

/// A symbol: the checksum of its type, and the module that exports it, unless that is
/// the kernel itself.
#[derive(Clone, Copy)]
pub struct Symbol {
    /// A module's number.
    pub owner: Option<usize>,
    /// 0 where it is not known.
    pub crc: u32,
}

/// Symbols by name.
pub type Symbols<'a> = HashMap<&'a [u8], Symbol, BuildHasherDefault<Fnv>>;

/// Fowler, Noll and Vo's hash: quick for names, and nobody gains by choosing them.
#[derive(Clone, Copy)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The symbols of all `modules` on top of the kernel's own. Of two modules that export
/// one symbol the later counts.
pub fn symbols<'a>(
    mut kernel: Symbols<'a>,
    modules: &'a [Contents],
    prefix: Option<u8>,
) -> Symbols<'a> {
    for (number, module) in modules.iter().enumerate() {
        let mut crcs = module.checks.iter().flat_map(|checks| &checks.exports);
        for name in module.list(List::Exports) {
            let crc = crcs.next().copied().unwrap_or_default();
            kernel.insert(bare(name, prefix), Symbol { owner: Some(number), crc });
        }
    }
    kernel
}

/// What `name`, wanted by a module, means: functions of 64-bit PowerPC have a dot that
/// no symbol has.
pub fn look_up<'a>(symbols: &Symbols<'a>, name: &[u8], prefix: Option<u8>) -> Option<Symbol> {
    symbols.get(bare(name.strip_prefix(b".").unwrap_or(name), prefix)).copied()
}

/// Which module needs which.
pub struct Graph {
    /// For each module, the numbers of those that it needs itself.
    needs: Vec<Vec<usize>>,
    /// When each module is taken.
    turns: Vec<usize>,
}

impl Graph {
    /// Finds out on `jobs` threads what each of `modules` needs; the graph's
    /// circles, each as numbers of modules, where there are any.
    pub fn new(
        modules: &[Contents],
        symbols: &Symbols<'_>,
        prefix: Option<u8>,
        jobs: usize,
    ) -> Result<Self, Vec<Vec<usize>>> {
        let needs = in_parallel(jobs, modules.len(), |(), number| {
            let mut needs: Vec<usize> = Vec::new();
            let wanted = modules.get(number).into_iter().flat_map(Contents::wanted);
            for owner in wanted.filter_map(|name| look_up(symbols, name, prefix)?.owner) {
                if !needs.contains(&owner) {
                    needs.push(owner);
                }
            }
            needs
        });
        let graph = Self { turns: vec![usize::MAX; needs.len()], needs };
        graph.in_turn()
    }

    fn needs(&self, number: usize) -> &[usize] {
        self.needs.get(number).map_or(&[], Vec::as_slice)
    }

    /// Lets each module have its turn.
    fn in_turn(mut self) -> Result<Self, Vec<Vec<usize>>> {
        let mut users = vec![0usize; self.needs.len()];
        for &needed in self.needs.iter().flatten() {
            if let Some(users) = users.get_mut(needed) {
                *users += 1;
            }
        }
        let is_free = |(number, users): (usize, &usize)| (*users == 0).then_some(number);
        let mut free: Vec<usize> = users.iter().enumerate().filter_map(is_free).vec();
        let mut turn = 0;
        while let Some(number) = free.pop() {
            if let Some(slot) = self.turns.get_mut(number) {
                *slot = turn;
            }
            turn += 1;
            for &needed in self.needs.get(number).into_iter().flatten() {
                if let Some(users) = users.get_mut(needed) {
                    *users -= 1;
                    if *users == 0 {
                        free.push(needed);
                    }
                }
            }
        }
        if turn == self.needs.len() { Ok(self) } else { Err(self.circles()) }
    }

    /// All modules that module `number` needs, directly or not. The last loads first.
    pub fn closure(&self, number: usize) -> Vec<usize> {
        let mut all: Vec<usize> = Vec::new();
        let mut seen = Large(vec![false; self.needs.len()]);
        let mut next = Some(number);
        let mut done = 0;
        while let Some(number) = next {
            for &needed in self.needs(number) {
                if let Some(seen @ false) = seen.0.get_mut(needed) {
                    *seen = true;
                    all.push(needed);
                }
            }
            next = all.get(done).copied();
            done += 1;
        }
        all.sort_by_key(|&number| self.turns.get(number));
        all
    }

    /// The circles: for each module that is in one, and in none that is listed, the
    /// shortest that leads back to it.
    fn circles(&self) -> Vec<Vec<usize>> {
        let mut circles: Vec<Vec<usize>> = Vec::new();
        for start in 0..self.needs.len() {
            let is_left = self.turns.get(start) == Some(&usize::MAX);
            if is_left && !circles.iter().flatten().any(|&number| number == start) {
                circles.extend(self.way_back(start));
            }
        }
        circles
    }

    /// The shortest way from `start` to itself.
    fn way_back(&self, start: usize) -> Option<Vec<usize>> {
        // From where each module was reached first.
        let mut from = vec![None; self.needs.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(number) = queue.pop_front() {
            for &needed in self.needs(number) {
                if needed == start {
                    let mut way = vec![number];
                    while let Some(before) = way.last().and_then(|&last| *from.get(last)?) {
                        way.push(before);
                    }
                    way.reverse();
                    return Some(way);
                }
                if let Some(slot @ None) = from.get_mut(needed) {
                    *slot = Some(number);
                    queue.push_back(needed);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(needs: &[&[usize]]) -> Result<Graph, Vec<Vec<usize>>> {
        let needs: Vec<Vec<usize>> = needs.iter().map(|needs| needs.to_vec()).collect();
        Graph { turns: vec![usize::MAX; needs.len()], needs }.in_turn()
    }

    #[test]
    fn what_is_needed_most_comes_last() {
        // 0 → 1 → 3, 0 → 2 → 3
        let graph = graph(&[&[1, 2], &[3], &[3], &[]]).unwrap();
        assert_eq!(graph.closure(0), [2, 1, 3]);
        assert_eq!(graph.closure(1), [3]);
        assert!(graph.closure(3).is_empty());
    }

    #[test]
    fn circles_are_told() {
        // 0 needs two circles, 1 → 2 → 1 and 3 → 3, and 4 is needed by one.
        let circles = graph(&[&[1, 3], &[2], &[4, 1], &[3], &[]]).err().unwrap();
        assert_eq!(circles, [vec![1, 2], vec![3]]);
    }
}
