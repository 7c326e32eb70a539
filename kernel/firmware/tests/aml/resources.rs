//! Descriptors of a `_CRS`, one by one.

use addr::{PhysAddr, Range};
use firmware::acpi::aml::{AddressSpace, Caching, GenericRegister, Interrupts, Resource, SpaceKind};

use crate::aml;
use crate::forge::*;

const END: [u8; 2] = [0x79, 0];

/// What a template says, without its end tag, and what was found.
fn template(descriptors: impl AsRef<[u8]>) -> (Vec<Resource>, Vec<String>) {
    let (device, found) = only_device(name("_CRS", buffer(aml!(descriptors, END))));
    assert!(device.unread.is_empty());
    (device.crs, lines(&found))
}

fn good(descriptors: impl AsRef<[u8]>) -> Vec<Resource> {
    let (resources, found) = template(descriptors);
    assert_eq!(found, [""; 0]);
    resources
}

fn memory(start: u64, end: u64, writable: bool) -> Resource {
    Resource::Memory { range: Range::new(PhysAddr(start), PhysAddr(end)).unwrap(), writable }
}

fn io(start: u64, end: u64) -> Resource {
    Resource::Io { range: Range::new(start, end).unwrap() }
}

fn large(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    aml!([0x80 | kind], (body.len() as u16).to_le_bytes(), body)
}

/// An address space descriptor with numbers of `width` bytes: minimum, maximum, translation, length.
fn space(kind: u8, width: usize, flags: [u8; 3], numbers: [u64; 4]) -> Vec<u8> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()[..width].to_vec()).collect();
    let revision: &[u8] = if kind == 0x0b { &[1, 0] } else { &[] };
    let attributes: &[u8] = if kind == 0x0b { &[0; 8] } else { &[] };
    large(kind, aml!(flags, revision, vec![0; width], numbers, attributes))
}

#[test]
fn memory_descriptors_are_ranges() {
    let words = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let dwords = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let resources = good(aml!(
        large(6, aml!([1], dwords(&[0x0900_0000, 0x1000]))),
        large(6, aml!([0], dwords(&[0xffff_f000, 0x1000]))),
        large(5, aml!([1], dwords(&[0x1000, 0x8000, 0x1000, 0x200]))),
        large(1, aml!([0], words(&[0x10, 0x20, 0, 2]))),
    ));
    let expected = [
        memory(0x0900_0000, 0x0900_0fff, true),
        memory(0xffff_f000, 0xffff_ffff, false),
        memory(0x1000, 0x11ff, true),
        memory(0x1000, 0x11ff, false),
    ];
    assert_eq!(resources, expected);
}

#[test]
fn ports_interrupts_and_registers_are_read() {
    let resources = good(aml!(
        [0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8],
        [0x4b, 0x60, 0x00, 1],
        [0x22, 0x10, 0x20],
        [0x23, 0x01, 0x00, 0x18],
        large(9, [0x0f, 2, 33, 0, 0, 0, 0, 1, 0, 0]),
        large(2, [0x7f, 32, 1, 3, 8, 7, 6, 5, 4, 3, 2, 1]),
    ));
    let interrupts = |numbers: &[u32], edge, active_low, shared| {
        Resource::Interrupts(Interrupts { numbers: numbers.to_vec(), edge, active_low, shared })
    };
    let register = GenericRegister {
        space: 0x7f,
        bit_width: 32,
        bit_offset: 1,
        access_size: 3,
        address: 0x0102_0304_0506_0708,
    };
    let expected = [
        io(0x3f8, 0x3ff),
        io(0x60, 0x60),
        interrupts(&[4, 13], true, false, false),
        interrupts(&[0], false, true, true),
        interrupts(&[33, 256], true, true, true),
        Resource::Register(register),
    ];
    assert_eq!(resources, expected);
}

