//! How much of the tables is read at the most.

/// Most bytes of one table.
pub const MAX_TABLE_SIZE: usize = 4 << 20;
/// Most tables.
pub const MAX_TABLES: usize = 512;
/// Most bytes of all tables.
pub(super) const MAX_TOTAL_SIZE: usize = 32 << 20;
