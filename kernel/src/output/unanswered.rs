//! Findings about accesses that no device answered, with the device that should have the registers.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use boot::unanswered::{self, UnansweredRange};
use firmware::Description;
use pci::BarRegister;
use probe::{Finding, Severity};

use crate::hardware::Hardware;

/// Bytes of configuration space that one bus takes.
const BUS_SIZE: u64 = 1 << 20;

/// Where firmware and BARs place registers, to name the device that should have answered.
#[derive(Default)]
pub(crate) struct Windows {
    config: Vec<ConfigWindow>,
    /// Set when the devices are known.
    hardware: Option<Rc<Hardware>>,
}

/// Configuration space from this bus on, of the host bridge with this name in the report.
struct ConfigWindow {
    range: Range<PhysAddr>,
    bridge: String,
    first_bus: u8,
}

/// The owner of an address.
enum Owner<'a> {
    Config(&'a ConfigWindow),
    /// The platform device with this name in the report.
    Platform(&'a str),
    /// A BAR of a function.
    Bar(PciAddress, BarRegister),
}

impl Windows {
    /// Adds all configuration space, also that which does not answer.
    pub(crate) fn add_description(&mut self, description: &Description) {
        for bridge in &description.host_bridges {
            let (range, first_bus) = (bridge.ecam, bridge.first_bus);
            self.config.push(ConfigWindow { range, bridge: bridge.name.clone(), first_bus });
        }
    }

    /// Adds the registers of platform devices, and the BARs that the CPU reaches.
    pub(crate) fn add_hardware(&mut self, hardware: &Rc<Hardware>) {
        self.hardware = Some(hardware.clone());
    }

    fn owner(&self, address: PhysAddr) -> Option<Owner<'_>> {
        if let Some(window) = self.config.iter().find(|window| window.range.contains(address)) {
            return Some(Owner::Config(window));
        }
        let hardware = self.hardware.as_ref()?;
        let is_here = |range: &Range<PhysAddr>| range.contains(address);
        if let Some(device) = hardware.platform.iter().find(|device| device.registers.iter().any(is_here)) {
            return Some(Owner::Platform(&device.name));
        }
        hardware.topology.functions().iter().find_map(|function| {
            let bar = function.bars().iter().find(|bar| bar.cpu.as_ref().is_some_and(is_here))?;
            Some(Owner::Bar(function.address, bar.register))
        })
    }

    /// The accesses that were not answered in this run.
    pub(crate) fn unanswered(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let elsewhere = unanswered::read(|place| findings.push(self.finding(&place)));
        if elsewhere > 0 {
            let sentence = format!(
                "{elsewhere} more accesses at other addresses were not answered; they are not listed"
            );
            findings.push(finding("device registers".to_string(), sentence));
        }
        findings
    }

    fn finding(&self, place: &UnansweredRange) -> Finding {
        let UnansweredRange { range, reads, writes } = place;
        let owner = self.owner(range.start()).or_else(|| self.owner(range.end()));
        let (device, what) = match owner {
            None => (range.start().to_string(), "registers".to_string()),
            Some(Owner::Platform(device)) => (device.to_string(), "registers".to_string()),
            Some(Owner::Bar(function, register)) => (function.to_string(), register.to_string()),
            Some(Owner::Config(ConfigWindow { range: ecam, bridge, first_bus })) => {
                let bus =
                    |at: PhysAddr| u64::from(*first_bus) + at.0.saturating_sub(ecam.start().0) / BUS_SIZE;
                let (first, last) = (bus(range.start()), bus(range.end().min(ecam.end())));
                let buses = if first == last {
                    format!("bus {first:#x}")
                } else {
                    format!("buses {first:#x} to {last:#x}")
                };
                (bridge.clone(), format!("configuration space of {buses}"))
            }
        };
        let lost = match (reads, writes) {
            (reads, 0) => format!("{reads} reads returned all ones"),
            (0, writes) => format!("{writes} writes were dropped"),
            (reads, writes) => format!("{reads} reads returned all ones, {writes} writes were dropped"),
        };
        finding(format!("{device} {what}"), format!("nothing answers at {range}; {lost}"))
    }
}

fn finding(place: String, sentence: String) -> Finding {
    Finding { id: "access-unanswered", severity: Severity::Warning, place, sentence }
}
