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

mod matching;
pub mod write;

use std::cell::Cell;

use super::pages::{Damage, Pages, Source};
use crate::large::Large;

const MAGIC: u32 = 0xB007_F457;
const VERSION: u32 = 0x0002;
const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
const OFFSET: u32 = 0x0FFF_FFFF;

/// Longer than any key, and so no trie is deeper: only one that loops gets there.
const KEY: usize = 4096;

/// How much longer what an index holds may be than the index, where keys share what they begin
/// with.
const EXPANSION: u64 = 64;

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

    /// Whether it has `key`, whose first value `value` is then. What that held is lost.
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Damage> {
        let mut word = self.root;
        let mut rest = key;
        loop {
            value.clear();
            let Some(node) = self.node(word, value)? else { return Ok(false) };
            match rest.strip_prefix(value.as_slice()) {
                None => return Ok(false),
                Some([]) => {
                    value.clear();
                    let Some(offset) = node.values else { return Ok(false) };
                    let mut cursor = self.pages.cursor(offset);
                    if cursor.u32()? == 0 {
                        return Ok(false);
                    }
                    // Its priority matters among several.
                    cursor.u32()?;
                    cursor.string(value)?;
                    return Ok(true);
                }
                Some([c, tail @ ..]) => {
                    word = self.child(&node, *c)?;
                    rest = tail;
                }
            }
        }
    }

    /// Calls `each` with every key and value, in the order of the file's keys.
    pub fn dump(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Damage> {
        let (mut key, mut value) = (Large::default(), Large::default());
        self.walk().dump(self.root, (&mut key.0, &mut value.0), each, 0)
    }

    fn walk(&self) -> Walk<'_, S> {
        // In a sound file no byte is met twice.
        let length = self.pages.len();
        Walk { index: self, visits: Cell::new(length), room: Cell::new(length * EXPANSION) }
    }

    /// Reads a node, whose prefix goes behind what `prefix` has.
    fn node(&self, word: u32, prefix: &mut Vec<u8>) -> Result<Option<Node>, Damage> {
        let offset = u64::from(word & OFFSET);
        if offset == 0 {
            return Ok(None);
        }
        let mut cursor = self.pages.cursor(offset);
        if word & PREFIX != 0 {
            cursor.string(prefix)?;
        }
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
        Ok(Some(Node { first, last, children, values }))
    }

    /// The node word of the child for `c`, 0 where there is none.
    fn child(&self, node: &Node, c: u8) -> Result<u32, Damage> {
        if c < node.first || c > node.last {
            return Ok(0);
        }
        self.pages.cursor(node.children + 4 * u64::from(c - node.first)).u32()
    }
}

/// A way through the trie.
struct Walk<'a, S> {
    index: &'a Index<S>,
    /// Bytes that may still be read before the trie must be looping.
    visits: Cell<u64>,
    /// Bytes that may still be made of them.
    room: Cell<u64>,
}

