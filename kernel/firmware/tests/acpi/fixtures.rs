//! Tables of real machines, through the table loader, and what each must be read as.

use addr::{CpuAffinity, DeviceFunction, PciSpace, PhysAddr, Range};
use firmware::acpi::Tables;
use firmware::acpi::table_loader::{Loaded, run};
use firmware::{Console, FunctionBus, FunctionNode, PlatformBus, PsciConduit};
use probe::{Translation, Untranslated};

use crate::loader::Files;
use crate::machine::{Machine, read_tables};

/// The files of one machine.
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) script: &'static [u8],
    pub(crate) rsdp: &'static [u8],
    pub(crate) tables: &'static [u8],
}

macro_rules! fixtures {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(crate) const $name: Fixture = Fixture {
            name: $file,
            script: include_bytes!(concat!("../fixtures/acpi/", $file, ".loader")),
            rsdp: include_bytes!(concat!("../fixtures/acpi/", $file, ".rsdp")),
            tables: include_bytes!(concat!("../fixtures/acpi/", $file, ".tables")),
        };)*
        /// All of them.
        pub(crate) const ALL: &[Fixture] = &[$($name),*];
    };
}

fixtures! {
    PLAIN = "plain",
    IOMMU = "iommu",
    UNNUMBERED = "iommu-unnumbered",
    PXB = "pxb",
    PXB_BYPASS = "pxb-bypass",
    DEFAULT_BYPASS = "default-bypass",
    SMMUV3 = "smmuv3",
    GICV3 = "gicv3",
}

impl Fixture {
    pub(crate) fn load(&self) -> Loaded {
        let loaded = run(self.script, &mut Files::of(self)).unwrap();
        assert_eq!(loaded.findings, [], "{}", self.name);
        loaded
    }

    pub(crate) fn tables(&self) -> Tables {
        let loaded = self.load();
        Tables::gather(loaded.rsdp, &loaded).unwrap()
    }

    pub(crate) fn read(&self) -> Machine {
        read_tables(&self.tables())
    }
}

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

fn nowhere<T>(why: Untranslated) -> Result<T, Translation> {
    Err(Translation::Nowhere(why))
}

const IOMMU_NODE: &str = "VIOT node at 0x30 (0000:00:01.0)";

#[test]
fn every_table_of_a_real_machine_passes_the_gate() {
    for fixture in ALL {
        let tables = fixture.tables();
        assert_eq!(tables.findings(), [], "{}", fixture.name);
        let names: Vec<_> = tables.all().iter().map(|table| table.name()).collect();
        for name in ["FACP", "APIC", "GTDT", "MCFG", "SPCR", "DSDT"] {
            assert!(names.iter().any(|own| own == name), "{}: {name} in {names:?}", fixture.name);
        }
    }
}

#[test]
fn a_plain_machine_is_described_without_findings() {
    let machine = PLAIN.read();
    let description = &machine.description;
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(description.memory, [bytes(0x4000_0000, 128 << 20)]);
    assert_eq!(description.console, Some(Console::Pl011(bytes(0x900_0000, 0x1000))));
    assert_eq!(description.psci, Some(PsciConduit::Hvc));
    assert_eq!(description.cpus, 1);
    let [bridge] = &description.host_bridges[..] else { panic!() };
    assert_eq!((bridge.name.as_str(), bridge.segment), ("PNP0A08:00", 0));
    assert_eq!((bridge.first_bus, bridge.last_bus), (0, 255));
    assert_eq!(bridge.ecam, bytes(0x40_1000_0000, 256 << 20));
    assert_eq!(bridge.functions, []);
    let windows: Vec<_> =
        bridge.windows.iter().map(|window| (window.space, window.bus_start, window.cpu)).collect();
    assert_eq!(
        windows,
        [
            (PciSpace::Memory32, 0x1000_0000, bytes(0x1000_0000, 0x2eff_0000)),
            (PciSpace::Io, 0, bytes(0x3eff_0000, 0x1_0000)),
            (PciSpace::Memory64, 0x80_0000_0000, bytes(0x80_0000_0000, 0x80_0000_0000)),
        ]
    );
    assert_eq!(machine.function(0, &[0x10]), nowhere(Untranslated::NoIommu));
}

