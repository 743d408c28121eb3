//! The .xz format, by liblzma.
//!
//! Refused: SHA-256 as the check, which no module has, and which would take 4.6 KB;
//! and what a static binary's liblzma is made without (`scripts/lib/liblzma`).

use xz2::stream::{Action, CONCATENATED, Error as XzError, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::{Failure, GROWTH, Kind, grow};

/// The second byte of a file's flags, which follow its magic: what it is checked by.
const CHECK: usize = 7;
const SHA256: u8 = 10;

const NO_SUCH_CHECK: Failure =
    Failure::Unknown(Kind::Xz, "has a check that is not known here, as SHA-256");
const NO_SUCH_OPTIONS: Failure =
    Failure::Unknown(Kind::Xz, "is made with options that are not known here");

/// Reads .xz files, one after another.
#[derive(Default)]
pub struct Unxz;

impl Unxz {
    /// Fills `output` with what is in `input`, up to `most` bytes or a little more; how
    /// many they are.
    pub fn decompress(
        &mut self,
        input: &[u8],
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        // Whether or not the library could, so that all builds do the same.
        if input.get(CHECK) == Some(&SHA256) {
            return Err(NO_SUCH_CHECK);
        }
        // The dictionary is memory, too, but no file is larger than its own. Without the
        // second flag a check that the library does not know would not be made at all.
        let flags = CONCATENATED | TELL_UNSUPPORTED_CHECK;
        let stream = Stream::new_stream_decoder(u64::MAX, flags);
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
                Err(XzError::UnsupportedCheck) => Err(NO_SUCH_CHECK),
                Err(XzError::Options) => Err(NO_SUCH_OPTIONS),
                Err(_) => Err(Failure::Damaged(Kind::Xz, "wrong data or checksum")),
            };
        }
    }
}
