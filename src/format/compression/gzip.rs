//! gzip, RFC 1952, around miniz_oxide's DEFLATE: the header with all of its
//! optional fields, one member after another, each with its checksum.

use std::hint::black_box;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::{BEHIND, Failure, GROWTH, Kind, grow};

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

type Decompress =
    fn(&mut DecompressorOxide, &[u8], &mut [u8], usize, u32) -> (TINFLStatus, usize, usize);

/// The output is one piece, from the member's start on.
const NON_WRAPPING: u32 = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;

/// DEFLATE makes at most so many bytes of one.
const LARGEST_RATIO: usize = 1032;

/// Reads gzip files, one after another.
#[derive(Default)]
pub struct Gunzip(Option<Tables>);

/// What it needs for a file and keeps for the next.
struct Tables {
    state: Box<DecompressorOxide>,
    crc: Crc,
}

impl Default for Tables {
    fn default() -> Self {
        Self { state: Box::default(), crc: Crc::new() }
    }
}

impl Gunzip {
    /// Decompresses `input` over what `output` holds, which is made longer if need be,
    /// but stops at `most` bytes; how many they are.
    pub fn decompress(
        &mut self,
        mut input: &[u8],
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        // Built into this function, it would take twice as long.
        let decompress: Decompress = black_box(decompress);
        let Tables { state, crc: sum } = self.0.get_or_insert_default();
        // A file of one member ends with how many bytes there will be.
        let said = input.last_chunk().map_or(0, |said| u32::from_le_bytes(*said) as usize);
        let said = said.min(input.len().saturating_mul(LARGEST_RATIO));
        let mut end = 0;
        loop {
            input = header(input)?;
            let start = end;
            state.init();
            loop {
                if output.len() <= end {
                    let unsaid = (end * 2).max(input.len() * GROWTH) + 1;
                    let room = if said > end { said } else { unsaid }.min(most);
                    grow(output, room)?;
                    output.resize(room, 0);
                }
                let (status, read, written) = decompress(state, input, output, end, NON_WRAPPING);
                input = input.get(read..).unwrap_or_default();
                end += written;
                match status {
                    TINFLStatus::Done => break,
                    TINFLStatus::HasMoreOutput if end >= most => return Ok(end),
                    TINFLStatus::HasMoreOutput => {}
                    TINFLStatus::FailedCannotMakeProgress => return Err(TRUNCATED),
                    _ => return Err(Failure::Damaged(Kind::Gzip, "deflate data")),
                }
            }
            let member = output.get(start..end).unwrap_or_default();
            let (crc, length) = (take(&mut input)?, take(&mut input)?);
            let is_sound = u32::from_le_bytes(crc) == sum.of(member)
                && u32::from_le_bytes(length) == member.len() as u32;
            if !is_sound {
                return Err(Failure::Damaged(Kind::Gzip, "gzip checksum"));
            }
            // Zeros behind the last member are padding, as for gzip(1).
            if input.iter().all(|&byte| byte == 0) {
                return Ok(end);
            }
            if input.first() != Some(&0x1f) {
                return Err(Failure::Damaged(Kind::Gzip, BEHIND));
            }
        }
    }
}

const TRUNCATED: Failure = Failure::Truncated(Kind::Gzip);

/// What follows a member's header.
fn header(mut input: &[u8]) -> Result<&[u8], Failure> {
    let header: [u8; 10] = take(&mut input)?;
    let [0x1f, 0x8b, 8, flags, ..] = header else {
        return Err(Failure::Damaged(Kind::Gzip, "gzip header"));
    };
    if flags & RESERVED != 0 {
        return Err(Failure::Damaged(Kind::Gzip, "gzip flags"));
    }
    if flags & EXTRA != 0 {
        let length = usize::from(u16::from_le_bytes(take(&mut input)?));
        input = input.get(length..).ok_or(TRUNCATED)?;
    }
    for string in [NAME, COMMENT] {
        if flags & string != 0 {
            while take::<1>(&mut input)? != [0] {}
        }
    }
    if flags & HEADER_CRC != 0 {
        take::<2>(&mut input)?;
    }
    Ok(input)
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], Failure> {
    let (taken, rest) = input.split_first_chunk::<N>().ok_or(TRUNCATED)?;
    *input = rest;
    Ok(*taken)
}

