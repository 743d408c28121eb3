//! What stands in the place of jobs.rs where several workers and `--trace` are left out of
//! the binary.

use super::request::Request;
use crate::error::Status;
use crate::kernel::watch::Watch;

impl Request<'_> {
    /// Inserts what is named, in the plan's order.
    pub fn insert_with(&self, _: usize, _: &Watch) -> Status {
        self.insert()
    }
}
