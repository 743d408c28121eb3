//! A writer of kmod's binary indexes, for the trees of the cases.
//!
//! It is not nanomod's own on purpose: a misreading of the format must not
//! cancel itself out. That kmod finds everything in what this writes is part
//! of each case. Big-endian throughout:
//!
//! ```text
//! file   magic B007F457, version 00020001, root offset, nodes
//! offset high nibble: 8 prefix, 4 values, 2 children; low 28 bits: position
//! node   [prefix NUL] [u8 first, u8 last, offset × (last-first+1)]
//!        [u32 count, (u32 priority, value NUL) × count]
//! ```

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    priority: u32,
}

/// Writes the five indexes of a module directory beside its text files.
pub fn write_all(dir: &Path) -> io::Result<()> {
    let read = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
    let dep = read("modules.dep");
    // A module's priority is its place in modules.dep, as with depmod.
    let mut rank = HashMap::new();
    let mut deps = Vec::new();
    for (line, priority) in lines(&dep).zip(0..) {
        let path = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let key = module_name(path);
        rank.insert(key.clone(), priority);
        deps.push(Entry { key, value: line.to_vec(), priority });
    }
    let priority = |module: &[u8]| rank.get(module).copied().unwrap_or(u32::MAX);

    let aliases = |text: &[u8], fold: bool| -> Vec<Entry> {
        lines(text)
            .filter_map(|line| {
                let rest = line.strip_prefix(b"alias ")?;
                let space = rest.iter().rposition(|&byte| byte == b' ')?;
                let (pattern, module) = rest.split_at(space);
                let module = module.get(1..)?.to_vec();
                Some(Entry {
                    key: if fold { folded(pattern) } else { pattern.to_vec() },
                    priority: priority(&module),
                    value: module,
                })
            })
            .collect()
    };
    let builtin = lines(&read("modules.builtin"))
        .map(|path| Entry { key: module_name(path), value: Vec::new(), priority: 0 })
        .collect();
    let builtin_aliases = read("modules.builtin.modinfo")
        .split(|&byte| byte == 0)
        .filter_map(|field| {
            let text = std::str::from_utf8(field).ok()?;
            let (module, pattern) = text.split_once(".alias=")?;
            Some(Entry {
                key: folded(pattern.as_bytes()),
                value: module.as_bytes().to_vec(),
                priority: 0,
            })
        })
        .collect();

    fs::write(dir.join("modules.dep.bin"), encode(deps))?;
    fs::write(dir.join("modules.alias.bin"), encode(aliases(&read("modules.alias"), true)))?;
    fs::write(dir.join("modules.symbols.bin"), encode(aliases(&read("modules.symbols"), false)))?;
    fs::write(dir.join("modules.builtin.bin"), encode(builtin))?;
    fs::write(dir.join("modules.builtin.alias.bin"), encode(builtin_aliases))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// `kernel/a/snd-pcm.ko.xz` → `snd_pcm`
fn module_name(path: &[u8]) -> Vec<u8> {
    let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let stem = base.split(|&byte| byte == b'.').next().unwrap_or_default();
    folded(stem)
}

/// `-` becomes `_`, except between brackets.
fn folded(pattern: &[u8]) -> Vec<u8> {
    let mut inside = false;
    pattern
        .iter()
        .map(|&byte| {
            inside = (inside || byte == b'[') && byte != b']';
            if byte == b'-' && !inside { b'_' } else { byte }
        })
        .collect()
}

fn encode(mut entries: Vec<Entry>) -> Vec<u8> {
    // Ascending priority; of equals the later one first, as depmod inserts.
    entries.reverse();
    entries.sort_by(|a, b| (&a.key, a.priority).cmp(&(&b.key, b.priority)));
    let mut file = Vec::new();
    file.extend(0xB007_F457_u32.to_be_bytes());
    file.extend(0x0002_0001_u32.to_be_bytes());
    file.extend([0; 4]);
    let root = node(&mut file, &entries, 0);
    file[8..12].copy_from_slice(&root.to_be_bytes());
    file
}

/// Appends the trie of `entries`, which share their first `depth` bytes, and
/// gives its offset word. Children come before their parent.
fn node(file: &mut Vec<u8>, entries: &[Entry], depth: usize) -> u32 {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return 12; // an empty index: a root without anything
    };
    // Sorted, so what the first and the last share, all share.
    let common =
        first.key[depth..].iter().zip(&last.key[depth..]).take_while(|(a, b)| a == b).count();
    let end = depth + common;
    let here = entries.iter().take_while(|e| e.key.len() == end).count();
    let (values, below) = entries.split_at(here);

    let mut children = Vec::new();
    for group in below.chunk_by(|a, b| a.key[end] == b.key[end]) {
        children.push((group[0].key[end], node(file, group, end + 1)));
    }

    let mut flags = 0;
    let position = u32::try_from(file.len()).expect("a case's index is small");
    if common > 0 {
        flags |= 0x8000_0000;
        file.extend(&first.key[depth..end]);
        file.push(0);
    }
    if let (Some(&(low, _)), Some(&(high, _))) = (children.first(), children.last()) {
        flags |= 0x2000_0000;
        file.extend([low, high]);
        for byte in low..=high {
            let child = children.iter().find(|(key, _)| *key == byte);
            file.extend(child.map_or(0, |(_, offset)| *offset).to_be_bytes());
        }
    }
    if !values.is_empty() {
        flags |= 0x4000_0000;
        file.extend(u32::try_from(values.len()).unwrap_or(0).to_be_bytes());
        for entry in values {
            file.extend(entry.priority.to_be_bytes());
            file.extend(&entry.value);
            file.push(0);
        }
    }
    position | flags
}
