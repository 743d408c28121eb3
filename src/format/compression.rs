//! How a module file is compressed, told by its first bytes and never by its
//! name, and its decompression within a limit.
//!
//! Refused: damaged or truncated data, and what grows past the limit. Several
//! frames, streams or members one after another are one file, as for the
//! command-line tools.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(not(feature = "gzip"), not(feature = "xz"), not(feature = "zstd")))]
mod missing;
#[cfg(feature = "xz")]
mod xz;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use crate::large::{self, Large};

#[cfg(feature = "zstd")]
use self::zstd::Unzstd;
#[cfg(feature = "gzip")]
use gzip::Gunzip;
#[cfg(not(feature = "gzip"))]
use missing::Missing as Gunzip;
#[cfg(not(feature = "xz"))]
use missing::Missing as Unxz;
#[cfg(not(feature = "zstd"))]
use missing::Missing as Unzstd;
#[cfg(feature = "xz")]
use xz::Unxz;

/// The most that a module decompresses to: 512 MiB. No real module comes near,
/// and a few bytes of hostile input can claim any size.
pub const LIMIT: u64 = 512 << 20;

/// How many times larger a module is than its file, where the file does not say.
const GROWTH: usize = 4;

/// What is wrong with a file that goes on, as one that was signed after it was compressed.
#[allow(dead_code, reason = "not where all is left out")]
const BEHIND: &str = "other data behind it";