#[test]
fn address_spaces_of_each_width_are_windows() {
    for (kind, width) in [(8, 2), (7, 4), (0x0a, 8), (0x0b, 8)] {
        let resources = good(space(kind, width, [0, 0x0c, 0x07], [0x100, 0x1ff, 0x10, 0x100]));
        let window = AddressSpace {
            kind: SpaceKind::Memory { caching: Caching::Prefetchable, writable: true },
            range: Range::new(0x100, 0x1ff).unwrap(),
            translation: 0x10,
            producer: true,
            min_fixed: true,
            max_fixed: true,
        };
        assert!(window.prefetchable());
        assert_eq!(window.cpu_range(), Range::new(PhysAddr(0x110), PhysAddr(0x20f)));
        assert_eq!(resources, [Resource::Space(window)], "{kind:#x}");
    }
}

#[test]
fn the_bits_of_an_address_space_are_its_own() {
    let one = |flags| match good(space(8, 2, flags, [1, 2, 4, 2])).remove(0) {
        Resource::Space(space) => space,
        other => panic!("{other:?}"),
    };
    let consumer = one([1, 1, 0]);
    assert_eq!((consumer.kind, consumer.producer), (SpaceKind::Io, false));
    assert_eq!(consumer.cpu_range(), Range::new(PhysAddr(1), PhysAddr(2)));
    assert_eq!((one([2, 4, 0]).min_fixed, one([2, 4, 0]).max_fixed), (true, false));
    assert_eq!((one([2, 8, 0]).min_fixed, one([2, 8, 0]).max_fixed), (false, true));
    assert_eq!(one([2, 0, 0]).kind, SpaceKind::Bus);
    for (bits, caching) in [(0, Caching::NonCacheable), (2, Caching::Cacheable), (4, Caching::WriteCombining)]
    {
        assert_eq!(one([0, 0, bits]).kind, SpaceKind::Memory { caching, writable: false });
        assert!(!one([0, 0, bits]).prefetchable());
    }
}

#[test]
fn what_contradicts_itself_is_skipped_and_what_follows_is_read() {
    let fixed = |base: u32, length: u32| large(6, aml!([1], base.to_le_bytes(), length.to_le_bytes()));
    let cases: [(Vec<u8>, &str); 17] = [
        (space(0x0a, 8, [2, 0, 0], [2, 3, 0, u64::MAX]), "exceeds the address space"),
        (fixed(0xffff_f000, 0x1001), "exceeds the address space"),
        (fixed(0x1000, 0), "length 0"),
        (
            large(5, aml!([1], [0, 0x20, 0, 0], [0, 0x10, 0, 0], [0; 4], [1, 0, 0, 0])),
            "ends before it begins",
        ),
        (large(6, [0; 8]), "is 8 bytes long"),
        (large(1, [0; 8]), "is 8 bytes long"),
        (large(9, [0, 2, 1, 0, 0, 0]), "is 6 bytes long, expected at least 10"),
        (large(9, [0, 0]), "has no interrupt number"),
        (large(2, [0; 11]), "is 11 bytes long"),
        (space(8, 2, [0, 0, 0], [2, 1, 0, 1]), "ends before it begins"),
        (space(8, 2, [0, 0, 0], [0, 0, 0, 0]), "length 0"),
        (space(8, 2, [9, 0, 0], [0, 1, 0, 2]), "unknown address space type 0x09"),
        (space(0x0a, 8, [0, 0, 0], [1, 2, u64::MAX, 2]), "exceeds the address space"),
        (vec![0x22, 0, 0], "has no interrupt number"),
        (vec![0x47, 1, 0xf8, 0xff, 0xf8, 0xff, 1, 9], "exceeds the address space"),
        (vec![0x41, 1], "descriptor 0x08 is 1 bytes long"),
        (vec![0x18], "unknown descriptor 0x03"),
    ];
    for (descriptor, sentence) in cases {
        let (resources, found) = template(aml!(descriptor, fixed(0x1000, 1)));
        assert_eq!(resources, [memory(0x1000, 0x1000, true)], "{sentence}");
        assert_eq!(found.len(), 1, "{sentence}: {found:?}");
        assert!(
            found[0].starts_with("aml-resource \\DEV0._CRS (DSDT, byte 0x") && found[0].contains(sentence),
            "{found:?}"
        );
    }
}

