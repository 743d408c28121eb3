//! gzip, RFC 1952, around miniz_oxide's DEFLATE: the header with all of its
//! optional fields, one member after another, each with its checksum.

use std::io::{self, Read};

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// Reads what `input` decompresses to.
pub struct GzipReader<'a> {
    input: &'a [u8],
    member: Option<Member>,
}

struct Member {
    state: Box<InflateState>,
    crc: u32,
    length: u32,
}

impl<'a> GzipReader<'a> {
    /// A reader of `input`, which is at least one gzip member.
    pub fn new(input: &'a [u8]) -> io::Result<Self> {
        let mut reader = Self { input, member: None };
        reader.start_member()?;
        Ok(reader)
    }

    fn start_member(&mut self) -> io::Result<()> {
        let header: [u8; 10] = self.take()?;
        let [0x1f, 0x8b, 8, flags, ..] = header else { return Err(invalid("gzip header")) };
        if flags & RESERVED != 0 {
            return Err(invalid("gzip flags"));
        }
        if flags & EXTRA != 0 {
            let length = usize::from(u16::from_le_bytes(self.take()?));
            self.input = self.input.get(length..).ok_or_else(truncated)?;
        }
        for string in [NAME, COMMENT] {
            if flags & string != 0 {
                while self.take::<1>()? != [0] {}
            }
        }
        if flags & HEADER_CRC != 0 {
            self.take::<2>()?;
        }
        let state = InflateState::new_boxed(DataFormat::Raw);
        self.member = Some(Member { state, crc: !0, length: 0 });
        Ok(())
    }

    fn end_member(&mut self, crc: u32, length: u32) -> io::Result<()> {
        let (stored_crc, stored_length) = (self.take()?, self.take()?);
        if u32::from_le_bytes(stored_crc) != !crc || u32::from_le_bytes(stored_length) != length {
            return Err(invalid("gzip checksum"));
        }
        self.member = None;
        // Zeros behind the last member are padding, as for gzip(1).
        if self.input.iter().all(|&byte| byte == 0) { Ok(()) } else { self.start_member() }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (taken, rest) = self.input.split_first_chunk::<N>().ok_or_else(truncated)?;
        self.input = rest;
        Ok(*taken)
    }
}

impl Read for GzipReader<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let result = inflate(&mut member.state, self.input, output, MZFlush::None);
            self.input = self.input.get(result.bytes_consumed..).unwrap_or_default();
            let written = output.get(..result.bytes_written).unwrap_or_default();
            member.crc = written.iter().fold(member.crc, update_crc);
            member.length = member.length.wrapping_add(written.len() as u32);
            match result.status {
                Ok(MZStatus::StreamEnd) => {
                    let (crc, length) = (member.crc, member.length);
                    self.end_member(crc, length)?;
                }
                Ok(_) => {}
                Err(MZError::Buf) if self.input.is_empty() => return Err(truncated()),
                Err(_) => return Err(invalid("deflate data")),
            }
            if result.bytes_written > 0 {
                return Ok(result.bytes_written);
            }
        }
        Ok(0)
    }
}

fn truncated() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn update_crc(crc: u32, byte: &u8) -> u32 {
    let at = (crc ^ u32::from(*byte)) & 0xff;
    CRC_TABLE.get(at as usize).copied().unwrap_or_default() ^ (crc >> 8)
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // at compile time
        {
            table[at] = crc;
        }
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello", stored, in a member with these flags and these fields.
    fn member(flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
        file[3] = flags;
        file.extend(fields);
        file.extend(b"\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0");
        file
    }

    fn unpack(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        GzipReader::new(file)?.read_to_end(&mut content)?;
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
        assert_eq!(unpack(&wrong).unwrap_err().to_string(), "gzip checksum");
    }
}
