//! Layouts of tables, as the specifications have them: fields, sizes and constants, and no logic.
//!
//! Fields are little-endian and aligned to nothing. A structure that a later revision has made longer is here as long as
//! its first revision, or as far as it is read.

pub(super) mod header;
pub(super) mod iort;
pub(super) mod mcfg;
pub(super) mod small;
pub(super) mod viot;
