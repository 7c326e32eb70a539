//! Slots with hot-plug: the registers of the PCIe capability of a port (PCIe 5.0, sections 6.7 and 7.5.3.9 to 7.5.3.11).

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::function::capability::id;
use crate::function::index::FunctionIndex;
use crate::topology::Topology;

/// Offsets in the PCIe capability.
mod offset {
    pub(super) const FLAGS: u16 = 0x02;
    pub(super) const SLOT_CAPABILITIES: u16 = 0x14;
    pub(super) const SLOT_CONTROL: u16 = 0x18;
    pub(super) const SLOT_STATUS: u16 = 0x1a;
}

/// In the flags: the port has a slot.
const SLOT_IMPLEMENTED: u16 = 1 << 8;

bitflags::bitflags! {
    /// Slot capabilities.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Capabilities: u32 {
        const POWER_CONTROLLER = 1 << 1;
        const POWER_INDICATOR = 1 << 4;
        const HOT_PLUG = 1 << 6;
    }

    /// Slot status; the events are cleared by writing ones.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Status: u16 {
        const ATTENTION_BUTTON = 1 << 0;
        const PRESENCE_CHANGED = 1 << 3;
        const COMMAND_COMPLETED = 1 << 4;
        const PRESENT = 1 << 6;
        const LINK_CHANGED = 1 << 8;
    }
}

impl Status {
    const EVENTS: Self = Self::ATTENTION_BUTTON
        .union(Self::PRESENCE_CHANGED)
        .union(Self::COMMAND_COMPLETED)
        .union(Self::LINK_CHANGED);
}

/// Slot control: the power indicator's states, and the power controller.
const INDICATOR_MASK: u16 = 3 << 8;
const INDICATOR_ON: u16 = 1 << 8;
const INDICATOR_OFF: u16 = 3 << 8;
const POWER_OFF: u16 = 1 << 10;

/// A slot with hot-plug: the port that leads to it, and its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    port: FunctionIndex,
    address: addr::PciAddress,
    /// Offset of the PCIe capability.
    express: u16,
    capabilities: Capabilities,
}

/// The state of a slot, and what has happened there since [`Slot::clear_events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// A device is in the slot.
    pub is_present: bool,
    /// The slot supplies power; true for a slot that cannot switch it.
    pub is_powered: bool,
    /// The attention button was pressed: a request to remove the device, or to start a new one.
    pub button_pressed: bool,
    /// A device came or went.
    pub presence_changed: bool,
}

impl Slot {
    /// All slots of the machine that support hot-plug, and behind which there is a bus.
    #[must_use]
    pub fn all(config: &dyn ConfigAccess, topology: &Topology) -> Vec<Self> {
        let mut slots = Vec::new();
        for (port, function) in topology.indexed() {
            let leads_to_a_bus = function.bridge.as_ref().is_some_and(|bridge| bridge.bus.is_some());
            let Some(express) = function.capability(id::PCIE).map(u16::from).filter(|_| leads_to_a_bus)
            else {
                continue;
            };
            let address = function.address;
            let flags = config.read16(address, express + offset::FLAGS);
            if !function.kind.leads_to_a_link() || flags & SLOT_IMPLEMENTED == 0 {
                continue;
            }
            let capabilities = config.read32(address, express + offset::SLOT_CAPABILITIES);
            let capabilities = Capabilities::from_bits_truncate(capabilities);
            if capabilities.contains(Capabilities::HOT_PLUG) {
                slots.push(Self { port, address, express, capabilities });
            }
        }
        slots
    }

    /// The port that leads to the slot.
    #[must_use]
    pub fn port(&self) -> FunctionIndex {
        self.port
    }

    /// The current state. All is off in a slot whose port is gone.
    #[must_use]
    pub fn state(&self, config: &dyn ConfigAccess) -> SlotState {
        let bits = config.read16(self.address, self.express + offset::SLOT_STATUS);
        let status = if bits == u16::MAX { Status::empty() } else { Status::from_bits_truncate(bits) };
        let control = config.read16(self.address, self.express + offset::SLOT_CONTROL);
        SlotState {
            is_present: status.contains(Status::PRESENT),
            is_powered: !self.capabilities.contains(Capabilities::POWER_CONTROLLER)
                || control & POWER_OFF == 0,
            button_pressed: status.contains(Status::ATTENTION_BUTTON),
            presence_changed: status.contains(Status::PRESENCE_CHANGED),
        }
    }

    /// Clears the events that `state` reports.
    pub fn clear_events(&self, config: &mut dyn ConfigAccess) {
        config.write16(self.address, self.express + offset::SLOT_STATUS, Status::EVENTS.bits());
    }

    /// Supplies power and lights the power indicator, as far as the slot has both.
    pub fn power_on(&self, config: &mut dyn ConfigAccess) {
        self.command(config, INDICATOR_ON, 0);
    }

    /// Cuts the power and the power indicator: the device may be taken out.
    pub fn power_off(&self, config: &mut dyn ConfigAccess) {
        self.command(config, INDICATOR_OFF, POWER_OFF);
    }

    /// One command: both fields in one write, since a controller takes one command at a time.
    fn command(&self, config: &mut dyn ConfigAccess, indicator: u16, power: u16) {
        let register = self.express + offset::SLOT_CONTROL;
        let mut control = config.read16(self.address, register);
        if self.capabilities.contains(Capabilities::POWER_INDICATOR) {
            control = control & !INDICATOR_MASK | indicator;
        }
        if self.capabilities.contains(Capabilities::POWER_CONTROLLER) {
            control = control & !POWER_OFF | power;
        }
        config.write16(self.address, register, control);
    }

    /// Whether function 0 in the slot answers with its IDs. A device may need up to one second after it got power
    /// (PCIe 5.0, section 6.6.1).
    #[must_use]
    pub fn answers(&self, config: &dyn ConfigAccess, topology: &Topology) -> bool {
        let buses = topology[self.port].bridge.as_ref().and_then(|bridge| bridge.buses);
        let Some(buses) = buses else { return false };
        let devfn = addr::DeviceFunction::from_bits(0);
        let at = addr::PciAddress { segment: self.address.segment, bus: buses.secondary, devfn };
        let vendor = config.read32(at, register::ID) as u16;
        // 0x0001 means that the device is not ready (PCIe 5.0, section 2.3.2).
        !matches!(vendor, 0 | 0x0001 | u16::MAX)
    }
}
