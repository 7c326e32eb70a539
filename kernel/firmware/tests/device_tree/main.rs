//! The device tree route from outside: bytes in, description, map and findings out.

#[path = "../answers/mod.rs"]
mod answers;
mod early;
mod fixtures;
mod functions;
mod host_bridge;
mod maps;
mod memory;
mod model;
mod mutants;
mod oracle;
mod platform;
mod properties;
mod reserved_iova;
mod review;
mod structure;
mod tree;
