//! The driver meets a device: a model of the specification that can also break each of its rules.

mod device;
mod domains;
mod fake;
mod faults;
mod gone;
mod properties;
mod random;
mod requests;
mod start;
