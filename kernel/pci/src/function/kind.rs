//! Device and port types of the PCIe hierarchy.

use core::fmt;

/// The device or port type of a function (PCIe 5.0, section 7.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionKind {
    /// No PCIe capability: conventional PCI devices, host bridges, virtio devices on a root bus.
    Conventional,
    /// Type 0.
    Endpoint,
    /// Type 1.
    LegacyEndpoint,
    /// Type 4.
    RootPort,
    /// Type 5, the port of a switch towards the root.
    UpstreamPort,
    /// Type 6, a port of a switch away from the root.
    DownstreamPort,
    /// Type 7.
    PcieToPciBridge,
    /// Type 8.
    PciToPcieBridge,
    /// Type 9, an endpoint integrated in the root complex.
    RcEndpoint,
    /// Type 10.
    RcEventCollector,
    /// A reserved type.
    Reserved(u8),
}

impl FunctionKind {
    /// Reads the type field of the PCIe capability.
    #[must_use]
    pub const fn from_port_type(value: u8) -> Self {
        match value {
            0 => Self::Endpoint,
            1 => Self::LegacyEndpoint,
            4 => Self::RootPort,
            5 => Self::UpstreamPort,
            6 => Self::DownstreamPort,
            7 => Self::PcieToPciBridge,
            8 => Self::PciToPcieBridge,
            9 => Self::RcEndpoint,
            10 => Self::RcEventCollector,
            other => Self::Reserved(other),
        }
    }

    /// Whether the bus behind it is a PCIe link, on which only device 0 exists (PCIe 5.0, section 7.3.1).
    #[must_use]
    pub const fn leads_to_a_link(self) -> bool {
        matches!(self, Self::RootPort | Self::DownstreamPort | Self::PciToPcieBridge)
    }
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conventional => "conventional",
            Self::Endpoint => "endpoint",
            Self::LegacyEndpoint => "legacy-endpoint",
            Self::RootPort => "root-port",
            Self::UpstreamPort => "upstream-port",
            Self::DownstreamPort => "downstream-port",
            Self::PcieToPciBridge => "pcie-to-pci-bridge",
            Self::PciToPcieBridge => "pci-to-pcie-bridge",
            Self::RcEndpoint => "rc-endpoint",
            Self::RcEventCollector => "rc-event-collector",
            Self::Reserved(value) => return write!(f, "reserved-type-{value}"),
        })
    }
}
