//! Memory that firmware describes as RAM, given to the heap.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::Handover;
use probe::{Finding, Severity};

use crate::input::described::Described;
use crate::input::efi;
use crate::machine::heap::MemoryError;
use crate::machine::{blob, heap};

/// Gives the memory that the description leaves free to the heap.
///
/// Memory that cannot be used is left out, with a finding; the run continues with a smaller heap.
///
/// With EFI firmware, free memory is taken from its map (`from_efi`), as in Linux; a device tree
/// does not contain the firmware's own memory.
pub(crate) fn add_to_heap(
    handover: &Handover,
    from_efi: Option<efi::Memory>,
    described: &Described,
) -> Vec<Finding> {
    let Described { description, tree, .. } = described;
    let mut reserved: Vec<Range<PhysAddr>> = description.reserved.clone();
    reserved.push(handover.image);
    reserved.extend(Range::from_size(PhysAddr(tree.as_ptr().addr() as u64), tree.len() as u64));
    // A tree that was handed over and is not in use has not been read, so its length is unknown.
    if let Some(at) = handover.device_tree.filter(|at| at.0 != tree.as_ptr().addr() as u64) {
        reserved.extend(Range::from_size(at, u64::from(blob::DEVICE_TREE_LIMIT)));
    }
    let memory = match &from_efi {
        None => &description.memory,
        Some(map) => {
            reserved.extend(&map.kept);
            &map.free
        }
    };

    let mut findings = Vec::new();
    if !description.memory.iter().any(|range| range.encloses(&handover.image)) {
        let sentence = "outside the RAM that the firmware describes; it runs there anyway".to_string();
        let place = format!("image at {}", handover.image);
        findings.push(about_memory("image-outside-memory", place, sentence));
    }
    let mut left_out = 0;
    let mut refused = |range, error: MemoryError| {
        if findings.len() >= MEMORY_FINDING_LIMIT {
            left_out += 1;
            return;
        }
        let id = match error {
            MemoryError::Absent(_) => "memory-absent",
            MemoryError::Unmappable(_) | MemoryError::TooManyRanges => "memory-unusable",
        };
        findings.push(about_memory(id, format!("memory {range}"), format!("{error}; this RAM is not used")));
    };
    // SAFETY: Firmware describes this as RAM. The image with the early heap, both device trees and
    // the memory of EFI firmware are left out. This is called once.
    unsafe { heap::add_free_memory(memory, &reserved, &mut refused) };
    if left_out > 0 {
        let sentence = format!("{left_out} more ranges cannot be used; they are not listed");
        findings.push(about_memory("memory-unusable", "memory".to_string(), sentence));
    }
    findings
}

/// Ranges of RAM that are named one by one if they cannot be used.
const MEMORY_FINDING_LIMIT: usize = 16;

fn about_memory(id: &'static str, place: String, sentence: String) -> Finding {
    Finding { id, severity: Severity::Warning, place, sentence }
}
