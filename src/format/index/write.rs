//! Writes the tries that [`super`] reads; the format is drawn there.
//!
//! The entries are sorted first: those below a node are then neighbours, and no
//! tree is built in memory. A node is written after those below it, as it holds
//! their offsets.
//!
//! Refused: keys that a reader would not find, and what 28-bit offsets can't reach.

use std::borrow::Cow;
use std::fmt;

use super::{CHILDREN, KEY, MAGIC, OFFSET, PREFIX, VALUES, VERSION};

/// An index that is being filled.
#[derive(Default)]
pub struct IndexWriter<'a> {
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    key: Cow<'a, [u8]>,
    priority: u32,
    value: Cow<'a, [u8]>,
}

/// Why something can't be written.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Keys are of 7-bit characters, and not endless.
    Key,
    /// Offsets have 28 bits.
    TooLarge,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "an index holds no characters beyond ASCII, and 4096 at most",
            Self::TooLarge => "an index can't be larger than 256 MiB",
        })
    }
}

impl<'a> IndexWriter<'a> {
    /// Adds a value to `key`. A lower priority comes first; of equal ones the later.
    pub fn insert(
        &mut self,
        key: impl Into<Cow<'a, [u8]>>,
        value: impl Into<Cow<'a, [u8]>>,
        priority: u32,
    ) -> Result<(), Refused> {
        let key = key.into();
        if !key.is_ascii() || key.contains(&0) || key.len() > KEY {
            return Err(Refused::Key);
        }
        self.entries.push(Entry { key, priority, value: value.into() });
        Ok(())
    }

    /// The file's content.
    pub fn finish(mut self) -> Result<Vec<u8>, Refused> {
        let order =
            |a: &Entry<'_>, b: &Entry<'_>| a.key.cmp(&b.key).then(a.priority.cmp(&b.priority));
        if !self.entries.is_sorted_by(|a, b| order(a, b).is_lt()) {
            // The sort is stable, and of equal entries the later goes first.
            self.entries.reverse();
            self.entries.sort_by(order);
        }
        let mut file = [MAGIC, VERSION << 16 | 1, 0].map(u32::to_be_bytes).concat();
        let root = write(&self.entries, 0, &mut file)?;
        file.splice(8..12, root.to_be_bytes());
        Ok(file)
    }
}

/// Appends the node of `entries`, which are sorted and share the first `depth` bytes
/// of their keys, and what is below it; its word.
fn write(entries: &[Entry<'_>], depth: usize, file: &mut Vec<u8>) -> Result<u32, Refused> {
    let first = entries.first().and_then(|entry| entry.key.get(depth..)).unwrap_or_default();
    let last = entries.last().and_then(|entry| entry.key.get(depth..)).unwrap_or_default();
    // What the first and the last share, all between them share. The root has no
    // prefix, as kmod's has none.
    let shared = first.iter().zip(last).take_while(|(a, b)| depth > 0 && a == b).count();
    let depth = depth + shared;
    let own = entries.partition_point(|entry| entry.key.len() == depth);
    let (values, mut below) = entries.split_at_checked(own).unwrap_or_default();

    let mut children = Vec::new();
    while let Some(c) = below.first().and_then(|entry| entry.key.get(depth)).copied() {
        let count = below.partition_point(|entry| entry.key.get(depth) == Some(&c));
        let (child, rest) = below.split_at_checked(count).unwrap_or_default();
        children.push((c, write(child, depth + 1, file)?));
        below = rest;
    }

    let offset = u32::try_from(file.len()).ok().filter(|offset| *offset <= OFFSET);
    let mut word = offset.ok_or(Refused::TooLarge)?;
    if shared > 0 {
        word |= PREFIX;
        file.extend_from_slice(first.get(..shared).unwrap_or_default());
        file.push(0);
    }
    if let (Some((first, _)), Some((last, _))) = (children.first(), children.last()) {
        word |= CHILDREN;
        file.extend_from_slice(&[*first, *last]);
        let mut next = *first;
        for (c, child) in &children {
            file.resize(file.len() + 4 * usize::from(*c - next), 0);
            file.extend_from_slice(&child.to_be_bytes());
            next = c + 1;
        }
    }
    if !values.is_empty() {
        word |= VALUES;
        file.extend_from_slice(&(values.len() as u32).to_be_bytes());
        for entry in values {
            file.extend_from_slice(&entry.priority.to_be_bytes());
            file.extend_from_slice(&entry.value);
            file.push(0);
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;
    use crate::format::pages::Pages;

    fn index(entries: &[(&'static str, &'static str, u32)]) -> Index<Vec<u8>> {
        let mut writer = IndexWriter::default();
        for (key, value, priority) in entries {
            writer.insert(key.as_bytes(), value.as_bytes(), *priority).unwrap();
        }
        let file = writer.finish().unwrap();
        let length = file.len() as u64;
        Index::open(Pages::new(file, length)).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let entries = [
            ("ext4", "a", 1),
            ("ext", "b", 2),
            ("exfat", "c", 3),
            ("", "empty", 0),
            ("pci:v*d2*", "d", 9),
            ("pci:v*", "e", 4),
            ("xfs", "late", 7),
            ("xfs", "early", 5),
            ("xfs", "same but later", 5),
        ];
        let index = index(&entries);
        let get =
            |key: &str| index.value(key.as_bytes()).unwrap().map(|v| String::from_utf8(v).unwrap());
        assert_eq!(get("ext4").unwrap(), "a");
        assert_eq!(get("ext").unwrap(), "b");
        assert_eq!(get("exfat").unwrap(), "c");
        assert_eq!(get("").unwrap(), "empty");
        assert_eq!(get("xfs").unwrap(), "same but later");
        assert_eq!(get("ex"), None);
        let names: Vec<_> =
            index.matching(b"pci:v1d2").unwrap().into_iter().map(|v| v.bytes).collect();
        assert_eq!(names, [b"e", b"d"]);
        let mut keys = Vec::new();
        index.dump(&mut |key, _| keys.push(String::from_utf8(key.to_vec()).unwrap())).unwrap();
        assert_eq!(keys, ["", "exfat", "ext", "ext4", "pci:v*", "pci:v*d2*", "xfs", "xfs", "xfs"]);
    }

    #[test]
    fn the_deepest_trie_is_read() {
        let key = [b'a'; KEY];
        let work = move || {
            let mut writer = IndexWriter::default();
            for length in 1..=KEY {
                writer.insert(&key[..length], &b"v"[..], 0).unwrap();
            }
            let file = writer.finish().unwrap();
            let length = file.len() as u64;
            let index = Index::open(Pages::new(file, length)).unwrap();
            assert_eq!(index.value(&key).unwrap().unwrap(), b"v");
            assert_eq!(index.matching(&key).unwrap().len(), 1);
            // All of its keys are a hundred times as long.
            assert_eq!(index.dump(&mut |_, _| {}).unwrap_err().what, "too much in it");
        };
        // Without optimization, a level takes some hundred bytes of stack.
        std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn keys_that_no_reader_finds_are_refused() {
        let mut writer = IndexWriter::default();
        for key in [&b"\xff"[..], b"a\0b", &[b'x'; KEY + 1]] {
            assert_eq!(writer.insert(key, &b""[..], 0), Err(Refused::Key));
        }
        assert_eq!(index(&[]).value(b"x").unwrap(), None);
    }
}