/// The CRC-32 of gzip, eight bytes at a time: table `n` is for a byte that `n` others
/// follow. They are made when they are needed.
struct Crc(Box<[[u32; 256]; 8]>);

impl Crc {
    fn new() -> Self {
        let mut tables = Box::new([[0; 256]; 8]);
        let mut table = [0; 256];
        for (byte, entry) in (0..).zip(&mut table) {
            *entry = (0..8).fold(byte, |crc, _| (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320));
        }
        let mut last = table;
        for next in &mut *tables {
            *next = last;
            last = last.map(|crc| at(&table, crc as u8) ^ (crc >> 8));
        }
        Self(tables)
    }

    fn of(&self, bytes: &[u8]) -> u32 {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.0;
        let words = bytes.chunks_exact(8);
        let rest = words.remainder();
        let crc = words.filter_map(|word| word.first_chunk()).fold(!0u32, |crc, word| {
            let [a, b, c, d, e, f, g, h] = *word;
            let [k, l, m, n] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            at(t7, k)
                ^ at(t6, l)
                ^ at(t5, m)
                ^ at(t4, n)
                ^ at(t3, e)
                ^ at(t2, f)
                ^ at(t1, g)
                ^ at(t0, h)
        });
        !rest.iter().fold(crc, |crc, byte| at(t0, crc as u8 ^ byte) ^ (crc >> 8))
    }
}

fn at(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::unpack as limited;
    use super::*;

    /// "hello", stored, in a member with these flags and these fields.
    fn member(flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
        file[3] = flags;
        file.extend(fields);
        file.extend(b"\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0");
        file
    }

    fn unpack(file: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut content = b"what was there".to_vec();
        let length = Gunzip::default().decompress(file, 1000, &mut content)?;
        content.truncate(length);
        Ok(content)
    }

    #[test]
    fn every_optional_field_is_passed_over() {
        let all = b"\x03\0abcname\0comment\0\x12\x34";
        assert_eq!(unpack(&member(0, b"")).unwrap(), b"hello");
        assert_eq!(unpack(&member(NAME | COMMENT | EXTRA | HEADER_CRC, all)).unwrap(), b"hello");
        assert!(unpack(&member(0x80, b"")).is_err());
    }

    #[test]
    fn members_are_joined_and_checked() {
        let mut two = member(0, b"");
        two.extend(member(NAME, b"x\0"));
        assert_eq!(unpack(&two).unwrap(), b"hellohello");
        for length in 0..two.len() {
            // Cut after the first member, a file is whole.
            assert_eq!(unpack(&two[..length]).is_ok(), length == member(0, b"").len());
        }
        let mut wrong = member(0, b"");
        wrong[17] ^= 1;
        let damage = Failure::Damaged(Kind::Gzip, "gzip checksum");
        assert_eq!(unpack(&wrong).unwrap_err(), damage);
    }

    #[test]
    fn the_checksum_is_that_of_gzip() {
        let crc = Crc::new();
        assert_eq!(crc.of(b""), 0);
        assert_eq!(crc.of(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc.of(&[0; 32]), 0x190A_55AD);
    }

    #[test]
    fn truncation_damage_and_excess_are_told_apart() {
        let sound = member(0, b"");
        let truncated = limited(&sound[..sound.len() - 3], 1000).unwrap_err();
        assert_eq!(truncated.to_string(), "gzip data is truncated");
        let mut flipped = sound.clone();
        flipped[17] ^= 4;
        assert!(
            limited(&flipped, 1000).unwrap_err().to_string().starts_with("gzip data is damaged")
        );
        let large = limited(&sound, 4).unwrap_err();
        assert!(matches!(large, Failure::TooLarge(4)));
    }
}
