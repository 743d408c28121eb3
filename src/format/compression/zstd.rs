//! Zstandard, RFC 8878, by the reference decoder.

use ::zstd::zstd_safe::{DCtx, MAGICNUMBER, find_frame_compressed_size, get_frame_content_size};

use super::{BEHIND, Failure, GROWTH, Kind, grow};

// Of zstd's `ZSTD_ErrorCode`, which is negated in a result.
const NO_SUCH_PARAMETER: usize = 14;
const WINDOW: usize = 16;
const WRONG_CHECKSUM: usize = 22;
const DICTIONARY: usize = 32;
const NO_MEMORY: usize = 64;
const TOO_SMALL: usize = 70;
const WRONG_SIZE: usize = 72;

const WRONG: Failure = Failure::Damaged(Kind::Zstd, "wrong data or checksum");
const NO_SUCH_OPTIONS: Failure =
    Failure::Unknown(Kind::Zstd, "is made with options that are not known here");

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
                Err(WRONG_SIZE | WRONG_CHECKSUM) => Err(odd_end(input)),
                Err(DICTIONARY) => Err(Failure::Unknown(Kind::Zstd, "needs a dictionary")),
                Err(NO_SUCH_PARAMETER | WINDOW) => Err(NO_SUCH_OPTIONS),
                Err(NO_MEMORY) => Err(Failure::NoMemory),
                Err(_) => Err(WRONG),
            };
        }
    }
}

/// What is wrong with `input`, whose end or whose checksums are not what they should be.
fn odd_end(input: &[u8]) -> Failure {
    let mut rest = input;
    while let Some(behind) = find_frame_compressed_size(rest).ok().and_then(|n| rest.get(n..)) {
        rest = behind;
    }
    match rest {
        [] => WRONG,
        _ if rest.len() == input.len() || rest.starts_with(&MAGICNUMBER.to_le_bytes()) => {
            Failure::Truncated(Kind::Zstd)
        }
        _ => Failure::Damaged(Kind::Zstd, BEHIND),
    }
}
