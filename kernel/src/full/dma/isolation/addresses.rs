//! Which addresses are handed out.

use alloc::format;
use alloc::vec::Vec;

use addr::{Iova, Range};
use dma::DmaMask;
use probe::ReservedRegion;

use super::attempt::CaseError;
use super::bench::{Bench, Seen};
use crate::dma::devices::DmaDevice;
use crate::dma::memory::Route;

/// Address bits of the part of the space that is handed out completely: the MSI windows of `virt` are in it.
const BITS: u32 = 28;

/// Sizes of the allocations, in units, that exhaust the space together.
const SIZES: [u64; 3] = [256, 16, 1];

/// Runs the case for the first device of each group.
pub(super) fn run(bench: &mut Bench<'_>) {
    let mut groups = Vec::new();
    for which in 0..bench.devices.len() {
        let group = bench.devices[which].group;
        if !groups.contains(&group) {
            groups.push(group);
            bench.case("reserved-not-handed-out", which, reserved);
        }
    }
}

/// All addresses below 256 MiB are handed out; none is reserved, 0, or handed out twice.
fn reserved(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let Route::Translated(space) = &device.memory.route else {
        return Err(CaseError::Address("the device is not translated".into()));
    };
    let core = &bench.probing.core;
    let group = core.groups().find(|group| Some(group.id()) == device.group);
    let regions: Vec<ReservedRegion> = group.map(|group| core.reserved_regions(group)).unwrap_or_default();
    let mut allocator = space.borrow().unused_addresses();
    let mask = DmaMask::of_bits(BITS);
    let (mut count, mut bytes, mut lowest) = (0_u64, 0_u64, u64::MAX);
    for size in SIZES {
        while let Ok(block) = allocator.alloc(size * allocator.unit(), mask) {
            check(block, &regions)?;
            (count, bytes, lowest) = (count + 1, bytes + block.size(), lowest.min(block.start().0));
        }
    }
    if count == 0 {
        return Err(CaseError::Address(format!("nothing is handed out below 2^{BITS}")));
    }
    let regions = regions.len();
    Ok(format!("{bytes:#x} bytes in {count} blocks from {lowest:#x} on, without {regions} reserved regions"))
}

fn check(block: Range<Iova>, regions: &[ReservedRegion]) -> Result<(), CaseError> {
    if block.start() == Iova(0) {
        return Err(CaseError::Address("address 0 is handed out".into()));
    }
    match regions.iter().find(|region| region.range.overlaps(&block)) {
        Some(region) => {
            Err(CaseError::Address(format!("{block} is handed out, but {} is reserved", region.range)))
        }
        None => Ok(()),
    }
}
