//! Memory that is worth giving back before the process ends.

use std::ops::Deref;

/// A vector for what a file holds, or for what each of thousands of modules or names has: its
/// memory is given back when it is dropped, which other vectors' is not (see `memory` in
/// `entry`).
pub struct Large<T>(pub Vec<T>);

/// Makes `buffer` longer. What is new is zero, as the kernel gives it: a long piece is not
/// written to, and takes no memory before it is.
pub fn grow(buffer: &mut Vec<u8>, length: usize) {
    if length <= buffer.len() {
        return;
    }
    let mut longer = vec![0; length];
    if let Some(start) = longer.get_mut(..buffer.len()) {
        start.copy_from_slice(buffer);
    }
    drop(Large(std::mem::replace(buffer, longer)));
}

impl<T> Default for Large<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for Large<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Drop for Large<T> {
    /// Moves to the least piece, of which the old one is given back.
    fn drop(&mut self) {
        self.0.clear();
        self.0.shrink_to(1);
    }
}
