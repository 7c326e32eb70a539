//! Links the program for a fixed address: Linux loads it there, and nothing has to be relocated.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // On a host there is nothing to link.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    for argument in ["--no-pie", "-znorelro", "--build-id=none", "--strip-all"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
