//! Nodes of PCI functions: on the root bus, behind bridges, inside "multifunc-device".

use addr::DeviceFunction;
use firmware::{FunctionBus, FunctionNode};
use probe::FirmwareMap;

use crate::tree::{Machine, Node, host_bridge, machine, node};

/// A node with a whole `reg`; `first` is its first cell.
fn function(name: &str, first: u32) -> Node {
    node(name).cells("reg", &[first, 0, 0, 0, 0])
}

fn place(device: u8, function: u8) -> DeviceFunction {
    DeviceFunction::new(device, function).unwrap()
}

/// Path below the host bridge, place, status, in their order.
fn functions(machine: &Machine) -> Vec<(String, DeviceFunction, bool)> {
    let [bridge] = &machine.description.host_bridges[..] else { panic!() };
    let of = |entry: &FunctionNode| {
        let path = machine.map.name(entry.node);
        let below = path.strip_prefix("/pcie@10000000/").unwrap();
        (below.to_string(), entry.place, entry.enabled)
    };
    bridge.functions.iter().map(of).collect()
}

#[test]
fn functions_are_found_by_the_device_and_function_of_reg_alone() {
    let bridge = host_bridge()
        .child(function("a@1,2", 0x0a00))
        .child(function("b@1f,7", 0x8305_ff00).text("status", "disabled"))
        .child(node("none"))
        .child(function("twice@1,2", 0x0a10))
        .child(node("short").bytes("reg", &[0, 0]));
    let machine = machine([bridge]);
    let expected = [("a@1,2".into(), place(1, 2), true), ("b@1f,7".into(), place(31, 7), false)];
    assert_eq!(functions(&machine), expected);
    let expected = ["/pcie@10000000/twice@1,2:reg", "/pcie@10000000/short:reg"]
        .map(|path| ("pci-child-malformed", path));
    assert_eq!(machine.findings(), expected);
}

#[test]
fn functions_behind_a_bridge_are_known_by_the_bridges_node() {
    let port = function("port@3,0", 0x1800).child(function("dev@0,0", 0x1_0000).text("status", "disabled"));
    let machine = machine([host_bridge().child(port).child(function("dev@0,0", 0))]);
    assert_eq!(
        functions(&machine),
        [
            ("port@3,0".into(), place(3, 0), true),
            ("dev@0,0".into(), place(0, 0), true),
            ("port@3,0/dev@0,0".into(), place(0, 0), false)
        ]
    );
    let functions = &machine.description.host_bridges[0].functions;
    let buses: Vec<_> = functions.iter().map(|entry| entry.bus).collect();
    let root = FunctionBus::Number(0);
    assert_eq!(buses, [root, root, FunctionBus::Behind(machine.at("/pcie@10000000/port@3,0"))]);
    assert_eq!(machine.findings(), []);
}

#[test]
fn the_functions_inside_a_multifunction_node_are_on_the_bus_around_it() {
    let inner = function("iommu@1,0", 0x800).cells("#iommu-cells", &[1]);
    let around = node("multifunc-device").child(inner).child(function("second@1,1", 0x900));
    let other = node("another-device").child(function("lost@2,0", 0x1000));
    let machine = machine([host_bridge().child(around).child(other)]);
    assert_eq!(
        functions(&machine),
        [
            ("multifunc-device/iommu@1,0".into(), place(1, 0), true),
            ("multifunc-device/second@1,1".into(), place(1, 1), true)
        ]
    );
    assert!(machine.description.host_bridges[0].functions[0].is_iommu);
}

#[test]
fn a_reg_that_is_shorter_than_a_pci_address_and_size_is_not_that_of_a_function() {
    let short = node("iommu@1,0").cells("reg", &[0x800, 0, 0]).cells("#iommu-cells", &[1]);
    let long = node("net@2,0").cells("reg", &[0x1000, 0, 0, 0, 0, 0x200_1010, 0, 0, 0, 0x1000]);
    let hub = node("hub@1").cells("reg", &[1]);
    let machine = machine([host_bridge().child(short).child(long.child(hub))]);
    assert_eq!(functions(&machine), [("net@2,0".into(), place(2, 0), true)]);
    let expected = [("pci-child-malformed", "/pcie@10000000/iommu@1,0:reg")];
    assert!(machine.findings().starts_with(&expected), "{:?}", machine.findings());
    assert!(!machine.findings().iter().any(|(_, path)| path.contains("hub")), "another bus's address");
}
