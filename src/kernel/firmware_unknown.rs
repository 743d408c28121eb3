//! What stands in the place of firmware.rs where that is left out of the binary.

use std::path::Path;

use crate::error::Cause;
use crate::root::Root;

/// The firmware of a module, as if it had none.
pub struct Firmware {
    /// Nothing.
    pub missing: Vec<String>,
    /// It is not known.
    pub has_any: bool,
    /// Nobody asks.
    pub unknown: Option<Cause>,
}

impl Firmware {
    /// Looks at nothing.
    pub fn of(_: &Root, _: &Path) -> Self {
        Self { missing: Vec::new(), has_any: true, unknown: None }
    }
}