#[test]
fn platform_devices_have_linux_acpi_names_in_the_order_of_the_namespace() {
    let machine = PLAIN.read();
    let devices = &machine.description.platform_devices;
    let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names[..3], ["ARMH0011:00", "QEMU0002:00", "LNRO0005:00"]);
    assert_eq!(names[33], "LNRO0005:1f");
    // Without firmware QEMU wires the power button to a PL061 and not to an ACPI0013.
    assert_eq!(names[34..], ["ARMH0061:00", "PNP0C0C:00"]);
    assert_eq!(devices[34].bus, PlatformBus::Amba);
    assert!(devices[..34].iter().all(|device| device.bus == PlatformBus::Platform));
    assert_eq!(devices[2].registers, [bytes(0xa00_0000, 0x200)]);
    assert_eq!(devices[33].registers, [bytes(0xa00_3e00, 0x200)]);
    assert_eq!(devices[2].compatible, ["LNRO0005"]);
}

#[test]
fn numbered_buses_are_all_in_the_map() {
    let machine = IOMMU.read();
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]), Ok(vec![(IOMMU_NODE.into(), 0x10)]));
    assert_eq!(machine.function(0, &[0x1ff]), Ok(vec![(IOMMU_NODE.into(), 0x1ff)]));
    assert_eq!(machine.function(0, &[0x200]), nowhere(Untranslated::NotInMap));
    let [bridge] = &machine.description.host_bridges[..] else { panic!() };
    let [FunctionNode { bus: FunctionBus::Number(0), place, enabled: true, .. }] = bridge.functions[..]
    else {
        panic!()
    };
    assert_eq!(place, DeviceFunction::new(1, 0).unwrap());
}

#[test]
fn buses_numbered_too_late_are_not_in_the_map() {
    let machine = UNNUMBERED.read();
    assert!(machine.function(0, &[0xff]).is_ok());
    assert_eq!(machine.function(0, &[0x100]), nowhere(Untranslated::NotInMap));
}

#[test]
fn an_extra_host_bridge_comes_first_and_has_its_own_buses() {
    let machine = PXB.read();
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    let bridges: Vec<_> = machine
        .description
        .host_bridges
        .iter()
        .map(|bridge| (bridge.name.as_str(), bridge.first_bus, bridge.last_bus, bridge.ecam.start().0))
        .collect();
    assert_eq!(
        bridges,
        [("PNP0A08:00", 0x20, 0x21, 0x40_1200_0000), ("PNP0A08:01", 0, 0x1f, 0x40_1000_0000)]
    );
    assert_eq!(machine.function(0, &[0x2000]), Ok(vec![("VIOT node at 0x30 (0000:00:01.0)".into(), 0x2000)]));
    assert!(machine.function(0, &[0x2100]).is_ok());
    assert_eq!(machine.function(0, &[0x2200]), nowhere(Untranslated::NotInMap));
}

#[test]
fn a_bypassing_extra_host_bridge_bypasses_and_the_other_does_not() {
    let machine = PXB_BYPASS.read();
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    let bridges = &machine.description.host_bridges;
    let ids = |id| probe::InputIds::Requesters(vec![addr::RequesterId(id)]);
    assert_eq!(machine.endpoints(bridges[0].node, &ids(0x2000)), nowhere(Untranslated::BusBypasses));
    assert!(machine.endpoints(bridges[1].node, &ids(0x10)).is_ok());
}

#[test]
fn a_machine_whose_buses_all_bypass_says_that_nobody_uses_the_iommu() {
    let machine = DEFAULT_BYPASS.read();
    assert_eq!(machine.finding_ids(), ["iommu-unreferenced"]);
    assert_eq!(machine.function(0, &[0x10]), nowhere(Untranslated::BusBypasses));
    assert_eq!(machine.description.host_bridges[0].functions.len(), 1);
}

#[test]
fn an_smmu_is_named_for_the_requester_ids_that_lead_to_it() {
    let machine = SMMUV3.read();
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    let iommu = machine.function(0, &[0x10]).unwrap();
    let [(name, 0x10)] = &iommu[..] else { panic!("{iommu:?}") };
    assert!(name.starts_with("SMMUv3 at 0x9050000 (IORT node at 0x"), "{name}");
}

#[test]
fn an_iort_that_leads_to_interrupts_alone_leaves_the_viot_its_turn() {
    let machine = GICV3.read();
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]), Ok(vec![(IOMMU_NODE.into(), 0x10)]));
    assert_eq!(machine.description.cpus, 2);
    assert_eq!(machine.description.affinities, [0, 1].map(CpuAffinity::of_mpidr));
}

#[test]
fn acs_is_asked_for_by_a_viot_and_by_an_iort_that_leads_to_an_smmu() {
    for (fixture, asked) in [(PLAIN, false), (IOMMU, true), (DEFAULT_BYPASS, true), (SMMUV3, true)] {
        assert_eq!(fixture.read().description.requests_acs, asked, "{}", fixture.name);
    }
}
