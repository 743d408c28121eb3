//! Random access to a large file of which a lookup needs a few bytes here and
//! there: blocks are read when first touched and kept. It is what `mmap` would
//! do, without unsafe code and without a fault when the file shrinks.
//!
//! Every access is checked; what lies outside is a [`Damage`] with its offset.

use std::cell::OnceCell;
use std::io;

use super::text::LONGEST;

/// Bytes at a time. A lookup touches about ten places that are far apart, so a
/// larger block reads more and saves no system call.
const BLOCK: usize = 4096;

/// Where the bytes come from.
pub trait Source {
    /// Fills as much of `block` as there is from `offset` on, however often that has to be
    /// asked for; how many bytes.
    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Bytes from the start of the file.
    pub offset: u64,
    /// What is wrong there.
    pub what: &'static str,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at offset {}", self.what, self.offset)
    }
}

/// A file read block by block.
pub struct Pages<S> {
    source: S,
    length: u64,
    blocks: Vec<OnceCell<Vec<u8>>>,
}

impl<S: Source> Pages<S> {
    /// `length` bytes of `source`.
    pub fn new(source: S, length: u64) -> Self {
        let count = usize::try_from(length.div_ceil(BLOCK as u64)).unwrap_or(0);
        Self { source, length, blocks: vec![OnceCell::new(); count] }
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The bytes from `offset` to the end of its block: never empty.
    fn from(&self, offset: u64) -> Result<&[u8], Damage> {
        let damage = |what| Damage { offset, what };
        let number = (offset / BLOCK as u64) as usize;
        let cell = self.blocks.get(number).ok_or(damage("truncated"))?;
        let block = cell.get_or_init(|| self.read(number).unwrap_or_default());
        block
            .get((offset % BLOCK as u64) as usize..)
            .filter(|rest| !rest.is_empty())
            .ok_or(damage("truncated or unreadable"))
    }

    fn read(&self, number: usize) -> io::Result<Vec<u8>> {
        let start = number as u64 * BLOCK as u64;
        let mut block = vec![0; BLOCK.min((self.length - start) as usize)];
        let filled = self.source.read_at(&mut block, start)?;
        block.truncate(filled);
        Ok(block)
    }

    /// A reader that starts at `offset`.
    pub fn cursor(&self, offset: u64) -> Cursor<'_, S> {
        Cursor { pages: self, offset }
    }
}

/// Reads forward from one place.
pub struct Cursor<'a, S> {
    pages: &'a Pages<S>,
    offset: u64,
}

impl<S: Source> Cursor<'_, S> {
    /// Bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Damage> {
        let byte = self.pages.from(self.offset)?.first().copied().unwrap_or_default();
        self.offset += 1;
        Ok(byte)
    }

    /// The next four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, Damage> {
        if let Some(word) = self.pages.from(self.offset)?.first_chunk::<4>() {
            self.offset += 4;
            return Ok(u32::from_be_bytes(*word));
        }
        let mut word = 0;
        for _ in 0..4 {
            word = (word << 8) | u32::from(self.byte()?);
        }
        Ok(word)
    }

    /// Puts the bytes up to the next NUL, which is passed over, behind what `string` has.
    pub fn string(&mut self, string: &mut Vec<u8>) -> Result<(), Damage> {
        loop {
            let rest = self.pages.from(self.offset)?;
            let end = rest.iter().position(|&c| c == 0);
            let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
            string.extend_from_slice(part);
            self.offset += part.len() as u64;
            if string.len() > LONGEST {
                return Err(Damage { offset: self.offset, what: "endless text" });
            }
            if end.is_some() {
                self.offset += 1;
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Source for Vec<u8> {
        fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<usize> {
            let rest = self.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(block.len());
            block[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }
    }

    #[test]
    fn values_may_cross_a_block() {
        let mut bytes = vec![b'x'; BLOCK - 2];
        bytes.extend_from_slice(&[1, 2, 3, 4, b'a', 0]);
        let pages = Pages::new(bytes.clone(), bytes.len() as u64);
        let mut cursor = pages.cursor(BLOCK as u64 - 2);
        assert_eq!(cursor.u32(), Ok(0x0102_0304));
        let mut string = Vec::new();
        cursor.string(&mut string).unwrap();
        assert_eq!(string, b"a");
        pages.cursor(0).string(&mut string).unwrap();
        assert_eq!(string.len(), 1 + BLOCK + 3);
        assert!(cursor.byte().is_err());
    }

    #[test]
    fn a_file_shorter_than_it_said_is_damage() {
        let pages = Pages::new(vec![1, 2, 3], 9000);
        assert!(pages.cursor(0).u32().is_err());
        assert!(pages.cursor(5000).byte().is_err());
        assert!(pages.cursor(u64::MAX).byte().is_err());
    }
}
