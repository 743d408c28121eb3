//! How a module file is compressed, told by its first bytes and never by its
//! name, and its decompression within a limit.
//!
//! Refused: damaged or truncated data, and what grows past the limit. Several
//! frames, streams or members one after another are one file, as for the
//! command-line tools.

use std::fmt;
use std::io::{self, Read, Write};

use super::gzip::GzipReader;

/// The most that a module decompresses to: 512 MiB. No real module comes near,
/// and a few bytes of hostile input can claim any size.
pub const LIMIT: u64 = 512 << 20;

/// The largest zstd window, as a power of two: the limit again.
const ZSTD_WINDOW_LOG: u32 = 29;

/// What a module file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file, or anything that is none of the others.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// The .xz format.
    Xz,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Kind {
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
#[derive(Debug)]
pub enum Failure {
    /// The compressed data is not what it should be.
    Damaged(Kind, io::Error),
    /// It is larger than so many bytes.
    TooLarge(u64),
    /// The output could not be written.
    Write(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(kind, error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                write!(f, "{} data is truncated", kind.name())
            }
            // The library is built without its sentences.
            Self::Damaged(Kind::Zstd, _) => {
                f.write_str("zstd data is damaged, or needs more memory than there is")
            }
            Self::Damaged(kind, error) => write!(f, "{} data is damaged: {error}", kind.name()),
            Self::TooLarge(limit) => {
                write!(f, "decompresses to more than the limit of {} MiB", limit >> 20)
            }
            Self::Write(error) => write!(f, "no room for the decompressed module: {error}"),
        }
    }
}

/// Decompresses `input`, a file of `kind`, into `output`; writes `limit` bytes
/// at the most.
pub fn decompress(
    kind: Kind,
    input: &[u8],
    limit: u64,
    output: &mut dyn Write,
) -> Result<(), Failure> {
    let damaged = |error| Failure::Damaged(kind, error);
    match kind {
        Kind::Plain => output.write_all(input).map_err(Failure::Write),
        Kind::Gzip => copy(kind, &mut GzipReader::new(input).map_err(damaged)?, limit, output),
        Kind::Xz => {
            // The dictionary is memory, too, but no file is larger than its own.
            let stream =
                xz2::stream::Stream::new_stream_decoder(u64::MAX, xz2::stream::CONCATENATED)
                    .map_err(|error| damaged(error.into()))?;
            copy(kind, &mut xz2::bufread::XzDecoder::new_stream(input, stream), limit, output)
        }
        Kind::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(damaged)?;
            copy(kind, &mut decoder, limit, output)
        }
    }
}

fn copy(kind: Kind, from: &mut dyn Read, limit: u64, to: &mut dyn Write) -> Result<(), Failure> {
    let mut block = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        let count = match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Damaged(kind, error)),
        };
        total += count as u64;
        if total > limit {
            return Err(Failure::TooLarge(limit));
        }
        to.write_all(block.get(..count).unwrap_or_default()).map_err(Failure::Write)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03";

    fn gzip(data: &[u8]) -> Vec<u8> {
        // One stored block: enough of gzip to decode, without an encoder.
        let mut crc = !0u32;
        for &byte in data {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        let length = data.len() as u16;
        let mut out = GZIP.to_vec();
        out.push(1);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(data);
        out.extend((!crc).to_le_bytes());
        out.extend(u32::from(length).to_le_bytes());
        out
    }

    fn unpack(input: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        decompress(Kind::of(input), input, limit, &mut out).map(|()| out)
    }

    #[test]
    fn kinds_are_told_by_magic() {
        assert_eq!(Kind::of(b"\x7fELF\x02\x01"), Kind::Plain);
        assert_eq!(Kind::of(b"\x1f\x8b\x08\x00\x00\x00"), Kind::Gzip);
        assert_eq!(Kind::of(b"\xfd7zXZ\0"), Kind::Xz);
        assert_eq!(Kind::of(b"\x28\xb5\x2f\xfd\x04\x00"), Kind::Zstd);
        assert_eq!(Kind::of(b""), Kind::Plain);
    }

    #[test]
    fn members_one_after_another_are_one_file() {
        let mut two = gzip(b"nano");
        two.extend(gzip(b"mod"));
        assert_eq!(unpack(&two, LIMIT).unwrap(), b"nanomod");
    }

    #[test]
    fn truncation_damage_and_excess_are_told_apart() {
        let sound = gzip(b"a module");
        let truncated = unpack(&sound[..sound.len() - 3], LIMIT).unwrap_err();
        assert_eq!(truncated.to_string(), "gzip data is truncated");
        let mut flipped = sound.clone();
        flipped[16] ^= 4;
        assert!(
            unpack(&flipped, LIMIT).unwrap_err().to_string().starts_with("gzip data is damaged")
        );
        let large = unpack(&sound, 4).unwrap_err();
        assert!(matches!(large, Failure::TooLarge(4)));
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let zstd = b"\x28\xb5\x2f\xfd\x24\x04\x21\x00\x00abcd\x00\x00\x00\x00".to_vec();
        let xz = b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36\0\0\0\0\x1c\xdf\x44\x21".to_vec();
        for input in [gzip(b"abc"), zstd, xz] {
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
