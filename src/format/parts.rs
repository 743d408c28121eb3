//! A large file of which a few parts matter, read one behind another into a buffer.

use std::io;
use std::ops::Range;

use super::pages::Source;
use crate::large::{self, Large};

/// The parts that have been read of a file.
pub struct Parts<'b, S> {
    source: S,
    /// Bytes.
    length: u64,
    /// Longer than what is used of it: it is kept from one file to the next.
    buffer: &'b mut Vec<u8>,
    used: usize,
    /// Where each part starts in the file, and where it is in the buffer.
    read: Large<(u64, Range<usize>)>,
    error: Option<io::Error>,
}

impl<'b, S: Source> Parts<'b, S> {
    /// Nothing yet of the first `length` bytes of `source`, which `buffer` will hold.
    pub fn new(source: S, length: u64, buffer: &'b mut Vec<u8>) -> Self {
        Self { source, length, buffer, used: 0, read: Large::default(), error: None }
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// What has been read.
    pub fn buffer(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }

    /// Why the last part could not be read, if it is there.
    pub fn error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Where in the buffer the `count` bytes from `offset` on are, which are read if
    /// they are not there yet; `None` where the file has fewer.
    pub fn part(&mut self, offset: u64, count: u64) -> Option<Range<usize>> {
        // A claim is not trusted, neither with a sum nor with an allocation.
        offset.checked_add(count).filter(|end| *end <= self.length)?;
        let known = self.read.iter().find_map(|(start, part)| {
            let skipped = usize::try_from(offset.checked_sub(*start)?).ok()?;
            let at = part.start.checked_add(skipped)?;
            let known = at..at.checked_add(usize::try_from(count).ok()?)?;
            (known.end <= part.end).then_some(known)
        });
        if known.is_some() {
            return known;
        }
        let part = self.used..self.used + usize::try_from(count).ok()?;
        if self.buffer.len() < part.end {
            if let Err(error) = large::grow(self.buffer, part.end * 2) {
                self.error = Some(error.into());
                return None;
            }
        }
        let room = self.buffer.get_mut(part.clone())?;
        match self.source.read_at(room, offset) {
            Ok(count) if count == room.len() => self.used = part.end,
            Ok(_) => return None,
            Err(error) => {
                self.error = Some(error);
                return None;
            }
        }
        self.read.0.push((offset, part.clone()));
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_once_and_not_past_the_end() {
        let mut buffer = Vec::new();
        let mut parts = Parts::new(b"0123456789".to_vec(), 10, &mut buffer);
        assert_eq!(parts.part(4, 4), Some(0..4));
        assert_eq!(parts.part(5, 2), Some(1..3));
        assert_eq!(parts.part(0, 2), Some(4..6));
        assert_eq!(parts.part(10, 0), Some(6..6));
        assert_eq!(parts.buffer(), b"456701");
        assert_eq!(parts.part(9, 2), None);
        assert_eq!(parts.part(u64::MAX, 2), None);
        // The sum of this with where the first part is in the buffer would be small.
        assert_eq!(parts.part(u64::MAX - 3, 2), None);
        // The file is shorter than it said.
        let mut parts = Parts::new(b"0123".to_vec(), 10, &mut buffer);
        assert_eq!(parts.part(2, 4), None);
    }
}
