//! How a module file is compressed, told by its first bytes and never by its
//! name, and its decompression within a limit.
//!
//! Refused: damaged or truncated data, and what grows past the limit. Several
//! frames, streams or members one after another are one file, as for the
//! command-line tools.

use std::fmt;

use xz2::stream::{Action, CONCATENATED, Error as XzError, Status, Stream};
use zstd::zstd_safe::{DCtx, get_frame_content_size};

use super::gzip::Gunzip;

/// The most that a module decompresses to: 512 MiB. No real module comes near,
/// and a few bytes of hostile input can claim any size.
pub const LIMIT: u64 = 512 << 20;

/// How many times larger a module is than its file, where the file does not say.
pub(super) const GROWTH: usize = 4;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It ends too early.
    Truncated(Kind),
    /// It is not what it should be, and in which way.
    Damaged(Kind, &'static str),
    /// It is larger than so many bytes.
    TooLarge(u64),
    /// There is no room for what is in it.
    NoMemory,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(kind) => write!(f, "{} data is truncated", kind.name()),
            Self::Damaged(kind, what) => write!(f, "{} data is damaged: {what}", kind.name()),
            Self::TooLarge(limit) => {
                write!(f, "decompresses to more than the limit of {} MiB", limit >> 20)
            }
            Self::NoMemory => f.write_str("not enough memory to decompress it"),
        }
    }
}

/// Decompresses files one after another; what it needs for one is kept for the next.
#[derive(Default)]
pub struct Decompressor {
    gzip: Option<Gunzip>,
    zstd: Option<DCtx<'static>>,
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
            Kind::Gzip => {
                let gzip = self.gzip.get_or_insert_default();
                gzip.decompress(input, most, &mut self.output)?
            }
            Kind::Xz => xz(input, most, &mut self.output)?,
            Kind::Zstd => self.zstd(input, limit)?,
        };
        match self.output.get(..length) {
            Some(output) if length < most => Ok(output),
            _ => Err(Failure::TooLarge(limit)),
        }
    }

    /// The same, and no more files after that.
    pub fn into_output(mut self, kind: Kind, input: &[u8], limit: u64) -> Result<Vec<u8>, Failure> {
        let length = self.decompress(kind, input, limit)?.len();
        self.output.truncate(length);
        Ok(self.output)
    }

    fn zstd(&mut self, input: &[u8], limit: u64) -> Result<usize, Failure> {
        if self.zstd.is_none() {
            self.zstd = DCtx::try_create();
        }
        let decoder = self.zstd.as_mut().ok_or(Failure::NoMemory)?;
        let said = get_frame_content_size(input).ok().flatten();
        let mut room = said.unwrap_or((input.len() * GROWTH) as u64);
        self.output.clear();
        loop {
            grow(&mut self.output, room.min(limit) as usize)?;
            let result = decoder.decompress(&mut self.output, input);
            return match result.map_err(usize::wrapping_neg) {
                Ok(length) => Ok(length),
                Err(TOO_SMALL) if room >= limit => Err(Failure::TooLarge(limit)),
                Err(TOO_SMALL) => {
                    // Several frames, or one that does not say how long it is.
                    room = (room + 1).saturating_mul(GROWTH as u64);
                    continue;
                }
                Err(WRONG_SIZE) => Err(Failure::Truncated(Kind::Zstd)),
                Err(NO_MEMORY) => Err(Failure::NoMemory),
                Err(_) => Err(Failure::Damaged(Kind::Zstd, "wrong data or checksum")),
            };
        }
    }
}

// Of zstd's `ZSTD_ErrorCode`, which is negated in a result.
const NO_MEMORY: usize = 64;
const TOO_SMALL: usize = 70;
const WRONG_SIZE: usize = 72;

/// Makes room for `count` bytes in all.
pub(super) fn grow(output: &mut Vec<u8>, count: usize) -> Result<(), Failure> {
    let more = count.saturating_sub(output.len());
    output.try_reserve_exact(more).map_err(|_| Failure::NoMemory)
}

/// Fills `output`, up to `most` bytes or a little more; how many they are.
fn xz(input: &[u8], most: usize, output: &mut Vec<u8>) -> Result<usize, Failure> {
    // The dictionary is memory, too, but no file is larger than its own.
    let stream = Stream::new_stream_decoder(u64::MAX, CONCATENATED);
    let mut stream = stream.map_err(|_| Failure::NoMemory)?;
    output.clear();
    loop {
        if output.len() == output.capacity() {
            grow(output, (output.len() * 2).max(input.len() * GROWTH))?;
        }
        let rest = input.get(stream.total_in() as usize..).unwrap_or_default();
        return match stream.process_vec(rest, output, Action::Finish) {
            Ok(Status::StreamEnd) => Ok(output.len()),
            Ok(_) if output.len() >= most => Ok(output.len()),
            // As it says of room that is full and of data that ends.
            Ok(Status::MemNeeded) if output.len() < output.capacity() => {
                Err(Failure::Truncated(Kind::Xz))
            }
            Ok(_) => continue,
            Err(XzError::Mem | XzError::MemLimit) => Err(Failure::NoMemory),
            Err(XzError::Options | XzError::UnsupportedCheck) => {
                Err(Failure::Damaged(Kind::Xz, "made with options that are not known here"))
            }
            Err(_) => Err(Failure::Damaged(Kind::Xz, "wrong data or checksum")),
        };
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
        Decompressor::default().into_output(Kind::of(input), input, limit)
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
