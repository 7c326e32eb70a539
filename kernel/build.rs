//! Links the image by the linker script at the top of the tree, as a position-independent executable.
//!
//! The image relocates itself: there is no dynamic linker (`--no-dynamic-linker`), constants that hold
//! addresses are relocated where they stand (`-z notext`), and what becomes read-only afterwards is for
//! the page tables to say (`-z norelro`). Code generation for this is chosen in `.cargo/config.toml`,
//! because only the command line of the compiler can choose it.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // On a host there is nothing to link; only a check of the sources makes sense.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let script = PathBuf::from(manifest).join("..").join("linker.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    println!("cargo:rustc-link-arg-bins=-T{}", script.display());
    for argument in ["-pie", "--no-dynamic-linker", "-znotext", "-znorelro", "--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
