//! What the fuzz targets do with their input, and how a seed is made of what firmware really says.
//!
//! Each module is one target: `exercise` takes bytes, asks everything of them that the kernel would ask, and
//! panics if an answer breaks a promise. The other functions of a module write inputs of its format.

pub mod acpi;
#[expect(unsafe_code, reason = "it is the image's own, and the `acpi` crate's interface is unsafe")]
#[path = "../../../src/input/acpi_handler.rs"]
mod acpi_handler;
pub mod aml;
#[path = "../../tests/answers/mod.rs"]
mod answers;
pub mod device_tree;
pub mod table_loader;

/// How much is asked of a description.
const MOST: answers::Most = answers::Most { nodes: 48, bridges: 4 };
