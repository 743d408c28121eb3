//! Memory that is worth giving back before the process ends.

use std::ops::Deref;

use nix::errno::Errno;

use crate::entry::shortage::{fallibly, zeroed};

/// A vector for what a file holds, or for what each of thousands of modules or names has: its
/// memory is given back when it is dropped, which other vectors' is not (see `memory` in
/// `entry`).
pub struct Large<T>(pub Vec<T>);

/// Makes `buffer` longer, by what is zero and takes no memory before it is written to; an error
/// where there is not so much.
pub fn grow(buffer: &mut Vec<u8>, length: usize) -> Result<(), Errno> {
    if length <= buffer.len() {
        return Ok(());
    }
    let mut longer = zeroed(length).ok_or(Errno::ENOMEM)?;
    if let Some(start) = longer.get_mut(..buffer.len()) {
        start.copy_from_slice(buffer);
    }
    drop(Large(std::mem::replace(buffer, longer)));
    Ok(())
}

/// Makes room in `buffer` for so many bytes more; an error where there is not so much.
pub fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), Errno> {
    fallibly(|| buffer.try_reserve_exact(more)).map_err(|_| Errno::ENOMEM)
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
