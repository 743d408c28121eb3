//! The binary indexes `modules.*.bin` that depmod writes: tries on disk, read
//! where a lookup leads.
//!
//! All numbers are big-endian u32. The file starts with the magic, the version
//! (its upper half must agree) and the root's node word. A node word holds the
//! node's offset in its low 28 bits and what the node has in its high bits:
//!
//! ```text
//! 0x8…  prefix    bytes NUL
//! 0x2…  children  u8 first, u8 last, u32 word × (last - first + 1), 0 = none
//! 0x4…  values    u32 count, (u32 priority, bytes NUL) × count
//! ```
//!
//! in this order. A key is the characters on the way down: prefixes and the
//! children's own. In an index of aliases, keys are glob patterns.
//! Format: kmod's `libkmod/libkmod-index.c`; keys are 7-bit.
//!
//! Refused, as [`Damage`]: a wrong magic or version, anything that points
//! outside the file, a trie that loops.

use std::cell::Cell;

use super::pages::{Cursor, Damage, Pages, Source};
use crate::name::glob;

pub(super) const MAGIC: u32 = 0xB007_F457;
pub(super) const VERSION: u32 = 0x0002;
pub(super) const PREFIX: u32 = 0x8000_0000;
pub(super) const VALUES: u32 = 0x4000_0000;
pub(super) const CHILDREN: u32 = 0x2000_0000;
pub(super) const OFFSET: u32 = 0x0FFF_FFFF;

/// Deeper than any key: only a looping trie gets there.
const DEPTH: usize = 2048;

/// Longer than any key.
pub(super) const KEY: usize = 4096;

/// A module index. Keys have one value in `modules.dep.bin`, any number in
/// `modules.alias.bin`.
pub struct Index<S> {
    pages: Pages<S>,
    root: u32,
}

/// One value of a key. Among several, the lowest priority comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The module's rank: the lower, the earlier it loads.
    pub priority: u32,
    /// A line of `modules.dep`, or a module's name.
    pub bytes: Vec<u8>,
}

struct Node {
    prefix: Vec<u8>,
    first: u8,
    last: u8,
    /// Offset of the word of child `first`.
    children: u64,
    /// Offset of the count of values, if there are any.
    values: Option<u64>,
}

impl<S: Source> Index<S> {
    /// Reads the header.
    pub fn open(pages: Pages<S>) -> Result<Self, Damage> {
        let mut header = pages.cursor(0);
        if header.u32()? != MAGIC {
            return Err(Damage { offset: 0, what: "not a module index" });
        }
        if header.u32()? >> 16 != VERSION {
            return Err(Damage { offset: 4, what: "unknown index version" });
        }
        let root = header.u32()?;
        Ok(Self { pages, root })
    }

    /// The first value of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        let mut word = self.root;
        let mut rest = key;
        loop {
            let Some(node) = self.node(word)? else { return Ok(None) };
            match rest.strip_prefix(node.prefix.as_slice()) {
                None => return Ok(None),
                Some([]) => return Ok(self.values(&node)?.into_iter().next().map(|v| v.bytes)),
                Some([c, tail @ ..]) => {
                    word = self.child(&node, *c)?;
                    rest = tail;
                }
            }
        }
    }

    /// All values whose key, read as a pattern, matches `text`, by priority.
    pub fn matching(&self, text: &[u8]) -> Result<Vec<Value>, Damage> {
        // In a sound file no byte is met twice.
        let search = Search { index: self, visits: Cell::new(self.pages.len()) };
        let mut found = Vec::new();
        search.literal(text, &mut found)?;
        Ok(found)
    }

    /// Calls `each` with every key and value, in the order of the file's keys.
    pub fn dump(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Damage> {
        let search = Search { index: self, visits: Cell::new(self.pages.len()) };
        search.dump(self.root, &mut Vec::new(), each, 0)
    }

    fn node(&self, word: u32) -> Result<Option<Node>, Damage> {
        let offset = u64::from(word & OFFSET);
        if offset == 0 {
            return Ok(None);
        }
        let mut cursor = self.pages.cursor(offset);
        let prefix = if word & PREFIX != 0 { cursor.string()? } else { Vec::new() };
        let (mut first, mut last) = (1, 0);
        let mut children = 0;
        if word & CHILDREN != 0 {
            (first, last) = (cursor.byte()?, cursor.byte()?);
            children = cursor.offset();
            if first > last || last >= 128 {
                return Err(Damage { offset: children - 2, what: "impossible children" });
            }
        }
        let values = (word & VALUES != 0).then(|| match children {
            0 => cursor.offset(),
            _ => children + 4 * (u64::from(last - first) + 1),
        });
        Ok(Some(Node { prefix, first, last, children, values }))
    }

    /// The node word of the child for `c`, 0 where there is none.
    fn child(&self, node: &Node, c: u8) -> Result<u32, Damage> {
        if c < node.first || c > node.last {
            return Ok(0);
        }
        self.pages.cursor(node.children + 4 * u64::from(c - node.first)).u32()
    }

    fn values(&self, node: &Node) -> Result<Vec<Value>, Damage> {
        let Some(offset) = node.values else { return Ok(Vec::new()) };
        let mut cursor: Cursor<'_, S> = self.pages.cursor(offset);
        // The count is not trusted with an allocation.
        let mut values = Vec::new();
        for _ in 0..cursor.u32()? {
            let priority = cursor.u32()?;
            values.push(Value { priority, bytes: cursor.string()? });
        }
        Ok(values)
    }
}

