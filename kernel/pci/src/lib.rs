//! Config space to topology: scan, numbering, BARs, capabilities, ACS, DMA aliases, grouping rules.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