/// What a module file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file, or anything that is none of the others.
    Plain = 0,
    /// gzip, RFC 1952.
    Gzip = 1,
    /// The .xz format.
    Xz = 2,
    /// Zstandard, RFC 8878.
    Zstd = 3,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gzip, Self::Xz, Self::Zstd];

    /// Whether anything can be decompressed here.
    pub const ANY_IS_KNOWN: bool = cfg!(any(feature = "gzip", feature = "xz", feature = "zstd"));

    /// Whether it was built in how to undo this kind.
    pub fn is_known(self) -> bool {
        match self {
            Self::Plain => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Xz => cfg!(feature = "xz"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// How many bytes [`Kind::of`] wants to see.
    pub const MAGIC: usize = 6;

    /// Tells the kind from the file's first bytes.
    pub fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The kind as the kernel calls it in `/sys/module/compression`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a file could not be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It ends too early.
    Truncated(Kind),
    /// It is not what it should be, and in which way.
    Damaged(Kind, &'static str),
    /// It is, or has, what is not known here.
    #[allow(dead_code, reason = "of .xz and zstd alone")]
    Unknown(Kind, &'static str),
    /// It is larger than so many bytes.
    TooLarge(u64),
    /// There is no room for what is in it.
    NoMemory,
    /// It was built without what undoes this kind.
    #[allow(dead_code, reason = "not where nothing is left out")]
    Missing(Kind),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(kind) => write!(f, "{} data is truncated", kind.name()),
            Self::Damaged(kind, what) => write!(f, "{} data is damaged: {what}", kind.name()),
            Self::Unknown(kind, what) => write!(f, "{} data {what}", kind.name()),
            Self::TooLarge(limit) => {
                write!(f, "decompresses to more than the limit of {} MiB", limit >> 20)
            }
            Self::NoMemory => f.write_str("not enough memory to decompress it"),
            Self::Missing(kind) => {
                write!(f, "{} data, which this nanomod was built without", kind.name())
            }
        }
    }
}

/// Decompresses files one after another; what it needs for one is kept for the next.
#[derive(Default)]
pub struct Decompressor {
    gzip: Gunzip,
    xz: Unxz,
    zstd: Unzstd,
    output: Vec<u8>,
}

impl Decompressor {
    /// What is in `input`, a file of `kind`, if that is not more than `limit` bytes.
    pub fn decompress(&mut self, kind: Kind, input: &[u8], limit: u64) -> Result<&[u8], Failure> {
        // With room for one byte more it shows whether there is more.
        let most = usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX);
        let length = match kind {
            Kind::Plain => {
                self.output.clear();
                self.output.extend_from_slice(input);
                input.len()
            }
            Kind::Gzip => self.gzip.decompress(input, most, &mut self.output)?,
            Kind::Xz => self.xz.decompress(input, most, &mut self.output)?,
            Kind::Zstd => self.zstd.decompress(input, most, &mut self.output)?,
        };
        match self.output.get(..length) {
            Some(output) if length < most => Ok(output),
            _ => Err(Failure::TooLarge(limit)),
        }
    }

    /// The same, and no more files after that.
    pub fn into_output(
        mut self,
        kind: Kind,
        input: &[u8],
        limit: u64,
    ) -> Result<Large<u8>, Failure> {
        let length = self.decompress(kind, input, limit).map(<[u8]>::len);
        let mut output = Large(self.output);
        output.0.truncate(length?);
        Ok(output)
    }
}

/// Makes room for `count` bytes in all.
fn grow(output: &mut Vec<u8>, count: usize) -> Result<(), Failure> {
    let more = count.saturating_sub(output.len());
    large::reserve(output, more).map_err(|_| Failure::NoMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn unpack(input: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
        let output = Decompressor::default().into_output(Kind::of(input), input, limit);
        output.map(|output| output.to_vec())
    }

    #[test]
    fn kinds_are_told_by_magic() {
        assert_eq!(Kind::of(b"\x7fELF\x02\x01"), Kind::Plain);
        assert_eq!(Kind::of(b"\x1f\x8b\x08\x00\x00\x00"), Kind::Gzip);
        assert_eq!(Kind::of(b"\xfd7zXZ\0"), Kind::Xz);
        assert_eq!(Kind::of(b"\x28\xb5\x2f\xfd\x04\x00"), Kind::Zstd);
        assert_eq!(Kind::of(b""), Kind::Plain);
    }

    /// `abc` as each tool writes it.
    #[cfg(all(feature = "gzip", feature = "xz", feature = "zstd"))]
    const ABC: [&[u8]; 3] = [
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\x06\0\xc2\x41\x24\x35\x03\0\0\0",
        b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36\x02\0\x21\x01\x16\0\0\0\x74\x2f\xe5\xa3\x01\0\x02abc\0\
          \0\xc2\x41\x24\x35\0\x01\x17\x03\x07\x60\x0c\xbc\x90\x42\x99\x0d\x01\0\0\0\0\x01YZ",
        b"\x28\xb5\x2f\xfd\x04\x58\x19\0\0abc\x99\x09\x77\xad",
    ];

    #[cfg(all(feature = "gzip", feature = "xz", feature = "zstd"))]
    #[test]
    fn what_is_behind_a_file_is_not_taken_for_its_end() {
        for abc in ABC {
            let kind = Kind::of(abc);
            let behind = |more: &[u8]| unpack(&[abc, more].concat(), LIMIT);
            assert_eq!(behind(b"").unwrap(), b"abc");
            assert_eq!(behind(abc).unwrap(), b"abcabc");
            for more in [&b"xxxxyyyy~Module signature appended~\n"[..], b"abcdefgh", b"abcde"] {
                assert_eq!(behind(more).unwrap_err(), Failure::Damaged(kind, BEHIND));
            }
            // The first bytes of a second one.
            for length in 4..abc.len() {
                let failure = behind(&abc[..length]).unwrap_err();
                assert_eq!(failure, Failure::Truncated(kind), "{length}");
            }
        }
        // An .xz file may go on with zeros, four at a time.
        assert_eq!(unpack(&[ABC[1], &[0; 8], ABC[1]].concat(), LIMIT).unwrap(), b"abcabc");
        let odd = unpack(&[ABC[1], &[0; 7]].concat(), LIMIT);
        assert_eq!(odd.unwrap_err(), Failure::Damaged(Kind::Xz, BEHIND));
    }

    /// 64 KiB of zeros as each tool writes them.
    #[cfg(all(feature = "gzip", feature = "xz", feature = "zstd"))]
    const ZEROS: [&[u8]; 3] = [
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xed\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a\0\0\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x6a\xeb\x8e\x97\xd7\0\0\x01\0",
        b"\xfd\x37\x7a\x58\x5a\0\0\x01\x69\x22\xde\x36\x02\0\x21\x01\x1c\0\0\0\x10\xcf\x58\xcc\
          \xe0\xff\xff\0\x4c\x5d\0\0\x6f\xfd\xff\xff\xa3\xb7\xff\x47\x3e\x48\x15\x72\x39\x61\
          \x51\xb8\x92\x28\xe6\xa3\x86\x07\xf9\xee\xe4\x1e\x82\xd3\x2f\xc5\x3a\x3c\x01\x4b\xb1\
          \x7e\xc9\x8a\x8a\x4d\x2f\xa3\x0d\xd9\x7f\xa6\xe3\x8c\x23\x11\x53\xe0\x59\x18\xc5\x75\
          \x8a\xe2\x77\xf8\xb6\x94\x7f\x0c\x6a\xc0\xde\x74\x49\x64\x5c\x9e\x3a\xd1\0\0\xeb\x8e\
          \x97\xd7\0\x01\x64\x80\x80\x04\0\0\xe4\x37\x86\x0b\x3e\x30\x0d\x8b\x02\0\0\0\0\x01\
          \x59\x5a",
        b"\x28\xb5\x2f\xfd\0\x58\x55\0\0\x10\0\0\x01\0\xfb\x7f\x1d\x60\x01",
    ];

    #[cfg(all(feature = "gzip", feature = "xz", feature = "zstd"))]
    #[test]
    fn no_more_memory_is_taken_than_the_limit() {
        for zeros in ZEROS {
            let kind = Kind::of(zeros);
            assert_eq!(unpack(zeros, 65536).unwrap(), [0; 65536]);
            for limit in [1, 100, 1000, 30_000, 65535] {
                let mut decompressor = Decompressor::default();
                let failure = decompressor.decompress(kind, zeros, limit).unwrap_err();
                assert_eq!(failure, Failure::TooLarge(limit));
                let taken = decompressor.output.capacity() as u64;
                assert!(taken <= limit + 1, "{}: {taken} bytes", kind.name());
            }
        }
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let zstd = b"\x28\xb5\x2f\xfd\x24\x04\x21\x00\x00abcd\x00\x00\x00\x00".to_vec();
        let xz = b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36\0\0\0\0\x1c\xdf\x44\x21".to_vec();
        let gzip =
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x4a\x06\0\xc2\x41\x24\x35\x03\0\0\0".to_vec();
        for input in [gzip, zstd, xz] {
            for length in 0..input.len() {
                let _ = unpack(&input[..length], LIMIT);
            }
            for at in 6..input.len() {
                let mut flipped = input.clone();
                flipped[at] ^= 0x10;
                let _ = unpack(&flipped, LIMIT);
            }
        }
    }
}
