//! Words of the kernel's command line that are for this program.

use crate::path::Path;

/// Longest command line that is read; arm64 has 2048 bytes.
const LIMIT: usize = 4096;

/// Calls `with` with the value of the last word that begins with `name`, if there is one. A dot in the name makes the
/// kernel pass over the word without a warning.
pub(crate) fn value<T>(name: &[u8], with: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut buffer = [0; LIMIT];
    let words = Path::new(b"/proc/cmdline").read(&mut buffer).ok()?;
    let mut values = words.split(u8::is_ascii_whitespace).filter_map(|word| word.strip_prefix(name));
    values.next_back().map(with)
}
