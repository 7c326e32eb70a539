//! Tests of the driver with a model device that follows the specification and can also break each
//! of its rules.

mod device;
mod domains;
mod fake;
mod faults;
mod gone;
mod properties;
mod random;
mod raw;
mod requests;
mod start;
