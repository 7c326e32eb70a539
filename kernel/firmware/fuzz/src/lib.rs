//! What the fuzz targets do with their input, and how a seed is made of what firmware really says.
//!
//! Each module is one target: `exercise` takes bytes, asks everything of them that the kernel would ask, and
//! panics if an answer breaks a promise. The other functions of a module write inputs of its format.

pub mod acpi;
pub mod aml;
mod answers;
pub mod device_tree;
pub mod table_loader;
