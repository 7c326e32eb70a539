//! Configuration space of the functions of a scenario: just enough for the scan to find them as they are.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use addr::PciAddress;
use pci::{AcsFlags, ConfigAccess, EnumerationPolicy, FunctionKind, Numbering, Resources, RootBus, Topology};

use crate::error::{DeviceError, ScenarioError};
use crate::spec::{Device, Scenario};

/// Registers by function and offset, in double words. An absent register reads as zero, an absent
/// function as all ones.
#[derive(Default)]
struct Space {
    functions: BTreeMap<PciAddress, BTreeMap<u16, u32>>,
}

/// Where the PCIe capability is put; its first two bytes are its ID and the link to the next one.
const PCIE: u16 = 0x40;
/// Where the ACS capability is put, the first extended one.
const ACS: u16 = 0x100;

impl Space {
    fn add(&mut self, at: PciAddress, device: &Device) -> Result<(), ScenarioError> {
        let word = device.kind.as_deref().unwrap_or("conventional");
        let kind = (0..16)
            .map(FunctionKind::from_port_type)
            .chain([FunctionKind::Conventional])
            .find(|kind| format!("{kind}") == word)
            .ok_or_else(|| ScenarioError::UnknownKind(word.into()))?;
        check(at, device, kind)?;
        let mut registers = BTreeMap::new();
        registers.insert(0, 0x0001_1b36);
        let class: u32 = if device.buses.is_some() { 0x06_0400 } else { 0x00_ff00 };
        registers.insert(8, class << 8);
        let header = u32::from(device.buses.is_some()) | u32::from(device.multifunction) << 7;
        registers.insert(0x0c, header << 16);
        if let Some((first, last)) = device.buses {
            registers.insert(0x18, u32::from(at.bus) | u32::from(first) << 8 | u32::from(last) << 16);
        }
        let port_type = (0..16u8).find(|value| FunctionKind::from_port_type(*value) == kind);
        if let Some(value) = port_type {
            registers.insert(4, 0x0010_0000);
            registers.insert(0x34, u32::from(PCIE));
            registers.insert(PCIE, 0x10 | (2 | u32::from(value) << 4) << 16);
        }
        if device.acs {
            registers.insert(ACS, 0x0001_000d);
            registers.insert(ACS + 4, u32::from(AcsFlags::ISOLATION.bits()));
        }
        self.functions.insert(at, registers);
        Ok(())
    }

    fn dword(&self, at: PciAddress, offset: u16) -> u32 {
        self.functions
            .get(&at)
            .map_or(u32::MAX, |registers| registers.get(&(offset & !3)).copied().unwrap_or(0))
    }
}

/// Writes are dropped: bus numbers and resources stay as they are.
impl ConfigAccess for Space {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        self.dword(at, offset).to_le_bytes()[usize::from(offset & 3)]
    }

    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        u16::from_le_bytes([self.read8(at, offset), self.read8(at, offset | 1)])
    }

    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.dword(at, offset)
    }

    fn write8(&mut self, _: PciAddress, _: u16, _: u8) {}

    fn write16(&mut self, _: PciAddress, _: u16, _: u16) {}

    fn write32(&mut self, _: PciAddress, _: u16, _: u32) {}
}

/// The topology of all functions that a scenario ever has, by the scan that the kernel uses too.
///
/// # Errors
///
/// A kind that does not exist, or a function that no bridge leads to.
pub(crate) fn topology(scenario: &Scenario) -> Result<Topology, ScenarioError> {
    let mut space = Space::default();
    let mut roots: Vec<RootBus> = Vec::new();
    for device in &scenario.devices {
        let Some(at) = address(device) else { continue };
        space.add(at, device)?;
        let behind = |bridge: &Device| {
            bridge.buses.is_some_and(|(first, last)| (first..=last).contains(&at.bus))
                && address(bridge).is_some_and(|bridge| bridge.segment == at.segment)
        };
        let is_root = !scenario.devices.iter().any(behind);
        if is_root && !roots.iter().any(|root| (root.segment, root.first_bus) == (at.segment, at.bus)) {
            let windows = Vec::new();
            roots.push(RootBus { segment: at.segment, first_bus: at.bus, last_bus: u8::MAX, windows });
        }
    }
    // Each root bus ends where the next one of its segment begins.
    let firsts: Vec<(u16, u8)> = roots.iter().map(|root| (root.segment, root.first_bus)).collect();
    for root in &mut roots {
        let next =
            firsts.iter().filter(|(segment, first)| *segment == root.segment && *first > root.first_bus);
        root.last_bus = next.map(|(_, first)| first - 1).min().unwrap_or(u8::MAX);
    }
    let policy = EnumerationPolicy {
        numbering: Numbering::Keep,
        resources: Resources::Keep,
        ..EnumerationPolicy::default()
    };
    let topology = pci::enumerate_with(&mut space, &roots, &policy);
    let missing =
        scenario.devices.iter().find(|device| address(device).is_some_and(|at| topology.find(at).is_none()));
    match missing {
        Some(device) => Err(ScenarioError::Unreachable(device.name.clone())),
        None => Ok(topology),
    }
}

/// The segment of each root bus, in their order.
pub(crate) fn segments(topology: &Topology) -> impl Iterator<Item = u16> {
    let roots: BTreeMap<usize, u16> = topology.buses().iter().map(|bus| (bus.root, bus.segment)).collect();
    roots.into_values()
}

/// Why a function is invalid.
fn check(at: PciAddress, device: &Device, kind: FunctionKind) -> Result<(), ScenarioError> {
    use FunctionKind::{Conventional, DownstreamPort, PcieToPciBridge, RootPort, UpstreamPort};
    let malformed = |why| Err(ScenarioError::Malformed(device.name.clone(), why));
    let is_port = matches!(kind, RootPort | UpstreamPort | DownstreamPort);
    match device.buses {
        Some((first, last)) if first > last || first <= at.bus => malformed(DeviceError::BusOrder),
        Some(_) if !is_port && !matches!(kind, Conventional | PcieToPciBridge) => {
            malformed(DeviceError::NotABridge)
        }
        None if is_port => malformed(DeviceError::PortWithoutBus),
        _ => Ok(()),
    }
}

/// The PCI address that a device's name is, if it is one.
pub(crate) fn address(device: &Device) -> Option<PciAddress> {
    device.name.parse().ok()
}
