//! The patterns of an index that match a text.
//!
//! A pattern is followed down the trie together with all places of the text that it
//! may have got to: where there is none left, nothing below can match. There are ten
//! thousand patterns below one wildcard, and a few of them have a chance.

use super::{Damage, Index, Node, Source, Value, Walk};
use crate::name::bracket;

impl<S: Source> Index<S> {
    /// All values whose key, read as a pattern, matches `text`, by priority.
    pub fn matching(&self, text: &[u8]) -> Result<Vec<Value>, Damage> {
        let mut search = Matching { walk: self.walk(), text, places: vec![0], found: Vec::new() };
        search.node(self.root, Reached { start: 0, pending: Vec::new(), is_wild: false }, 0)?;
        Ok(search.found)
    }
}

/// A walk that collects the values of every pattern that matches a text.
struct Matching<'a, S> {
    walk: Walk<'a, S>,
    text: &'a [u8],
    /// A stack of sets of places, in ascending order each.
    places: Vec<usize>,
    found: Vec<Value>,
}

/// How far a pattern has got.
#[derive(Clone)]
struct Reached {
    /// Its places are those from here to the top of the stack.
    start: usize,
    /// A `[…` that is not closed yet, or a `\`.
    pending: Vec<u8>,
    /// Whether there has been a wildcard: before it, a `\` is plain.
    is_wild: bool,
}

impl<S: Source> Matching<'_, S> {
    fn node(&mut self, word: u32, mut reached: Reached, depth: usize) -> Result<(), Damage> {
        let Some(node) = self.walk.node(word, depth)? else { return Ok(()) };
        for &c in &node.prefix {
            self.step(&mut reached, c);
            if self.places.len() == reached.start {
                return Ok(());
            }
        }
        // The order in which kmod meets them: equals are told apart by it.
        if reached.is_wild {
            for c in node.first..=node.last {
                self.child(&node, c, &reached, depth)?;
            }
            return self.take(&node, reached);
        }
        for wildcard in *b"*?[" {
            self.child(&node, wildcard, &reached, depth)?;
        }
        let place = self.places.last().copied().unwrap_or_default();
        let Some(c) = self.text.get(place).copied() else { return self.take(&node, reached) };
        let word = self.walk.index.child(&node, c)?;
        let top = self.places.len();
        self.keep(&mut reached, |other| other == c);
        let result = self.node(word, reached, depth + 1);
        self.places.truncate(top);
        result
    }

    /// Goes on with the child for `c`, if the text can.
    fn child(&mut self, node: &Node, c: u8, reached: &Reached, depth: usize) -> Result<(), Damage> {
        let word = self.walk.index.child(node, c)?;
        if word == 0 {
            return Ok(());
        }
        let top = self.places.len();
        let mut reached = reached.clone();
        self.step(&mut reached, c);
        if self.places.len() > reached.start {
            self.node(word, reached, depth + 1)?;
        }
        self.places.truncate(top);
        Ok(())
    }

    /// Takes the node's values if the text ends where the pattern does.
    fn take(&mut self, node: &Node, mut reached: Reached) -> Result<(), Damage> {
        if node.values.is_none() {
            return Ok(());
        }
        let top = self.places.len();
        // What is pending at the end was plain.
        while let Some((first, rest)) = reached.pending.clone().split_first() {
            reached.pending.clear();
            self.keep(&mut reached, |c| c == *first);
            rest.iter().for_each(|c| self.step(&mut reached, *c));
        }
        let set = self.places.get(reached.start..).unwrap_or_default();
        if set.last() == Some(&self.text.len()) {
            let values = self.walk.values(node)?;
            values.into_iter().for_each(|value| insert(&mut self.found, value));
        }
        self.places.truncate(top);
        Ok(())
    }

    /// Puts the places behind the pattern's next character `c` on the stack.
    fn step(&mut self, reached: &mut Reached, c: u8) {
        reached.is_wild |= is_wildcard(c);
        match reached.pending.first() {
            None if c == b'*' => {
                let first = self.places.get(reached.start).copied().unwrap_or(usize::MAX);
                reached.start = self.places.len();
                self.places.extend(first..=self.text.len());
            }
            None if c == b'?' => self.keep(reached, |_| true),
            None if c == b'[' || c == b'\\' && reached.is_wild => reached.pending.push(c),
            None => self.keep(reached, |other| other == c),
            Some(b'[') => {
                reached.pending.push(c);
                let pending = std::mem::take(&mut reached.pending);
                let expression = pending.get(1..).unwrap_or_default();
                match bracket(expression, 0) {
                    Some(_) => self
                        .keep(reached, |c| bracket(expression, c).is_some_and(|(holds, _)| holds)),
                    None => reached.pending = pending,
                }
            }
            Some(_) => {
                reached.pending.clear();
                self.keep(reached, |other| other == c);
            }
        }
    }

    /// Goes one character on, from the places where it is one that `fits`.
    fn keep(&mut self, reached: &mut Reached, fits: impl Fn(u8) -> bool) {
        let (start, end) = (reached.start, self.places.len());
        for at in start..end {
            let place = self.places.get(at).copied().unwrap_or_default();
            if self.text.get(place).is_some_and(|c| fits(*c)) {
                self.places.push(place + 1);
            }
        }
        reached.start = end;
    }
}

fn is_wildcard(c: u8) -> bool {
    matches!(c, b'*' | b'?' | b'[')
}

/// Keeps `values` sorted by priority. Of equals the later one goes first, which
/// is the order in which kmod loads the modules of an alias.
fn insert(values: &mut Vec<Value>, value: Value) {
    let at = values.partition_point(|other| other.priority < value.priority);
    values.insert(at, value);
}