/// A walk that collects every pattern matching a text.
struct Search<'a, S> {
    index: &'a Index<S>,
    /// Bytes that may still be read before the trie must be looping.
    visits: Cell<u64>,
}

impl<S: Source> Search<'_, S> {
    fn node(&self, word: u32) -> Result<Option<Node>, Damage> {
        let node = self.index.node(word)?;
        let bytes = node.as_ref().map_or(0, |node| 1 + node.prefix.len() as u64);
        self.spend(bytes, u64::from(word & OFFSET))?;
        Ok(node)
    }

    /// Follows the characters of `text`, and at every wildcard on the way looks
    /// through all that is below it.
    fn literal(&self, text: &[u8], found: &mut Vec<Value>) -> Result<(), Damage> {
        let mut word = self.index.root;
        let mut rest = text;
        while let Some(node) = self.node(word)? {
            for (at, &c) in node.prefix.iter().enumerate() {
                if is_wildcard(c) {
                    let mut pattern = node.prefix.get(at..).unwrap_or_default().to_vec();
                    return self.below(&node, &mut pattern, rest, found, 0);
                }
                match rest {
                    [first, tail @ ..] if *first == c => rest = tail,
                    _ => return Ok(()),
                }
            }
            for wildcard in *b"*?[" {
                let child = self.index.child(&node, wildcard)?;
                self.subtree(child, &mut vec![wildcard], rest, found, 0)?;
            }
            let [c, tail @ ..] = rest else {
                self.values(&node)?.into_iter().for_each(|value| insert(found, value));
                return Ok(());
            };
            word = self.index.child(&node, *c)?;
            rest = tail;
        }
        Ok(())
    }

    /// Matches every key of the node `word` and below, `pattern` being what
    /// leads there, against `text`.
    fn subtree(
        &self,
        word: u32,
        pattern: &mut Vec<u8>,
        text: &[u8],
        found: &mut Vec<Value>,
        depth: usize,
    ) -> Result<(), Damage> {
        let Some(node) = self.node(word)? else { return Ok(()) };
        let length = pattern.len();
        self.extend(pattern, &node)?;
        self.below(&node, pattern, text, found, depth)?;
        pattern.truncate(length);
        Ok(())
    }

    /// The same for a node whose prefix is in `pattern` already.
    fn below(
        &self,
        node: &Node,
        pattern: &mut Vec<u8>,
        text: &[u8],
        found: &mut Vec<Value>,
        depth: usize,
    ) -> Result<(), Damage> {
        if depth > DEPTH {
            return Err(Damage { offset: node.children, what: "looping trie" });
        }
        for c in node.first..=node.last {
            let child = self.index.child(node, c)?;
            if child != 0 {
                pattern.push(c);
                self.subtree(child, pattern, text, found, depth + 1)?;
                pattern.pop();
            }
        }
        if node.values.is_some() && glob(pattern, text) {
            self.values(node)?.into_iter().for_each(|value| insert(found, value));
        }
        Ok(())
    }
}

