//! The .xz format, by liblzma.

use xz2::stream::{Action, CONCATENATED, Error as XzError, Status, Stream};

use super::{Failure, GROWTH, Kind, grow};

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
}