impl<S: Source> Walk<'_, S> {
    /// Reads a node, whose prefix goes behind what `prefix` has.
    fn node(&self, word: u32, depth: usize, prefix: &mut Vec<u8>) -> Result<Option<Node>, Damage> {
        let offset = u64::from(word & OFFSET);
        if depth > KEY {
            return Err(Damage { offset, what: "looping trie" });
        }
        let length = prefix.len();
        let node = self.index.node(word, prefix)?;
        if node.is_some() {
            self.spend(1 + prefix.len() - length, offset)?;
        }
        Ok(node)
    }

    /// Calls `each` with the priority of each of a node's values and with the value, which
    /// `bytes` holds for that long. They count as visits, too.
    fn values(
        &self,
        node: &Node,
        bytes: &mut Vec<u8>,
        each: &mut dyn FnMut(u32, &[u8]),
    ) -> Result<(), Damage> {
        let Some(offset) = node.values else { return Ok(()) };
        let mut cursor = self.index.pages.cursor(offset);
        for _ in 0..cursor.u32()? {
            let priority = cursor.u32()?;
            bytes.clear();
            cursor.string(bytes)?;
            self.spend(4 + bytes.len(), node.children)?;
            each(priority, bytes);
        }
        Ok(())
    }

    fn spend(&self, bytes: usize, offset: u64) -> Result<(), Damage> {
        let looping = Damage { offset, what: "looping trie" };
        self.visits.set(self.visits.get().checked_sub(bytes as u64).ok_or(looping)?);
        Ok(())
    }

    fn dump(
        &self,
        word: u32,
        (key, value): (&mut Vec<u8>, &mut Vec<u8>),
        each: &mut dyn FnMut(&[u8], &[u8]),
        depth: usize,
    ) -> Result<(), Damage> {
        let length = key.len();
        let Some(node) = self.node(word, depth, key)? else { return Ok(()) };
        if key.len() > KEY {
            return Err(Damage { offset: node.children, what: "endless key" });
        }
        let mut is_full = false;
        self.values(&node, value, &mut |_, value| {
            let room = self.room.get().checked_sub((key.len() + value.len()) as u64);
            match room {
                Some(room) => {
                    self.room.set(room);
                    each(key, value);
                }
                None => is_full = true,
            }
        })?;
        if is_full {
            return Err(Damage { offset: node.children, what: "too much in it" });
        }
        for c in node.first..=node.last {
            key.push(c);
            self.dump(self.index.child(&node, c)?, (key, value), each, depth + 1)?;
            key.pop();
        }
        key.truncate(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::matching::VALUES as MOST;
    use super::*;
    use crate::name::glob;

    impl<S: Source> Index<S> {
        /// The first value of `key`.
        pub fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
            let mut value = b"of the key before".to_vec();
            Ok(self.get(key, &mut value)?.then_some(value))
        }
    }

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
        assert_eq!(index.value(b"ext4").unwrap().unwrap(), b"e");
        assert_eq!(index.value(b"ext").unwrap().unwrap(), b"short");
        assert_eq!(index.value(b"ex").unwrap(), None);
        assert_eq!(index.value(b"ext45").unwrap(), None);
        assert_eq!(index.value(b"").unwrap(), None);
        assert_eq!(index.value(b"\xff").unwrap(), None);
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
    fn patterns_match_as_fnmatch_says() {
        let mut seed = 1u32;
        let mut random = |from: &[u8], most: u32| {
            let mut next = || {
                seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
                seed >> 16
            };
            let length = next() % (most + 1);
            let pick = |_| char::from(from[next() as usize % from.len()]);
            (0..length).map(pick).collect::<String>()
        };
        for _ in 0..2000 {
            let keys: Vec<String> = (0..8).map(|_| random(b"ab]-!\\*?[*", 7)).collect();
            let entries: Vec<(&str, u32, &str)> =
                keys.iter().enumerate().map(|(at, key)| (key.as_str(), at as u32, "v")).collect();
            let index = open(write(&entries)).unwrap();
            let text = random(b"ab]-!\\", 6);
            let matches = |key: &&String| {
                // Up to its first wildcard, a key is plain.
                let plain = key.find(['*', '?', '[']).unwrap_or(key.len());
                let (plain, pattern) = key.as_bytes().split_at(plain);
                let rest = text.as_bytes().strip_prefix(plain);
                rest.is_some_and(|rest| glob(pattern, rest))
            };
            let expected = keys.iter().filter(matches).count();
            let found = index.matching(text.as_bytes()).unwrap();
            assert_eq!(found.len(), expected, "{text} in {keys:?}");
        }
    }

    #[test]
    fn hostile_patterns_are_refused_or_end_soon() {
        let what = |keys: &[String], text: &str| {
            let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 1, "v")).collect();
            let found = open(write(&entries)).unwrap().matching(text.as_bytes());
            found.map(|found| found.len()).map_err(|damage| damage.what)
        };
        let run = |of: &str| (1..=240).map(|n| format!("*{}", of.repeat(n))).collect::<Vec<_>>();
        // Brackets that never close are plain, as far as anybody could mean them.
        assert_eq!(what(&["*[[[".to_owned()], "a[[["), Ok(1));
        assert_eq!(what(&[format!("*{}", "[".repeat(300))], "x"), Err("endless bracket"));
        let many = what(&run("["), &"[".repeat(1000));
        assert_eq!(many, Err("looping trie"), "each is looked at again and again");
        assert_eq!(what(&run("*"), &"x".repeat(4000)), Ok(240));
        assert_eq!(what(&[format!("a{}", "*".repeat(300))], &"a".repeat(4000)), Ok(1));
        let alike = vec!["a".to_owned(); MOST + 1];
        assert_eq!(what(&alike[1..], "a"), Ok(MOST));
        assert_eq!(what(&alike, "a"), Err("too many modules of one name"));
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
                let _ = (index.value(b"ext4"), index.matching(b"xfs"));
            }
        }
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(index) = open(bytes) {
                    let _ = (index.value(b"ext4"), index.matching(b"xfs"));
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
        assert_eq!(index.value(b"abc").unwrap(), None);
    }
}
