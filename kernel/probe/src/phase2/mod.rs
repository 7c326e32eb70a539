//! Phase 2: a driver binds, once the device's DMA is set up.

pub(crate) mod answer;
pub(crate) mod attempt;
pub(crate) mod claim;
pub(crate) mod domain;
