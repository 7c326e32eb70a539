//! The gate of the ACPI tables, and all that is read behind it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| firmware_fuzz::acpi::exercise(input));
