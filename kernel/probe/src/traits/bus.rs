//! The interface of a bus: input IDs, the node with the map, and isolation classes.

use alloc::string::String;

use crate::data::firmware::InputIds;
use crate::data::id::{FwNode, Unit};

/// Which devices a device must share a group with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// The first unit of the device's isolation class in topology order. Units with the same leader
    /// cannot be isolated from each other; a unit that is alone leads itself.
    pub leader: Unit,
    /// Why, in the report's words: `own group`, `DMA alias 0000:02:00.0 of 0000:01:00.0`,
    /// `behind 0000:00:02.0, which has no ACS`.
    pub why: String,
}

/// Everything that a bus has to know about IOMMUs; the core does the rest.
pub trait Bus {
    /// Linux's name of the bus, which is also the prefix of log lines: `pci`, `platform`.
    fn name(&self) -> &'static str;

    /// The IDs with which requests of `unit` can arrive at an IOMMU.
    fn input_ids(&self, unit: Unit) -> InputIds;

    /// The node whose map or properties apply to the requests of `unit`: the host bridge of a PCI function, or a
    /// platform device's own node. `None` if firmware does not describe it.
    fn firmware_parent(&self, unit: Unit) -> Option<FwNode>;

    /// Whether `unit` is untrusted, because it is behind a port that leads out of the machine. Its group gets a strict
    /// DMA domain under every policy (Linux: `iommu_get_default_domain_type`).
    fn is_untrusted(&self, unit: Unit) -> bool {
        let _ = unit;
        false
    }

    /// The isolation class of `unit`. It depends on the topology alone, not on earlier probes.
    fn grouping(&self, unit: Unit) -> Grouping;
}
