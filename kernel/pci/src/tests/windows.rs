//! Wrong windows of host bridges.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use proptest::prelude::*;

use super::model::{virt_root, window};
use crate::{RootBus, review_windows};

/// The last address of a CPU with 44 address bits.
const LAST_ADDRESS: PhysAddr = PhysAddr((1 << 44) - 1);

fn root(windows: Vec<PciWindow>) -> RootBus {
    RootBus { windows, ..virt_root() }
}

fn review(roots: &mut [RootBus]) -> Vec<String> {
    let ram = Range::from_size(PhysAddr(0x4000_0000), 0x2000_0000).unwrap();
    let uart = Range::from_size(PhysAddr(0x0900_0000), 0x1000).unwrap();
    let occupied = |check: &mut dyn FnMut(Range<PhysAddr>, &str)| {
        check(ram, "RAM");
        check(uart, "9000000.pl011");
    };
    review_windows(roots, &occupied, LAST_ADDRESS).iter().map(|fault| fault.error.to_string()).collect()
}

#[test]
fn valid_windows_are_kept() {
    let mut roots = [virt_root()];
    assert_eq!(review(&mut roots), [""; 0]);
    assert_eq!(roots[0], virt_root());
}

#[test]
fn a_window_must_keep_page_offsets_and_end_on_the_bus() {
    let windows = Vec::from([
        window(PciSpace::Memory64, 0x80_0000_0100, 0x80_0000_0000, 0x80_0000_0000),
        window(PciSpace::Io, 0x2, 0x3eff_0000, 0x1000),
        window(PciSpace::Memory64, u64::MAX - 0xfff, 0x1000_0000, 0x2000),
    ]);
    let mut roots = [root(windows)];
    let why = review(&mut roots);
    assert!(
        why[0].contains("different page offsets") && why[1].contains("different page offsets"),
        "{why:?}"
    );
    assert!(why[2].contains("ends beyond the last address of the bus"), "{why:?}");
    assert_eq!((why.len(), &roots[0].windows), (3, &Vec::new()));
}

#[test]
fn addresses_of_other_devices_are_cut_out_and_the_rest_is_kept() {
    let mut roots = [root(Vec::from([window(PciSpace::Memory32, 0x1_0800_0000, 0x0800_0000, 0x5000_0000)]))];
    let why = review(&mut roots);
    assert_eq!(
        why,
        [
            "CPU addresses 0x40000000..=0x57ffffff belong to RAM; that part of the window is not used",
            "CPU addresses 0x9000000..=0x9000fff belong to 9000000.pl011; that part of the window is not used",
        ]
    );
    let left = [
        window(PciSpace::Memory32, 0x1_0800_0000, 0x0800_0000, 0x0100_0000),
        window(PciSpace::Memory32, 0x1_0900_1000, 0x0900_1000, 0x36ff_f000),
    ];
    assert_eq!(roots[0].windows, left);
}

#[test]
fn of_two_overlapping_windows_the_first_keeps_the_addresses() {
    let low = window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 0x1000_0000);
    let other = window(PciSpace::Memory32, 0x1000_0000, 0x1800_0000, 0x1000_0000);
    let mut roots = [root(Vec::from([low])), root(Vec::from([other]))];
    let why = review(&mut roots);
    assert_eq!(
        why,
        [
            "CPU addresses 0x18000000..=0x1fffffff belong to an earlier window; that part of the window is not used"
        ]
    );
    assert_eq!(roots[1].windows, [window(PciSpace::Memory32, 0x1800_0000, 0x2000_0000, 0x800_0000)]);
    // On one bus, a bus address leads to one CPU address. I/O space is separate.
    let twice = window(PciSpace::Memory32, 0x1fff_0000, 0x2_0000_0000, 0x2_0000);
    let io = window(PciSpace::Io, 0x1000, 0x3eff_0000, 0x1000);
    let mut roots = [root(Vec::from([low, twice, io]))];
    let why = review(&mut roots);
    assert_eq!(
        why,
        [
            "bus addresses 0x1fff0000 to 0x1fffffff are in an earlier window; that part of the window is not used"
        ]
    );
    assert_eq!(roots[0].windows, [low, window(PciSpace::Memory32, 0x2000_0000, 0x2_0001_0000, 0x1_0000), io]);
}

#[test]
fn what_the_cpu_cannot_address_is_not_used() {
    let far = window(PciSpace::Memory64, 0x80_0000_0000, 1 << 44, 0x1000_0000);
    let long = window(PciSpace::Memory64, 0xff0_0000_0000, 0xff0_0000_0000, 1 << 44);
    let mut roots = [root(Vec::from([far, long]))];
    let why = review(&mut roots);
    assert!(why.iter().all(|why| why.starts_with("the CPU cannot address 0x100000000000..=")), "{why:?}");
    assert_eq!(
        roots[0].windows,
        [window(PciSpace::Memory64, 0xff0_0000_0000, 0xff0_0000_0000, 0x10_0000_0000)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 500 }))]

    /// For any description, no two windows lead to the same address, and none to RAM.
    #[test]
    fn windows_that_are_kept_do_not_overlap(
        given in prop::collection::vec((any::<u8>(), 0u64..1 << 20, 0u64..1 << 20, 1u64..1 << 20), 0..8)
    ) {
        let mut roots = [root(Vec::new()), root(Vec::new())];
        for (kind, bus, cpu, pages) in given {
            let space = if kind & 1 == 0 { PciSpace::Io } else { PciSpace::Memory64 };
            let window = window(space, bus << 12, cpu << 12, pages << 12);
            roots[usize::from(kind >> 1 & 1)].windows.push(window);
        }
        review(&mut roots);
        let all: Vec<&PciWindow> = roots.iter().flat_map(|root| &root.windows).collect();
        let ram = Range::from_size(PhysAddr(0x4000_0000), 0x2000_0000).unwrap();
        for (index, one) in all.iter().enumerate() {
            prop_assert!(!one.cpu.overlaps(&ram) && one.cpu.end() <= LAST_ADDRESS);
            prop_assert!(all[..index].iter().all(|other| !other.cpu.overlaps(&one.cpu)));
        }
        for root in &roots {
            for (index, one) in root.windows.iter().enumerate() {
                for other in &root.windows[..index] {
                    let on_bus = |window: &PciWindow| Range::from_size(window.bus_start, window.cpu.size()).unwrap();
                    let same_space = (one.space == PciSpace::Io) == (other.space == PciSpace::Io);
                    prop_assert!(!same_space || !on_bus(one).overlaps(&on_bus(other)));
                }
            }
        }
    }
}
