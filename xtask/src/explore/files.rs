//! Files of the command.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file, in a directory that need not exist.
///
/// # Errors
///
/// The directory cannot be made, or the file cannot be written.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
