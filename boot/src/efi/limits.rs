//! How much is copied from the firmware, and the file that is read.

/// Maximum number of UTF-16 units of load options that are copied: twice the length of Linux's
/// longest command line.
pub const LOAD_OPTIONS_LIMIT: usize = 4096;

/// File with a command line, on the volume that the image was started from.
pub const COMMAND_FILE: &str = "\\iogroups.txt";

/// Bytes of [`COMMAND_FILE`] that are read.
pub const COMMAND_FILE_LIMIT: usize = 4096;

/// Maximum number of memory ranges that are handed over. Adjacent ranges with the same use are
/// merged, so a few are enough.
pub const MEMORY_RANGE_LIMIT: usize = 512;
