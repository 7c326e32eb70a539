//! First instruction to Rust.

#![no_std]
