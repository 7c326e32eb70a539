//! The trees of real machines, and what each must be read as.

use addr::{CpuAffinity, DeviceFunction, PciSpace, PhysAddr, Range, RequesterId};
use firmware::{Console, FunctionBus, FunctionNode, PlatformBus, PsciConduit};
use probe::{FirmwareMap, InputIds, Translation, Untranslated};

use crate::tree::{Machine, read};

macro_rules! fixtures {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(crate) const $name: &[u8] = include_bytes!(concat!("../fixtures/", $file));)*
        /// All of them, by file name.
        pub(crate) const ALL: &[(&str, &[u8])] = &[$(($file, $name)),*];
    };
}

fixtures! {
    PLAIN = "plain.dtb",
    IOMMU = "iommu.dtb",
    GICV3 = "gicv3.dtb",
    LOW_ECAM = "low-ecam.dtb",
    EL2 = "el2.dtb",
    SMMUV3 = "smmuv3.dtb",
    SECURE = "secure.dtb",
    NUMA = "numa.dtb",
}

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

/// Endpoint of one function, with the IOMMU's path.
fn endpoint(machine: &Machine, requester: u16) -> Option<(String, u32)> {
    let ids = InputIds::Requesters(vec![RequesterId(requester)]);
    match machine.map.translate(machine.description.host_bridges[0].node, &ids).unwrap() {
        Translation::Endpoints(list) => {
            assert_eq!(list.len(), 1);
            assert_eq!(list[0].input, Some(RequesterId(requester)));
            assert_eq!(list[0].source, "iommu-map");
            Some((machine.map.name(list[0].iommu), list[0].endpoint.0))
        }
        Translation::Nowhere(reason) => {
            assert_eq!(reason, Untranslated::NotInMap);
            None
        }
    }
}

#[test]
fn a_plain_machine_is_described_without_findings() {
    let machine = read(PLAIN);
    let description = &machine.description;
    assert_eq!(machine.findings(), []);
    assert_eq!(description.memory, [bytes(0x4000_0000, 128 << 20)]);
    assert_eq!(description.reserved, []);
    assert_eq!(description.command_line, "");
    assert_eq!(description.console, Some(Console::Pl011(bytes(0x900_0000, 0x1000))));
    assert_eq!(description.psci, Some(PsciConduit::Hvc));
    assert_eq!(description.cpus, 1);
}

#[test]
fn no_real_machine_gives_a_finding() {
    for (name, blob) in ALL {
        assert_eq!(read(blob).findings(), [], "{name}");
    }
}

#[test]
fn the_host_bridge_has_ecam_buses_and_windows() {
    let machine = read(IOMMU);
    let [bridge] = &machine.description.host_bridges[..] else { panic!("one host bridge") };
    assert_eq!(machine.map.name(bridge.node), "/pcie@10000000");
    assert_eq!(bridge.name, "4010000000.pcie");
    assert_eq!((bridge.segment, bridge.first_bus, bridge.last_bus), (0, 0, 0xff));
    assert_eq!(bridge.ecam, bytes(0x40_1000_0000, 256 << 20));
    let windows: Vec<_> = bridge
        .windows
        .iter()
        .map(|window| (window.space, window.prefetchable, window.bus_start, window.cpu))
        .collect();
    let expected = [
        (PciSpace::Io, false, 0, bytes(0x3eff_0000, 0x1_0000)),
        (PciSpace::Memory32, false, 0x1000_0000, bytes(0x1000_0000, 0x2eff_0000)),
        (PciSpace::Memory64, false, 0x80_0000_0000, bytes(0x80_0000_0000, 0x80_0000_0000)),
    ];
    assert_eq!(windows, expected);
    let iommu = machine.at("/pcie@10000000/virtio_iommu@3,0");
    let place = DeviceFunction::new(3, 0).unwrap();
    let expected = FunctionNode {
        bus: FunctionBus::Number(0),
        place,
        node: iommu,
        enabled: true,
        is_iommu: true,
        external_facing: false,
    };
    assert_eq!(bridge.functions, [expected]);
    assert!(machine.map.is_iommu(iommu) && machine.map.is_available(iommu));
    assert_eq!(machine.map.compatible(iommu).collect::<Vec<_>>(), ["virtio,pci-iommu", "pci1af4,1057"]);
}

