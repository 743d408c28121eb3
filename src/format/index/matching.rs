//! The patterns of an index that match a text.
//!
//! A pattern is followed down the trie together with all places of the text that it
//! may have got to: where there is none left, nothing below can match. There are ten
//! thousand patterns below one wildcard, and a few of them have a chance.

use super::{Damage, Index, Node, Source, Value, Walk};
use crate::large::Large;
use crate::name::bracket;

impl<S: Source> Index<S> {
    /// All values whose key, read as a pattern, matches `text`, by priority.
    pub fn matching(&self, text: &[u8]) -> Result<Vec<Value>, Damage> {
        let mut search = Matching {
            walk: self.walk(),
            text,
            places: Large(vec![0]),
            pending: Large::default(),
            bytes: Large::default(),
            found: Vec::new(),
            refused: None,
        };
        search.node(self.root, Reached { start: 0, pending: 0, is_wild: false }, 0)?;
        match search.refused {
            Some(what) => Err(Damage { offset: 0, what }),
            None => Ok(search.found),
        }
    }
}

/// A walk that collects the values of every pattern that matches a text. It goes through
/// thousands of nodes, so that nothing is made anew for each.
struct Matching<'a, S> {
    walk: Walk<'a, S>,
    text: &'a [u8],
    /// A stack of sets of places, in ascending order each.
    places: Large<usize>,
    /// A stack of what is pending.
    pending: Large<u8>,
    /// A node's prefix, or one of its values.
    bytes: Large<u8>,
    found: Vec<Value>,
    /// What in the index is beyond all bounds.
    refused: Option<&'static str>,
}

/// Longer than any bracket of a pattern.
const BRACKET: usize = 256;

/// More than any alias has modules.
pub const VALUES: usize = 4096;

/// How far a pattern has got.
#[derive(Clone, Copy)]
struct Reached {
    /// Its places are those from here to the top of the stack.
    start: usize,
    /// From here to the top of that stack: a `[…` that is not closed yet, or a `\`.
    pending: usize,
    /// Whether there has been a wildcard: before it, a `\` is plain.
    is_wild: bool,
}

