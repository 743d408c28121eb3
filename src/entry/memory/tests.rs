//! Pieces of memory, by several threads.

use super::*;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// Fills pieces with what only they have, and looks whether it is still there.
#[test]
fn pieces_are_nobody_elses() {
    let work = |thread: usize| {
        let mut pieces = Vec::new();
        // Miri takes a thousand times as long.
        for round in 0..if cfg!(miri) { 10 } else { 400 } {
            let size = [1, 16, 17, 100, 4096, LARGEST, LARGEST + 1, 300_000][round % 8];
            let mark = (thread * 31 + round) as u8;
            // SAFETY: a size that is not 0.
            let piece = unsafe { MEMORY.0.alloc(layout(size)) };
            assert_eq!(piece as usize % UNIT, 0);
            // SAFETY: that many bytes were asked for.
            unsafe { piece.write_bytes(mark, size) };
            pieces.push((piece, size, mark));
            if round % 3 == 0 {
                let (piece, size, mark) = pieces.swap_remove(round / 3 % pieces.len());
                let other = [size + 1, size / 2 + 1, size * 3, LARGEST * 2][round % 4];
                // SAFETY: it was asked for with this layout.
                let moved = unsafe { MEMORY.0.realloc(piece, layout(size), other) };
                // SAFETY: what was there before is there still.
                let kept = unsafe { std::slice::from_raw_parts(moved, size.min(other)) };
                assert!(kept.iter().all(|&byte| byte == mark));
                // SAFETY: that many bytes were asked for.
                unsafe { moved.write_bytes(mark, other) };
                pieces.push((moved, other, mark));
            }
            if round % 2 == 0 {
                let (piece, size, mark) = pieces.swap_remove(0);
                // SAFETY: that many bytes were written.
                let held = unsafe { std::slice::from_raw_parts(piece, size) };
                assert!(held.iter().all(|&byte| byte == mark));
                // SAFETY: it was asked for with this layout, and is not used again.
                unsafe { MEMORY.0.give_back(piece, layout(size)) };
            }
        }
    };
    if cfg!(miri) {
        // Miri can't set how large a thread's stack is.
        std::thread::scope(|scope| {
            (1..=4).for_each(|thread| drop(scope.spawn(move || work(thread))));
        });
    } else {
        crate::entry::with_threads(4, 1 << 20, &work, |started| assert_eq!(started, 4));
    }
}

#[test]
fn memory_is_zero_where_that_is_asked_for() {
    for size in [1, 100, LARGEST, LARGEST + 1] {
        for _ in 0..3 {
            // SAFETY: a size that is not 0, and used within it.
            unsafe {
                let piece = MEMORY.0.alloc_zeroed(layout(size));
                let held = std::slice::from_raw_parts_mut(piece, size);
                assert!(held.iter().all(|&byte| byte == 0));
                held.fill(7);
                MEMORY.0.give_back(piece, layout(size));
            }
        }
    }
}

#[test]
fn every_size_has_a_number() {
    for (size, is) in [(0, 0), (1, 0), (16, 0), (17, 1), (32, 1), (33, 2), (LARGEST, 12)] {
        assert_eq!(number(size), is, "{size}");
    }
}
