//! The AML reader.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| firmware_fuzz::aml::exercise(input));
