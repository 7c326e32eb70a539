//! Console, command line and PSCI from trees that are broken.

use addr::{PhysAddr, Range};
use firmware::device_tree::{Early, describe, early};
use firmware::{Console, PsciConduit};

use crate::fixtures::{ALL, IOMMU};

fn uart() -> Option<Console> {
    Range::from_size(PhysAddr(0x900_0000), 0x1000).map(Console::Pl011)
}

/// Offset of the first place where `needle` stands.
fn find(blob: &[u8], needle: &[u8]) -> usize {
    blob.windows(needle.len()).position(|window| window == needle).unwrap()
}

#[test]
fn a_good_tree_gives_early_what_it_gives_later() {
    for (name, blob) in ALL {
        let (description, _) = describe(blob).unwrap();
        let expected = Early {
            command_line: description.command_line,
            console: description.console,
            psci: description.psci,
        };
        assert_eq!(early(blob), expected, "{name}");
    }
}

#[test]
fn a_tree_without_memory_still_names_its_console() {
    let mut blob = IOMMU.to_vec();
    let at = find(&blob, b"memory\0");
    blob[at] = b'M';
    assert!(describe(&blob).is_err());
    assert_eq!(early(&blob), early(IOMMU));
}

#[test]
fn what_stands_before_the_fault_is_found_and_the_first_uart_is_the_console() {
    let mut blob = IOMMU.to_vec();
    // The token in front of the name of a node that comes after the UART.
    let at = find(&blob, b"flash@0\0") - 4;
    blob[at..at + 4].copy_from_slice(&[0xee; 4]);
    assert!(describe(&blob).is_err());
    let expected = Early { command_line: String::new(), console: uart(), psci: Some(PsciConduit::Hvc) };
    assert_eq!(early(&blob), expected);
}

#[test]
fn a_truncated_tree_still_gives_psci() {
    let cut = &IOMMU[..1024];
    // QEMU puts PSCI near the front, but names are in the strings block, which stands behind.
    assert_eq!(early(cut), Early::default());
    let mut blob = IOMMU.to_vec();
    blob[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(early(&blob), early(IOMMU), "a wrong totalsize alone costs nothing");
}

#[test]
fn a_property_of_a_wrong_length_costs_only_itself() {
    let blob = crate::tree::blob(&crate::tree::root([
        crate::tree::node("bad").bytes("phandle", &[1]),
        crate::tree::node("chosen").text("bootargs", "x=y"),
    ]));
    assert!(describe(&blob).is_err());
    assert_eq!(early(&blob).command_line, "x=y");
}

#[test]
fn what_is_no_tree_gives_nothing() {
    for blob in [&[][..], &[0; 64], b"\xd0\x0d\xfe\xed"] {
        assert_eq!(early(blob), Early::default());
    }
}
