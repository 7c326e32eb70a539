//! RAM and reserved memory (Devicetree Specification 0.4, sections 3.4, 3.5 and 5.3).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use probe::{Findings, Severity};

use super::address::{AddressError, ranges};
use super::error::DeviceTreeError;
use super::tree::{NodeIndex, Tree};
use crate::ranges::merge;

/// RAM, sorted and merged; never empty.
///
/// Memory nodes are children of the root (Linux: `early_init_dt_scan_memory`).
pub(super) fn ram(tree: &Tree, findings: &mut Findings) -> Result<Vec<Range<PhysAddr>>, DeviceTreeError> {
    let is_memory = |node: &NodeIndex| tree.text(*node, "device_type") == Some("memory");
    let mut ram = Vec::new();
    let mut refused = Vec::new();
    let mut is_there = false;
    for node in tree.children(NodeIndex::ROOT).filter(is_memory) {
        is_there = true;
        let path = tree.path(node);
        if !tree.is_available(node) {
            refused.push(format!("{path} has a status other than \"okay\""));
            continue;
        }
        // A crash kernel gets the first property and must not touch other RAM. If it is malformed, the second is
        // used, as in Linux.
        let outcomes = ["linux,usable-memory", "reg"].into_iter().find_map(|name| {
            tree.property(node, name)?;
            match ranges(tree, node, name) {
                Ok(outcomes) => Some((name, outcomes)),
                Err(error) => {
                    let place = format!("{path}:{name}");
                    refused.push(format!("{place}: {error}"));
                    let sentence = format!("{error}; the property is ignored");
                    findings.add("memory-malformed", Severity::Warning, place, sentence);
                    None
                }
            }
        });
        let Some((name, outcomes)) = outcomes else {
            refused.push(format!("{path} has no usable reg"));
            continue;
        };
        for outcome in outcomes {
            match outcome {
                Ok(range) => ram.push(range),
                // QEMU and boot loaders leave empty entries for empty slots.
                Err(AddressError::Empty) => refused.push(format!("{path}:{name}: an entry has length 0")),
                Err(error) => {
                    let place = format!("{path}:{name}");
                    refused.push(format!("{place}: {error}"));
                    let sentence = format!("{error}; this part of RAM is not used");
                    findings.add("memory-malformed", Severity::Warning, place, sentence);
                }
            }
        }
    }
    if !is_there {
        refused.push("no child of / has device_type = \"memory\"".to_string());
    }
    let ram = merge(ram);
    if ram.is_empty() { Err(DeviceTreeError::NoMemory { reason: refused.join("; ") }) } else { Ok(ram) }
}

/// Memory that firmware reserves, sorted and merged: the memory reservation block, and the children of
/// `/reserved-memory` with a fixed address.
///
/// Children with only a `size` are for the kernel to place; this kernel does not need them.
pub(super) fn reserved(tree: &Tree, findings: &mut Findings) -> Vec<Range<PhysAddr>> {
    let block = tree.reservations().iter();
    let mut reserved: Vec<_> = block
        .filter_map(|(address, size)| {
            let range = Range::from_size(PhysAddr(*address), *size);
            if range.is_none() {
                let sentence =
                    format!("{size:#x} bytes at {address:#x} exceed the address space; the entry is ignored");
                let place = String::from("memory reservation block");
                findings.add("reservation-malformed", Severity::Warning, place, sentence);
            }
            range
        })
        .collect();
    let nodes = tree.by_path("/reserved-memory").into_iter().flat_map(|parent| tree.children(parent));
    for node in nodes.filter(|node| tree.is_available(*node) && tree.property(*node, "reg").is_some()) {
        for outcome in ranges(tree, node, "reg").unwrap_or_else(|error| alloc::vec![Err(error)]) {
            match outcome {
                Ok(range) => reserved.push(range),
                Err(error) => {
                    let place = format!("{}:reg", tree.path(node));
                    let sentence = format!("{error}; the reservation is ignored");
                    findings.add("reservation-malformed", Severity::Warning, place, sentence);
                }
            }
        }
    }
    merge(reserved)
}