#[test]
fn qemus_map_leads_every_function_but_the_iommu_to_the_iommu() {
    let machine = read(IOMMU);
    for requester in 0..=u16::MAX {
        let expected = (requester != 0x18)
            .then(|| ("/pcie@10000000/virtio_iommu@3,0".to_string(), u32::from(requester)));
        assert_eq!(endpoint(&machine, requester), expected, "{requester:#x}");
    }
}

#[test]
fn the_low_ecam_has_16_buses() {
    let machine = read(LOW_ECAM);
    let bridge = &machine.description.host_bridges[0];
    assert_eq!(bridge.name, "3f000000.pcie");
    assert_eq!((bridge.first_bus, bridge.last_bus), (0, 15));
    assert_eq!(bridge.ecam, bytes(0x3f00_0000, 16 << 20));
}

#[test]
fn an_smmu_is_a_platform_device_and_the_target_of_the_map() {
    let machine = read(SMMUV3);
    assert!(machine.names().contains(&"9050000.smmuv3"));
    assert_eq!(endpoint(&machine, 0x18), Some(("/smmuv3@9050000".into(), 0x18)));
}

#[test]
fn with_el2_psci_is_called_by_smc_and_8_gib_are_one_range() {
    let machine = read(EL2);
    assert_eq!(machine.description.psci, Some(PsciConduit::Smc));
    assert_eq!(machine.description.memory, [bytes(0x4000_0000, 8 << 30)]);
}

#[test]
fn secure_ram_and_devices_are_not_ours() {
    let machine = read(SECURE);
    assert_eq!(machine.description.memory, [bytes(0x4000_0000, 128 << 20)]);
    let names = machine.names();
    assert!(names.contains(&"9000000.pl011") && !names.contains(&"9040000.pl011"), "{names:?}");
    assert!(!names.contains(&"gpio-restart"), "{names:?}");
}

#[test]
fn neighbouring_memory_nodes_are_joined_and_cpus_counted() {
    let machine = read(NUMA);
    assert_eq!(machine.description.memory, [bytes(0x4000_0000, 256 << 20)]);
    assert_eq!(machine.description.cpus, 2);
    assert_eq!(machine.description.affinities, [0, 1].map(CpuAffinity::of_mpidr));
    assert_eq!(read(GICV3).description.cpus, 2);
}

#[test]
fn the_command_line_comes_from_chosen() {
    assert_eq!(read(IOMMU).description.command_line, "path=fixed console=pl011");
}

#[test]
fn platform_devices_are_those_of_linux_in_its_order() {
    let machine = read(IOMMU);
    let mut expected: Vec<String> =
        vec!["psci".into(), "platform-bus@c000000".into(), "9020000.fw-cfg".into()];
    expected.extend((0..32).map(|slot| format!("{:x}.virtio_mmio", 0xa00_0000 + slot * 0x200)));
    expected.extend(
        [
            "gpio-keys",
            "9030000.pl061",
            "4010000000.pcie",
            "9010000.pl031",
            "9000000.pl011",
            "pmu",
            "0.flash",
            "timer",
        ]
        .map(String::from),
    );
    assert_eq!(machine.names(), expected);
    let amba: Vec<_> =
        machine.description.platform_devices.iter().filter(|it| it.bus == PlatformBus::Amba).collect();
    assert_eq!(
        amba.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
        ["9030000.pl061", "9010000.pl031", "9000000.pl011"]
    );
    assert_eq!(amba[2].compatible, ["arm,pl011", "arm,primecell"]);
    let flash = machine.description.platform_devices.iter().find(|it| it.name == "0.flash").unwrap();
    assert_eq!(flash.registers, [bytes(0, 64 << 20), bytes(64 << 20, 64 << 20)]);
}

#[test]
fn without_an_iommu_every_device_has_the_same_reason() {
    let machine = read(PLAIN);
    let bridge = machine.description.host_bridges[0].node;
    let requesters = InputIds::Requesters(vec![RequesterId(8)]);
    for (node, ids) in
        [(bridge, requesters), (bridge, InputIds::Node), (machine.at("/virtio_mmio@a000000"), InputIds::Node)]
    {
        assert_eq!(machine.map.translate(node, &ids), Ok(Translation::Nowhere(Untranslated::NoIommu)));
    }
}

#[test]
fn a_platform_device_without_iommus_is_not_in_the_map() {
    let machine = read(IOMMU);
    let answer = machine.map.translate(machine.at("/virtio_mmio@a000000"), &InputIds::Node);
    assert_eq!(answer, Ok(Translation::Nowhere(Untranslated::NotInMap)));
}
