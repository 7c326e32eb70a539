//! Builds, boots, judges and compares.

fn main() {}
