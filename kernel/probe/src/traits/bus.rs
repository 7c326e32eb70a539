//! What the core asks of a bus, and nothing else: which input IDs, whose map, which group.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use addr::RequesterId;

use crate::table::group::GroupId;
use crate::traits::firmware::FwNode;

/// A device's number on its own bus, given out by the bus, meaningful only to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub u32);

/// By what firmware's map knows a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputIds {
    /// The node itself names its IOMMU (a platform device).
    Node,
    /// These requester IDs, the device's own first, then its DMA aliases; never empty.
    Requesters(Vec<RequesterId>),
}

/// With whom a device must share a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// The first unit of the device's isolation class in topology order. Units with the same leader
    /// cannot be isolated from each other; a unit that is alone leads itself.
    pub leader: Unit,
    /// Why, in the report's words: `own group`, `DMA alias 0000:02:00.0 of 0000:01:00.0`,
    /// `behind 0000:00:02.0, which has no ACS`.
    pub why: String,
}

/// Which group a device joins if groups are whatever its neighbours are in at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The group; a new one if there is none.
    pub group: Option<GroupId>,
    /// Why, in the report's words.
    pub why: String,
}

/// All that a bus has to know about IOMMUs. The rest is the core's.
pub trait Bus {
    /// Linux's name of the bus, which is also the prefix of log lines: `pci`, `platform`.
    fn name(&self) -> &'static str;

    /// The IDs under which requests of `unit` can arrive at an IOMMU.
    fn input_ids(&self, unit: Unit) -> InputIds;

    /// The node whose map or properties say where `unit`'s requests go: for a PCI function the host
    /// bridge, for a platform device its own. `None` if firmware does not describe it at all.
    fn firmware_parent(&self, unit: Unit) -> Option<FwNode>;

    /// Whether `unit` may be anybody's, as it is behind a port that leads out of the machine. Its group gets a
    /// strict DMA domain, whatever the policy (Linux: `iommu_get_default_domain_type`).
    fn is_untrusted(&self, unit: Unit) -> bool {
        let _ = unit;
        false
    }

    /// The isolation class of `unit`: a function of the topology alone, never of what was probed before.
    fn grouping(&self, unit: Unit) -> Grouping;

    /// Which group `unit` joins as Linux decides it (`pci_device_group`): from who is in which group now, and
    /// from the isolation that is switched on now. Only the paths that Linux took ask.
    ///
    /// `arriving`: the device is still being added, and what its bus finds out about it after that is not
    /// known yet (Linux: `pci_scan_slot` sets `multifunction` when `device_add` is over).
    fn joining(&self, unit: Unit, arriving: bool, group_of: &dyn Fn(Unit) -> Option<GroupId>) -> Joining {
        let _ = (arriving, group_of);
        Joining { group: None, why: self.grouping(unit).why }
    }

    /// Switches on what isolates `unit` from its neighbours (Linux: `pci_enable_acs`). Only the paths that Linux
    /// took ask for it device by device; for `fixed` the machine has it on before the first device is added.
    fn isolate(&mut self, unit: Unit) {
        let _ = unit;
    }

    /// What it remembers of [`isolate`](Self::isolate), as a number: it decides what happens next.
    fn memory(&self) -> u64 {
        0
    }

    /// A copy, for a machine that can be taken apart into several ([`Core::fork`](crate::Core::fork)).
    fn fork(&self) -> Option<Box<dyn Bus>> {
        None
    }
}
