//! Functions that come and go in slots with hot-plug.

use alloc::vec::Vec;

use pci::{Command, FunctionIndex, Quirks, Slot, SlotState, Topology};
use probe::{Finding, Path};

use crate::hardware::Hardware;

/// What was in a slot.
pub(crate) struct Plugged {
    pub(crate) functions: Vec<FunctionIndex>,
    /// What is wrong with them.
    pub(crate) findings: Vec<Finding>,
}

impl Hardware {
    /// All slots with hot-plug.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        Slot::all(&*self.config.borrow(), &self.topology)
    }

    /// The state of a slot.
    #[must_use]
    pub fn slot_state(&self, slot: &Slot) -> SlotState {
        slot.state(&*self.config.borrow())
    }

    /// Clears the events of a slot.
    pub fn clear_slot_events(&self, slot: &Slot) {
        slot.clear_events(&mut *self.config.borrow_mut());
    }

    /// Switches a slot on or off.
    pub fn set_slot_power(&self, slot: &Slot, on: bool) {
        let config = &mut *self.config.borrow_mut();
        if on { slot.power_on(config) } else { slot.power_off(config) }
    }

    /// Whether the device in a slot is ready for configuration.
    #[must_use]
    pub fn slot_answers(&self, slot: &Slot) -> bool {
        slot.answers(&*self.config.borrow(), &self.topology)
    }

    /// Adds the functions in a slot to the topology, with addresses, and with ACS enabled if the path does not do that
    /// itself.
    pub(crate) fn plug(&self, slot: &Slot, path: Path) -> Plugged {
        let config = &mut *self.config.borrow_mut();
        let mut topology = Topology::clone(&self.topology);
        let functions = pci::plug(config, &self.roots, &mut topology, slot.port(), &Quirks::default());
        if path == Path::Fixed {
            topology.mark_untrusted();
            if self.requests_acs {
                for function in &functions {
                    pci::enable_acs_of(config, &mut topology, *function);
                }
            }
        }
        let before = self.topology.findings().len();
        let findings = topology.findings().get(before..).unwrap_or_default().to_vec();
        self.topology.replace(topology);
        Plugged { functions, findings }
    }

    /// Removes the functions behind a slot from the topology.
    pub(crate) fn unplug(&self, slot: &Slot) {
        let mut topology = Topology::clone(&self.topology);
        topology.remove_behind(slot.port());
        self.topology.replace(topology);
    }

    /// Disables DMA by a function, and its registers (Linux: `pciehp_unconfigure_device`). Returns whether the function
    /// confirms it; one that is gone does not.
    pub(crate) fn disable(&self, index: FunctionIndex) -> bool {
        let wanted = Command::IO | Command::MEMORY | Command::BUS_MASTER;
        pci::disable(&mut *self.config.borrow_mut(), &self.topology[index], wanted)
    }
}
