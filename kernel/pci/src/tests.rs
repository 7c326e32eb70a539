//! Enumeration against a model of config space.

mod addresses;
mod broken;
mod config_acs;
mod explain;
mod functions;
mod gone;
mod grouping;
mod growth;
mod hot_plug;
mod linux;
mod model;
mod numbers;
mod placement;
mod virtio;
mod virtual_functions;
mod windows;
