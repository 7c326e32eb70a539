//! Which addresses are handed out.

use alloc::format;
use alloc::vec::Vec;

use addr::{Iova, Range};
use dma::DmaMask;
use probe::ReservedRegion;

use super::attempt::CaseError;
use super::bench::{Bench, Seen};
use crate::dma::devices::{DmaDevice, bridge_windows};
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
            bench.case("windows-not-handed-out", which, windows);
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

/// Address bits of the part of the space that is tried for windows: the one for 32-bit BARs is below 1 GiB, and the one for
/// 64-bit BARs takes the upper half of what 40 bits reach.
const LOW_WINDOW_BITS: u32 = 30;
const HIGH_WINDOW_BITS: u32 = 40;

/// Sizes of the allocations there, in bytes: each is the largest that fits, and the smaller one follows.
const LOW_SIZES: [u64; 2] = [16 << 20, 1 << 20];
const HIGH_SIZES: [u64; 2] = [1 << 38, 1 << 36];

/// Large blocks are handed out until none is left; none is in a window of the host bridge, where a request may reach a
/// neighbour's registers.
fn windows(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let (Route::Translated(space), Some(group)) = (&device.memory.route, device.group) else {
        return Err(CaseError::Address("the device is not translated".into()));
    };
    let windows = bridge_windows(bench.probing, group);
    let mut allocator = space.borrow().unused_addresses();
    let mut count = 0_u64;
    for (bits, sizes) in [(LOW_WINDOW_BITS, LOW_SIZES), (HIGH_WINDOW_BITS, HIGH_SIZES)] {
        for size in sizes {
            while let Ok(block) = allocator.alloc(size, DmaMask::of_bits(bits)) {
                count += 1;
                if let Some(window) = windows.iter().find(|window| window.overlaps(&block)) {
                    let what = format!("{block} is handed out, but {window} is a window of the host bridge");
                    return Err(CaseError::Address(what));
                }
            }
        }
    }
    match windows.is_empty() || count == 0 {
        true => Err(CaseError::Address(format!("{count} blocks and {} windows", windows.len()))),
        false => Ok(format!("{count} blocks, without {} windows of the host bridge", windows.len())),
    }
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
