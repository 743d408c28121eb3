//! What stands in the place of look.rs where modprobe's options that only look are left
//! out of the binary.

use super::request::Request;
use crate::cli::Args;
use crate::error::Status;

/// Nothing does without a name.
pub fn needs_no_name(_: &Args) -> bool {
    false
}

/// Nothing else can be had as JSON.
pub fn has_json(_: &Args) -> bool {
    false
}

impl Request<'_> {
    /// Never looks.
    pub fn look(&self) -> Option<Status> {
        None
    }
}
