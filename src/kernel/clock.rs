//! Time that goes on whatever the calendar does.

use std::time::Duration;

use crate::entry::process::uptime;

/// A moment since the machine was started. The standard library's takes 1 KB more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Duration);

impl Moment {
    /// This one.
    pub fn now() -> Self {
        Self(uptime())
    }

    /// How long ago it was.
    pub fn elapsed(self) -> Duration {
        uptime().saturating_sub(self.0)
    }
}
