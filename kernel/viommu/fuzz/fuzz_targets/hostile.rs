//! A device that does anything, under a driver that is asked for anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    viommu::model::hostile::exercise(input);
});
