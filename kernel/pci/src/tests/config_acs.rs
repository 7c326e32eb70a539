//! ACS settings of the command line.

extern crate std;

use std::string::String;
use std::vec::Vec;

use super::model::{Model, On, partition, virt_root};
use crate::{ConfigAcs, FunctionKind, config_acs, enable_acs, enumerate};

/// Returns the ACS control registers of two root ports with a device behind each, the groups, and the unused entries.
fn configured(list: &str) -> (u32, u32, String, Vec<String>) {
    let mut model = Model::virt();
    let first = model.root_port(On::Root(0), 2);
    model.device(On::Behind(first), 0, 0, FunctionKind::Endpoint);
    let second = model.root_port(On::Root(0), 3);
    model.device(On::Behind(second), 0, 0, FunctionKind::Endpoint);
    let mut topology = enumerate(&mut model, &[virt_root()]);
    let (choice, _) = ConfigAcs::parse(list);
    let unused = config_acs(&mut model, &mut topology, &choice);
    enable_acs(&mut model, &mut topology);
    let control = |port: usize| model.cards[port].get32(0x104) >> 16;
    (control(first), control(second), partition(&topology), unused)
}

const APART: &str = "00.0 | 02.0 | 03.0 | 01:00.0 | 02:00.0";
const FIRST_JOINED: &str = "00.0 | 02.0 01:00.0 | 03.0 | 02:00.0";

#[test]
fn masked_bits_have_the_values_of_the_user_and_others_those_of_firmware() {
    for (list, first, groups) in [
        ("0000000@0000:00:02.0", 0, FIRST_JOINED),
        ("xxx11xx@00:02.0", 0xc, FIRST_JOINED),
        ("xxxxxxx@0:0:2.0", 0, FIRST_JOINED),
        ("0011101@00:02.0", 0x1d, APART),
        ("11101@00:02.0", 0x1d, APART),
        // Egress control is not implemented and cannot be enabled.
        ("0111101@00:02.0", 0x1d, APART),
        // The first entry that matches is used.
        ("0011101@00:02.0;0000000@00:02.0", 0x1d, APART),
    ] {
        let (control, other, partition, _) = configured(list);
        assert_eq!((control, other, &*partition), (first, 0x1d, groups), "{list}");
    }
}

#[test]
fn devices_are_selected_by_address_path_or_ids() {
    let (first, second, _, unused) = configured("0@pci:0000:0000");
    assert_eq!((first, second), (0, 0));
    assert!(unused.is_empty());
    // A device behind the port has no ACS capability.
    let (first, second, _, unused) = configured("0@pci:ffff:0001;0@00:02.0/00.0;0@1:00:02.0;0@00:04.0");
    assert_eq!((first, second), (0x1d, 0x1d));
    assert_eq!(unused, ["0@pci:ffff:0001", "0@00:02.0/00.0", "0@1:00:02.0", "0@00:04.0"]);
}

#[test]
fn an_invalid_entry_ends_the_list() {
    for bad in [
        "",
        "@",
        "00:02.0",
        "0",
        "2@00:02.0",
        "10000000@00:02.0",
        "0@00:02",
        "0@00:20.0",
        "0@00:02.8",
        "0@pci:1",
        "0@pci:1:2:3",
        "0@+0:02.0",
        "0@:02.0",
        "0@0:0:0:2.0",
        "0@00:02.0/",
        "11111111111111111111111111@00:02.0",
    ] {
        assert!(ConfigAcs::parse(bad).1.is_some(), "{bad:?}");
        let list = std::format!("xxxxxx0@00:02.0;{bad};0@00:03.0");
        let (first, second, ..) = configured(&list);
        assert_eq!((first, second), (0, 0x1d), "{list}");
    }
    assert_eq!(ConfigAcs::parse("xxxxxxxxxxxxxxxxxxxx0@00:02.0").1, None);
}
