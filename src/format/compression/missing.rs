//! What stands where a codec is left out of the binary.

use super::{Failure, Kind};

/// Undoes nothing.
#[derive(Default)]
pub struct Missing;

impl Missing {
    /// Says so.
    pub fn decompress(
        &mut self,
        input: &[u8],
        _: usize,
        _: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        Err(Failure::Missing(Kind::of(input)))
    }
}
