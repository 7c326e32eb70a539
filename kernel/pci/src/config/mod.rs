//! Configuration space: how it is accessed, and registers that are both read and written.

pub(crate) mod access;
pub(crate) mod bar;
pub(crate) mod command;
pub(crate) mod register;
pub(crate) mod window;
