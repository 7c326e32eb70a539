//! Tests of the driver on the model device, which follows the specification and can also break each of
//! its rules.

mod batch;
mod domains;
mod faults;
mod gone;
mod hostile;
mod properties;
mod random;
mod raw;
mod requests;
mod start;
