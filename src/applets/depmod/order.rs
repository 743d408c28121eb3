//! The order of the modules: it is that of `modules.dep`, and it decides in which
//! order the modules of an alias load.
//!
//! Those that `modules.order` lists come first, as they are linked into the kernel in
//! that order where they are built in. The others follow in the order in which kmod's
//! hash table holds their names: what is indexed by one can be compared with what is
//! indexed by the other.

use super::find::Found;
use crate::collect::Collect;
use crate::format::text::lines;

/// Buckets of the table, a power of two.
const BUCKETS: u32 = 512;

/// Sorts `modules`, which are sorted by name, where `order` is the content of `modules.order`.
pub fn sort(mut modules: Vec<Found>, order: &[u8]) -> Vec<Found> {
    let mut positions: Vec<(&[u8], usize)> = lines(order).zip(0..).vec();
    positions.sort();
    let position = |module: &Found| {
        let path = module.uncompressed();
        // The last line that names it counts.
        let end = positions.partition_point(|(line, _)| *line <= path);
        let (line, position) = positions.get(end.checked_sub(1)?)?;
        (*line == path).then_some(*position)
    };
    // In a bucket, names stay sorted.
    modules.sort_by_cached_key(|module| {
        (position(module).unwrap_or(usize::MAX), hash(module.name.as_bytes()) % BUCKETS)
    });
    modules
}

/// Paul Hsieh's "SuperFastHash", which is what kmod's tables use, reading as on a
/// little-endian machine.
fn hash(name: &[u8]) -> u32 {
    let half = |bytes: &[u8]| match bytes {
        [low, high, ..] => u32::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    };
    let signed = |byte: &u8| *byte as i8 as u32;
    let mixed = |hash: u32, left: u32, right: u32| {
        let hash = hash ^ (hash << left);
        hash.wrapping_add(hash >> right)
    };
    let mut hash = name.len() as u32;
    let words = name.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        hash = hash.wrapping_add(half(word));
        let upper = (half(word.get(2..).unwrap_or_default()) << 11) ^ hash;
        hash = (hash << 16) ^ upper;
        hash = hash.wrapping_add(hash >> 11);
    }
    match rest {
        [_, _, last] => {
            hash = hash.wrapping_add(half(rest));
            hash ^= hash << 16;
            hash ^= signed(last) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        [_, _] => hash = mixed(hash.wrapping_add(half(rest)), 11, 17),
        [last] => hash = mixed(hash.wrapping_add(signed(last)), 10, 1),
        _ => {}
    }
    // Spreads the last bits.
    [(3, 5), (4, 17), (25, 6)].iter().fold(hash, |hash, &(left, right)| mixed(hash, left, right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sorted(paths: &[&str], order: &str) -> Vec<String> {
        let found = paths.iter().map(|path| Found::new(path.into(), Path::new("/m")));
        let mut found: Vec<Found> = found.collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let modules = sort(found, order.as_bytes());
        modules.into_iter().map(|m| String::from_utf8(m.listed).unwrap()).collect()
    }

    #[test]
    fn listed_modules_come_first() {
        let paths = ["/m/kernel/a.ko.xz", "/m/kernel/b.ko", "/m/kernel/c-d.ko.zst", "/x/e.ko"];
        let order = "kernel/c-d.ko\nkernel/gone.ko\nkernel/b.ko\n";
        let listed = sorted(&paths, order);
        assert_eq!(listed[..2], ["kernel/c-d.ko.zst", "kernel/b.ko"]);
        assert_eq!(
            sorted(&paths, "kernel/b.ko\nkernel/c-d.ko\nkernel/b.ko")[0],
            "kernel/c-d.ko.zst"
        );
    }
}
