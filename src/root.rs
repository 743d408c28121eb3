//! The directory that stands for `/`: every absolute path goes through it.

use std::path::{Path, PathBuf};

/// A prefix for absolute paths.
#[derive(Clone)]
pub struct Root(PathBuf);

impl Root {
    /// Paths below `prefix`; `/` or the empty prefix for the running system.
    pub fn new(prefix: &Path) -> Self {
        Self(prefix.to_owned())
    }

    /// The running system's root.
    pub fn system() -> Self {
        Self(PathBuf::new())
    }

    /// Where the absolute `path` lies.
    pub fn join(&self, path: &str) -> PathBuf {
        let mut joined = self.0.as_os_str().to_owned();
        joined.push(path);
        joined.into()
    }
}