#[test]
fn descriptors_that_nobody_needs_are_skipped_visibly() {
    for descriptor in [
        vec![0x2a, 0, 0],
        vec![0x30],
        vec![0x38],
        vec![0x55, 0, 0, 0, 0, 0],
        vec![0x71, 0],
        large(4, [0; 20]),
        large(0x0c, [0; 30]),
        large(0x0e, [0; 9]),
    ] {
        let (resources, found) = template(&descriptor);
        assert!(
            resources.is_empty() && found.len() == 1 && found[0].contains("is not supported"),
            "{found:?}"
        );
    }
    let (_, found) = template(large(0x7f, [1, 2, 3]));
    assert!(found[0].contains("unknown descriptor 0xff"), "{found:?}");
    // The number of the small end tag is none of the large ones' end.
    let (resources, found) = template(aml!(large(0x0f, [0; 3]), [0x4b, 0x60, 0x00, 1]));
    assert_eq!((resources, found.len()), (vec![io(0x60, 0x60)], 1));
}

#[test]
fn a_wrong_length_does_not_cost_a_window() {
    let (resources, found) = template(space(7, 4, [0, 0, 0], [0x1000, 0x1fff, 0, 0x2000]));
    assert_eq!(resources.len(), 1);
    assert!(found.len() == 1 && found[0].contains("the length 0x2000"), "{found:?}");
}

#[test]
fn an_end_tag_is_needed_and_its_checksum_is_zero_or_right() {
    let end = |bytes: &[u8]| {
        let (device, found) = only_device(name("_CRS", buffer(bytes)));
        (device.crs.len(), lines(&found))
    };
    let port = [0x4b, 0x60, 0x00, 1];
    let sum = port.iter().fold(0x79_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    for checksum in [0, sum] {
        assert_eq!(end(&aml!(port, [0x79, checksum])), (1, vec![]));
    }
    let cases = [
        (aml!(port, [0x79, 7]), "checksum is 0x07"),
        (aml!(port), "has no end tag"),
        (aml!(port, [0x79]), "ends inside a descriptor"),
        (aml!(port, [0x78]), "is 0 bytes long"),
        (aml!(port, [0x86, 9]), "ends inside a descriptor"),
        (aml!(port, [0x86, 9, 0, 1]), "ends inside a descriptor"),
        (aml!(port, END, port), "0x4 bytes after the end tag"),
    ];
    for (bytes, sentence) in cases {
        let (count, found) = end(&bytes);
        assert!(count == 1 && found.len() == 1 && found[0].contains(sentence), "{sentence}: {found:?}");
    }
}

#[test]
fn the_offset_of_a_finding_is_that_of_the_descriptor() {
    let bytes = dsdt(device("DEV0", name("_CRS", buffer(aml!([0x4b, 0x60, 0x00, 1], [0x18], END)))));
    let at = bytes.iter().rposition(|&byte| byte == 0x18).unwrap();
    let found = lines(firmware::acpi::aml::read(&[&bytes]).findings());
    assert!(found[0].contains(&format!("_CRS (DSDT, byte {at:#x}): unknown descriptor")), "{found:?}");
}

#[test]
fn one_template_that_many_use_is_bounded() {
    let template = aml!([0x4b, 0x60, 0x00, 1].repeat(2_000), END);
    let users: Vec<u8> =
        (0..1_000).flat_map(|index| device(&format!("D{index:03}"), name("_CRS", "BUFF"))).collect();
    let namespace = namespace(aml!(name("BUFF", buffer(template)), users));
    let resources: usize = namespace.devices().iter().map(|device| device.crs.len()).sum();
    assert!(resources <= 1 << 18, "{resources}");
    assert!(namespace.findings()[0].sentence.contains("exceed 0x100000 bytes"));
}
