//! The .xz format, by liblzma.
//!
//! Refused: SHA-256 as the check, which no module has, and which would take 4.6 KB;
//! and what a static binary's liblzma is made without (`scripts/lib/liblzma`).

use xz2::stream::{Action, Error as XzError, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::{BEHIND, Failure, GROWTH, Kind, grow};

/// How a stream starts.
const MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// The second byte of a stream's flags, which follow its magic: what it is checked by.
const CHECK: usize = 7;
const SHA256: u8 = 10;

const NO_SHA256: Failure = Failure::Unknown(Kind::Xz, "has SHA-256 as its check, not known here");
const NO_SUCH_CHECK: Failure = Failure::Unknown(Kind::Xz, "has a check that is not known here");
const NO_SUCH_OPTIONS: Failure =
    Failure::Unknown(Kind::Xz, "is made with a filter or options that are not known here");

/// Reads .xz files, one after another.
#[derive(Default)]
pub struct Unxz;

impl Unxz {
    /// Fills `output` with what is in `input`, up to `most` bytes; how many they are.
    pub fn decompress(
        &mut self,
        input: &[u8],
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        output.clear();
        let mut rest = input;
        loop {
            rest = match self.stream(rest, most, output)? {
                Some(behind) => behind,
                None => return Ok(output.len()),
            };
            let padding = rest.iter().take_while(|&&byte| byte == 0).count();
            let padding = padding - padding % 4;
            rest = rest.get(padding..).unwrap_or_default();
            match rest.len() {
                0 => return Ok(output.len()),
                length if rest.starts_with(MAGIC.get(..length).unwrap_or(&MAGIC)) => {}
                _ => return Err(Failure::Damaged(Kind::Xz, BEHIND)),
            }
        }
    }

    /// Adds what the stream that `input` starts with has to `output`, and gives what is behind
    /// it; `None` where there is enough.
    fn stream<'a>(
        &mut self,
        input: &'a [u8],
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, Failure> {
        // Whether or not the library could, so that all builds do the same.
        if input.get(CHECK) == Some(&SHA256) {
            return Err(NO_SHA256);
        }
        // The dictionary is memory, too, but no file is larger than its own. Without the flag
        // a check that the library does not know would not be made at all.
        let stream = Stream::new_stream_decoder(u64::MAX, TELL_UNSUPPORTED_CHECK);
        let mut stream = stream.map_err(|_| Failure::NoMemory)?;
        loop {
            if output.len() == output.capacity() {
                grow(output, (output.len() * 2).max(input.len() * GROWTH).min(most))?;
            }
            let rest = input.get(stream.total_in() as usize..).unwrap_or_default();
            return match stream.process_vec(rest, output, Action::Finish) {
                Ok(Status::StreamEnd) => Ok(input.get(stream.total_in() as usize..)),
                Ok(_) if output.len() >= most => Ok(None),
                // As it says of room that is full and of data that ends.
                Ok(Status::MemNeeded) if output.len() < output.capacity() => {
                    Err(Failure::Truncated(Kind::Xz))
                }
                Ok(_) => continue,
                Err(XzError::Mem | XzError::MemLimit) => Err(Failure::NoMemory),
                Err(XzError::UnsupportedCheck) => Err(NO_SUCH_CHECK),
                Err(XzError::Options) => Err(NO_SUCH_OPTIONS),
                Err(_) => Err(Failure::Damaged(Kind::Xz, "wrong data or checksum")),
            };
        }
    }
}