impl<S: Source> Search<'_, S> {
    /// Goes on with a key by what a node has of it.
    fn extend(&self, key: &mut Vec<u8>, node: &Node) -> Result<(), Damage> {
        key.extend_from_slice(&node.prefix);
        let offset = node.children;
        if key.len() > KEY { Err(Damage { offset, what: "endless key" }) } else { Ok(()) }
    }

    /// Reads a node's values, which count as visits, too.
    fn values(&self, node: &Node) -> Result<Vec<Value>, Damage> {
        let values = self.index.values(node)?;
        let bytes = values.iter().map(|value| 4 + value.bytes.len() as u64).sum();
        self.spend(bytes, node.children)?;
        Ok(values)
    }

    fn spend(&self, bytes: u64, offset: u64) -> Result<(), Damage> {
        let looping = Damage { offset, what: "looping trie" };
        self.visits.set(self.visits.get().checked_sub(bytes).ok_or(looping)?);
        Ok(())
    }

    fn dump(
        &self,
        word: u32,
        key: &mut Vec<u8>,
        each: &mut dyn FnMut(&[u8], &[u8]),
        depth: usize,
    ) -> Result<(), Damage> {
        let Some(node) = self.node(word)? else { return Ok(()) };
        if depth > DEPTH {
            return Err(Damage { offset: u64::from(word & OFFSET), what: "looping trie" });
        }
        let length = key.len();
        self.extend(key, &node)?;
        for value in self.values(&node)? {
            each(key, &value.bytes);
        }
        for c in node.first..=node.last {
            key.push(c);
            self.dump(self.index.child(&node, c)?, key, each, depth + 1)?;
            key.pop();
        }
        key.truncate(length);
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a trie with one node per character: not compact, but legal.
    fn write(entries: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut out = [MAGIC, (VERSION << 16) | 1, 0].map(u32::to_be_bytes).concat();
        let root = node(&mut out, entries, 0);
        out[8..12].copy_from_slice(&root.to_be_bytes());
        out
    }

    fn node(out: &mut Vec<u8>, entries: &[(&str, u32, &str)], depth: usize) -> u32 {
        let next = |e: &&(&str, u32, &str)| e.0.as_bytes().get(depth).copied();
        let first = entries.iter().filter_map(|e| next(&e)).min();
        let last = entries.iter().filter_map(|e| next(&e)).max();
        let mut words = Vec::new();
        if let (Some(first), Some(last)) = (first, last) {
            for c in first..=last {
                let below: Vec<_> =
                    entries.iter().filter(|e| next(e) == Some(c)).copied().collect();
                words.push(if below.is_empty() { 0 } else { node(out, &below, depth + 1) });
            }
        }
        let mut word = out.len() as u32;
        if let (Some(first), Some(last)) = (first, last) {
            word |= CHILDREN;
            out.extend([first, last]);
            words.iter().for_each(|w| out.extend(w.to_be_bytes()));
        }
        let here: Vec<_> = entries.iter().filter(|e| e.0.len() == depth).collect();
        if !here.is_empty() {
            word |= VALUES;
            out.extend((here.len() as u32).to_be_bytes());
            for (_, priority, value) in here {
                out.extend(priority.to_be_bytes());
                out.extend(value.bytes().chain([0]));
            }
        }
        word
    }

    fn open(bytes: Vec<u8>) -> Result<Index<Vec<u8>>, Damage> {
        let length = bytes.len() as u64;
        Index::open(Pages::new(bytes, length))
    }

    #[test]
    fn a_key_has_its_value() {
        let index = open(write(&[("ext4", 0, "e"), ("ext", 1, "short"), ("xfs", 2, "x")])).unwrap();
        assert_eq!(index.get(b"ext4").unwrap().unwrap(), b"e");
        assert_eq!(index.get(b"ext").unwrap().unwrap(), b"short");
        assert_eq!(index.get(b"ex").unwrap(), None);
        assert_eq!(index.get(b"ext45").unwrap(), None);
        assert_eq!(index.get(b"").unwrap(), None);
        assert_eq!(index.get(b"\xff").unwrap(), None);
    }

    #[test]
    fn every_matching_pattern_counts_in_order_of_priority() {
        let index = open(write(&[
            ("usb:v1p*", 7, "late"),
            ("usb:v1*", 7, "of equals the first met"),
            ("usb:v1p2", 3, "early"),
            ("usb:v[0-9]p2*", 5, "middle"),
            ("usb:v?p3", 1, "other"),
            ("*", 9, "last"),
        ]))
        .unwrap();
        let names: Vec<_> =
            index.matching(b"usb:v1p2").unwrap().into_iter().map(|v| v.bytes).collect();
        assert_eq!(names, [&b"early"[..], b"middle", b"late", b"of equals the first met", b"last"]);
    }

    #[test]
    fn a_dump_has_all_keys_in_order() {
        let index = open(write(&[("b", 0, "2"), ("ab", 0, "1"), ("b*", 3, "3")])).unwrap();
        let mut lines = Vec::new();
        index.dump(&mut |key, value| lines.push([key, b" ", value].concat())).unwrap();
        assert_eq!(lines, [b"ab 1".to_vec(), b"b 2".to_vec(), b"b* 3".to_vec()]);
    }

    #[test]
    fn damage_is_named_and_nothing_panics() {
        let sound = write(&[("ext4", 0, "e"), ("x*", 1, "y"), ("xfs", 2, "x")]);
        assert_eq!(open(b"not an index".to_vec()).err().unwrap().offset, 0);
        for length in 0..sound.len() {
            if let Ok(index) = open(sound[..length].to_vec()) {
                let _ = (index.get(b"ext4"), index.matching(b"xfs"));
            }
        }
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(index) = open(bytes) {
                    let _ = (index.get(b"ext4"), index.matching(b"xfs"));
                }
            }
        }
    }

    #[test]
    fn a_loop_ends() {
        // The root is its own child for every character, '*' among them.
        let root = CHILDREN | 12;
        let mut bytes = [MAGIC, (VERSION << 16) | 1, root].map(u32::to_be_bytes).concat();
        bytes.extend([b'*', b'z']);
        (b'*'..=b'z').for_each(|_| bytes.extend(root.to_be_bytes()));
        let index = open(bytes).unwrap();
        assert_eq!(index.matching(b"abc").unwrap_err().what, "looping trie");
        assert_eq!(index.dump(&mut |_, _| {}).unwrap_err().what, "looping trie");
        assert_eq!(index.get(b"abc").unwrap(), None);
    }
}
