//! Enumeration against a model of config space.

mod addresses;
mod broken;
mod functions;
mod grouping;
mod linux;
mod model;
mod numbers;
mod virtual_functions;
