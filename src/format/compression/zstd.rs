//! Zstandard, RFC 8878, by the reference decoder.

use ::zstd::zstd_safe::{DCtx, get_frame_content_size};

use super::{Failure, GROWTH, Kind, grow};

// Of zstd's `ZSTD_ErrorCode`, which is negated in a result.
const NO_MEMORY: usize = 64;
const TOO_SMALL: usize = 70;
const WRONG_SIZE: usize = 72;

/// Reads zstd files, one after another.
#[derive(Default)]
pub struct Unzstd(Option<DCtx<'static>>);

impl Unzstd {
    /// Fills `output` with what is in `input`, if that is less than `most` bytes; how
    /// many they are.
    pub fn decompress(
        &mut self,
        input: &[u8],
        most: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        let limit = (most as u64).saturating_sub(1);
        if self.0.is_none() {
            self.0 = DCtx::try_create();
        }
        let decoder = self.0.as_mut().ok_or(Failure::NoMemory)?;
        let said = get_frame_content_size(input).ok().flatten();
        let mut room = said.unwrap_or((input.len() * GROWTH) as u64);
        output.clear();
        loop {
            grow(output, room.min(limit) as usize)?;
            let result = decoder.decompress(output, input);
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
