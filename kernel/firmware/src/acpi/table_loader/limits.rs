//! The form of the script, and how much is loaded at the most.

/// Name of the script in fw_cfg.
pub const SCRIPT_FILE: &str = "etc/table-loader";
/// Bytes of a record.
pub const RECORD_SIZE: usize = 128;
/// Most records; QEMU needs about three a table.
pub const MAX_RECORDS: usize = 4096;
/// Most bytes of one file.
pub const MAX_FILE_SIZE: usize = 16 << 20;
/// Most bytes of all files.
pub const MAX_TOTAL_SIZE: usize = 64 << 20;
/// Largest alignment that a file may ask for.
pub const MAX_ALIGNMENT: u32 = 1 << 20;
