//! The fw_cfg directory and the table loader.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| firmware_fuzz::table_loader::exercise(input));
