//! The image.

#![no_std]
#![no_main]
