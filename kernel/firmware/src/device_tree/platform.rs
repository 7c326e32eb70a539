//! Platform and AMBA devices that Linux creates from the tree.
//!
//! The rules are those of `of_platform_default_populate`: first the children of `/firmware`, then those
//! of the root, in the order of the tree and each bus before what is on it. A node becomes a device if
//! it has a `compatible` and may be used; only simple buses are entered. Two kinds of nodes have been
//! taken by then, and are no devices: what Linux declares as a root interrupt controller (`of_irq_init`;
//! the rule here: it has `interrupt-controller` and is neither a GPIO controller nor a PrimeCell, which
//! have drivers of their own), and clocks that need no driver (`of_clk_init`).
//!
//! Deliberately missing: the children of `/reserved-memory` for which Linux has drivers.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::hex::Hex;
use addr::{PhysAddr, Range};
use probe::{Findings, Severity};

use super::address::{AddressError, Reg, child_cells, number, registers, start};
use super::tree::{NodeIndex, Tree};
use crate::{PlatformBus, PlatformDevice};

/// Buses whose children are devices even though no driver is bound (Linux: `of_default_bus_match_table`).
const SIMPLE_BUSES: [&str; 4] = ["simple-bus", "simple-mfd", "isa", "arm,amba-bus"];
/// Clocks without registers.
const FIXED_CLOCKS: [&str; 2] = ["fixed-clock", "fixed-factor-clock"];
/// Tables that look like devices (Linux: `of_skipped_node_table`).
const TABLES: [&str; 1] = ["operating-points-v2"];
const PRIMECELL: [&str; 1] = ["arm,primecell"];

/// All devices in Linux's order.
pub(super) fn devices(tree: &Tree, findings: &mut Findings) -> Vec<PlatformDevice> {
    let mut population = Population { tree, findings, devices: Vec::new(), by_name: Vec::new() };
    if let Some(firmware) = tree.by_path("/firmware") {
        for node in tree.children(firmware) {
            population.add(node);
        }
    }
    for node in tree.children(NodeIndex::ROOT) {
        population.visit(node);
    }
    population.devices
}

struct Population<'t, 'a> {
    tree: &'t Tree<'a>,
    findings: &'t mut Findings,
    devices: Vec<PlatformDevice>,
    /// Places in `devices`, in the order of the names.
    by_name: Vec<u32>,
}

impl Population<'_, '_> {
    /// Makes a device of `node`, and devices of what is on it if it is a simple bus.
    ///
    /// Calls itself as deep as the tree, which the gate bounds.
    fn visit(&mut self, node: NodeIndex) {
        let tree = self.tree;
        let added = self.add(node);
        if added == Some(PlatformBus::Platform) && tree.is_compatible(node, &SIMPLE_BUSES) {
            for child in tree.children(node) {
                self.visit(child);
            }
        }
    }

    /// Makes a device of `node` on a bus, if Linux would.
    fn add(&mut self, node: NodeIndex) -> Option<PlatformBus> {
        let tree = self.tree;
        let is_described = tree.property(node, "compatible").is_some() && !tree.is_compatible(node, &TABLES);
        if !is_described || !tree.is_available(node) || is_taken(tree, node) {
            return None;
        }
        let is_primecell = tree.is_compatible(node, &PRIMECELL);
        let bus = if is_primecell { PlatformBus::Amba } else { PlatformBus::Platform };
        let registers = self.registers(node);
        if is_primecell && registers.is_empty() {
            self.complain(
                node,
                "",
                "primecell-without-registers",
                "a PrimeCell without usable registers; it is left out",
            );
            return None;
        }
        let name = device_name(tree, node);
        match self.by_name.binary_search_by(|at| self.devices[*at as usize].name.cmp(&name)) {
            Ok(_) => {
                let what = format!("another device is already named {name}; this one is left out");
                self.complain(node, "", "device-name-taken", &what);
                return None;
            }
            Err(place) => self.by_name.insert(place, self.devices.len() as u32),
        }
        let mut compatible = Vec::new();
        for text in tree.compatible(node) {
            compatible.push(text.to_owned());
        }
        self.devices.push(PlatformDevice { node: node.fw_node(), name, bus, compatible, registers });
        Some(bus)
    }

    fn registers(&mut self, node: NodeIndex) -> Vec<Range<PhysAddr>> {
        match registers(self.tree, node) {
            // Numbers on a bus without addresses: nothing is wrong, and nothing can be reached.
            Err(AddressError::NoCells) => Vec::new(),
            Err(error) => {
                self.complain(
                    node,
                    ":reg",
                    "reg-malformed",
                    &format!("{error}; the device has no registers"),
                );
                Vec::new()
            }
            Ok(entries) => {
                let mut reachable = Vec::with_capacity(entries.len());
                for (number, entry) in entries.into_iter().enumerate() {
                    match entry {
                        Ok(range) => reachable.push(range),
                        // Offsets in the registers of a device around it, which alone knows what they mean.
                        Err(AddressError::NoRanges) => {}
                        Err(error) => self.complain(
                            node,
                            &format!(":reg[{number}]"),
                            "reg-malformed",
                            &format!("{error}; the entry is left out"),
                        ),
                    }
                }
                reachable
            }
        }
    }

    /// `property` is the property after a colon; empty for the node itself.
    fn complain(&mut self, node: NodeIndex, property: &str, id: &'static str, what: &str) {
        let place = self.tree.path(node) + property;
        self.findings.add(id, Severity::Warning, place, what.to_string());
    }
}

/// Whether early code has claimed the node, so that it does not become a device.
fn is_taken(tree: &Tree, node: NodeIndex) -> bool {
    let has = |name| tree.property(node, name).is_some();
    let is_root_interrupt_controller =
        has("interrupt-controller") && !has("gpio-controller") && !tree.is_compatible(node, &PRIMECELL);
    is_root_interrupt_controller || tree.is_compatible(node, &FIXED_CLOCKS)
}

/// Linux's name of the device for `node` (`of_device_make_bus_id`).
///
/// The first node upward whose address the CPU can see gives `address.name`; nodes before it add their
/// names behind a colon, outermost first.
pub(super) fn device_name(tree: &Tree, node: NodeIndex) -> String {
    let mut inner: Option<String> = None;
    for node in tree.ancestry(node) {
        if tree.parent(node).is_none() {
            break;
        }
        let after = inner.as_ref().map_or(String::new(), |inner| String::from(":") + inner);
        if let Some(address) = first_address(tree, node) {
            let mut name = String::from(Hex::new(address).digits());
            // Devices that share a register are distinguished by their lowest bit in it.
            if let Some(mask) = tree.number(node, "mask") {
                let bit = if mask == 0 { u32::MAX } else { mask.trailing_zeros() };
                name = name + "." + Hex::new(bit.into()).digits();
            }
            return name + "." + tree.base_name(node) + &after;
        }
        inner = Some(tree.name(node).to_string() + &after);
    }
    inner.unwrap_or_default()
}

/// Where the node's first registers begin for the CPU.
fn first_address(tree: &Tree, node: NodeIndex) -> Option<u64> {
    let bus = tree.parent(node)?;
    let cells = child_cells(tree, bus).check().ok()?;
    let address = tree.property(node, "reg")?.get(..4 * cells.address)?;
    start(tree, bus, Reg { address: number(address), size: 0 }).ok()
}