impl<S: Source> Matching<'_, S> {
    fn node(&mut self, word: u32, mut reached: Reached, depth: usize) -> Result<(), Damage> {
        let base = self.places.len();
        self.bytes.0.clear();
        let Some(node) = self.walk.node(word, depth, &mut self.bytes.0)? else { return Ok(()) };
        for at in 0..self.bytes.len() {
            let c = self.bytes.get(at).copied().unwrap_or_default();
            self.step(&mut reached, c);
            if self.places.len() == reached.start {
                return Ok(());
            }
            self.settle(&mut reached, base);
        }
        // The order in which kmod meets them: equals are told apart by it.
        if reached.is_wild {
            for c in node.first..=node.last {
                self.child(&node, c, reached, depth)?;
            }
            return self.take(&node, reached);
        }
        for wildcard in *b"*?[" {
            self.child(&node, wildcard, reached, depth)?;
        }
        let place = self.places.last().copied().unwrap_or_default();
        let Some(c) = self.text.get(place).copied() else { return self.take(&node, reached) };
        let word = self.walk.index.child(&node, c)?;
        let tops = self.tops();
        self.keep(&mut reached, c, b"");
        self.node(word, reached, depth + 1)?;
        self.cut(tops);
        Ok(())
    }

    /// How high the stacks are.
    fn tops(&self) -> (usize, usize) {
        (self.places.len(), self.pending.len())
    }

    /// Takes off the stacks what has come on top of `tops`.
    fn cut(&mut self, (places, pending): (usize, usize)) {
        self.places.0.truncate(places);
        self.pending.0.truncate(pending);
    }

    /// Goes on with the child for `c`, if the text can.
    fn child(
        &mut self,
        node: &Node,
        c: u8,
        mut reached: Reached,
        depth: usize,
    ) -> Result<(), Damage> {
        let word = self.walk.index.child(node, c)?;
        if word == 0 {
            return Ok(());
        }
        let tops = self.tops();
        self.step(&mut reached, c);
        if self.places.len() > reached.start {
            self.node(word, reached, depth + 1)?;
        }
        self.cut(tops);
        Ok(())
    }

    /// Takes the node's values if the text ends where the pattern does.
    fn take(&mut self, node: &Node, mut reached: Reached) -> Result<(), Damage> {
        if node.values.is_none() {
            return Ok(());
        }
        let tops = self.tops();
        // What is pending at the end was plain.
        while let Some(first) = self.pending.get(reached.pending).copied() {
            let rest = reached.pending + 1..self.pending.len();
            // What is looked at once more counts once more.
            self.walk.spend(rest.len(), node.children)?;
            reached.pending = rest.end;
            self.keep(&mut reached, first, b"");
            for at in rest {
                let c = self.pending.get(at).copied().unwrap_or_default();
                self.step(&mut reached, c);
                self.settle(&mut reached, tops.0);
            }
        }
        let set = self.places.get(reached.start..).unwrap_or_default();
        if set.last() == Some(&self.text.len()) {
            let (found, refused) = (&mut self.found, &mut self.refused);
            self.walk.values(node, &mut self.bytes.0, &mut |priority, bytes| {
                if found.len() < VALUES {
                    insert(found, Value { priority, bytes: bytes.to_vec() });
                } else {
                    *refused = Some("too many modules of one name");
                }
            })?;
        }
        self.cut(tops);
        Ok(())
    }

    /// Moves the set of places down to `base`, where nobody needs what is below it.
    fn settle(&mut self, reached: &mut Reached, base: usize) {
        let end = self.places.len();
        if (base + 1..=end).contains(&reached.start) {
            self.places.0.copy_within(reached.start..end, base);
            self.places.0.truncate(base + end - reached.start);
            reached.start = base;
        }
    }

    /// Puts the places behind the pattern's next character `c` on the stack.
    fn step(&mut self, reached: &mut Reached, c: u8) {
        reached.is_wild |= is_wildcard(c);
        match self.pending.get(reached.pending) {
            None if c == b'*' => {
                let first = self.places.get(reached.start).copied().unwrap_or(usize::MAX);
                reached.start = self.places.len();
                self.places.0.extend(first..=self.text.len());
            }
            None if c == b'?' => self.keep(reached, c, ANY),
            None if c == b'[' || c == b'\\' && reached.is_wild => self.pending.0.push(c),
            None => self.keep(reached, c, b""),
            Some(b'[') if self.pending.len() - reached.pending > BRACKET => {
                self.refused = Some("endless bracket");
                reached.start = self.places.len();
            }
            // What closes it is a `]`.
            Some(b'[') if c != b']' => self.pending.0.push(c),
            Some(b'[') => {
                self.pending.0.push(c);
                let pending = std::mem::take(&mut self.pending.0);
                let expression = pending.get(reached.pending + 1..).unwrap_or_default();
                if bracket(expression, 0).is_some() {
                    self.keep(reached, c, expression);
                    reached.pending = pending.len();
                }
                self.pending.0 = pending;
            }
            Some(_) => {
                reached.pending = self.pending.len();
                self.keep(reached, c, b"");
            }
        }
    }

    /// Goes one character on, from the places where it is `c`, or where there is an
    /// `expression`, that of a bracket, one that this holds.
    fn keep(&mut self, reached: &mut Reached, c: u8, expression: &[u8]) {
        let end = self.places.len();
        for at in reached.start..end {
            let place = self.places.get(at).copied().unwrap_or_default();
            let Some(&other) = self.text.get(place) else { continue };
            let fits = match expression {
                [] => other == c,
                _ => bracket(expression, other).is_some_and(|(holds, _)| holds),
            };
            if fits {
                self.places.0.push(place + 1);
            }
        }
        reached.start = end;
    }
}

/// Any character.
const ANY: &[u8] = b"\0-\xff]";

fn is_wildcard(c: u8) -> bool {
    matches!(c, b'*' | b'?' | b'[')
}

/// Keeps `values` sorted by priority. Of equals the later one goes first, which
/// is the order in which kmod loads the modules of an alias.
fn insert(values: &mut Vec<Value>, value: Value) {
    let at = values.partition_point(|other| other.priority < value.priority);
    values.insert(at, value);
}
