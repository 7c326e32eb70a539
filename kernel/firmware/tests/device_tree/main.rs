//! The device tree route from outside: bytes in, description, map and findings out.

mod early;
mod fixtures;
mod host_bridge;
mod maps;
mod memory;
mod model;
mod mutants;
mod oracle;
mod platform;
mod review;
mod structure;
mod tree;
