//! The probe path on a machine that exists on the host only.

mod binds;
mod cycles;
mod domain;
mod fixed;
mod histories;
mod instances;
mod invariants;
mod links;
mod model;
mod orders;
mod ownership;
mod types;
