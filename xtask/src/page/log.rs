//! A log on the page: its last lines, so that a guest that logs for ever does not fill the page.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Most bytes of a log that the page contains.
const LIMIT: u64 = 64 << 10;

/// The end of a log.
pub(super) struct Log {
    /// How large it is, and how much of that is left out.
    pub(super) size: String,
    pub(super) text: String,
}

impl Log {
    /// Reads a log; none if it cannot be read or is empty.
    pub(super) fn read(file: &Path) -> Option<Self> {
        let mut open = fs::File::open(file).ok()?;
        let all = open.metadata().ok()?.len();
        let left_out = all.saturating_sub(LIMIT);
        open.seek(SeekFrom::Start(left_out)).ok()?;
        let mut bytes = Vec::new();
        open.take(LIMIT).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line may have been cut.
        let text = if left_out == 0 { &text } else { text.split_once('\n')?.1 };
        let lines = text.lines().count();
        let size = match left_out {
            0 => format!("{lines} lines"),
            _ => format!("the last {lines} lines of {} kB", all.div_ceil(1000)),
        };
        (!text.is_empty()).then(|| Self { size, text: text.to_owned() })
    }
}
