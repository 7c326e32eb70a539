//! Findings about accesses that no device answered, with the device that should have the registers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use boot::unanswered::{self, UnansweredRange};
use firmware::Description;
use pci::{BarRegister, Topology};
use probe::{Finding, Severity};

/// Bytes of configuration space that one bus takes.
const BUS_SIZE: u64 = 1 << 20;

/// The address ranges of registers from firmware and BARs, and their devices.
#[derive(Debug, Default)]
pub(crate) struct Windows(Vec<Window>);

#[derive(Debug)]
struct Window {
    range: Range<PhysAddr>,
    what: What,
}

/// The owner of a window. Its name is only created when an access was not answered.
#[derive(Debug)]
enum What {
    /// Configuration space from this bus on, of the host bridge with this name in the report.
    Config { bridge: String, first_bus: u8 },
    /// Registers of the platform device with this name in the report.
    Registers(String),
    /// A BAR of a function.
    Bar(PciAddress, BarRegister),
}

impl Windows {
    /// Adds all configuration space and all registers of platform devices.
    pub(crate) fn add_description(&mut self, description: &Description) {
        let bridges = description.host_bridges.iter().map(|bridge| Window {
            range: bridge.ecam,
            what: What::Config { bridge: bridge.name.clone(), first_bus: bridge.first_bus },
        });
        self.0.extend(bridges);
        for device in &description.platform_devices {
            let registers = device
                .registers
                .iter()
                .map(|range| Window { range: *range, what: What::Registers(device.name.clone()) });
            self.0.extend(registers);
        }
    }

    /// Adds the BARs that the CPU reaches.
    pub(crate) fn add_functions(&mut self, topology: &Topology) {
        for function in topology.functions() {
            for bar in function.bars() {
                if let Some(range) = bar.cpu {
                    self.0.push(Window { range, what: What::Bar(function.address, bar.register) });
                }
            }
        }
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
        let at = |address| self.0.iter().find(|window| window.range.contains(address));
        let window = at(range.start()).or_else(|| at(range.end()));
        let (device, what) = match window {
            None => (range.start().to_string(), "registers".to_string()),
            Some(Window { what: What::Registers(device), .. }) => (device.clone(), "registers".to_string()),
            Some(Window { what: What::Bar(function, register), .. }) => {
                (function.to_string(), register.to_string())
            }
            Some(Window { range: ecam, what: What::Config { bridge, first_bus } }) => {
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
