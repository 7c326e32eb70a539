//! The probe path on a machine that exists on the host only.

mod fixed;
mod instances;
mod invariants;
mod links;
mod model;
mod orders;
