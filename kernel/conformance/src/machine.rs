//! The endpoints around a device.

use alloc::vec::Vec;

use addr::EndpointId;

/// What is around the device.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Endpoints that the device translates; at least one.
    pub endpoints: Vec<EndpointId>,
    /// An endpoint that does not exist.
    pub unknown_endpoint: EndpointId,
}

/// An endpoint ID that differs above bit 15, which is where QEMU stops to look.
pub(crate) fn with_high_bit(endpoint: EndpointId) -> EndpointId {
    EndpointId(endpoint.0 | 1 << 16)
}
