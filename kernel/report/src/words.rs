//! Words of the kernel command line that the kernel and `cargo xtask` both know.

/// Names of words that only the full image, `iogroups-full`, supports. A boot with one of them uses that image.
pub const FULL_IMAGE_WORDS: [&str; 5] = ["smp-test", "binds", "race", "rounds", "seed"];
