//! Configuration space: how it is accessed, and its registers by name.

pub(crate) mod access;
