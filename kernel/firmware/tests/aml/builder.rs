//! Tables that another program's AML writer makes.

use acpi_tables::Aml;
use acpi_tables::aml::{
    AddressSpace, AddressSpaceCacheable, Device, EISAName, IO, Interrupt, Memory32Fixed, Method, Name, ONE,
    Package, Path, ResourceTemplate, Return, Scope, ZERO,
};

use crate::forge::{dsdt, lines, paths};
use firmware::acpi::aml::{Resource, SpaceKind, Uid, read};

fn bytes(terms: &[&dyn Aml]) -> Vec<u8> {
    let mut bytes = Vec::new();
    terms.iter().for_each(|term| term.to_aml_bytes(&mut bytes));
    dsdt(bytes)
}

#[test]
fn a_host_bridge_of_another_writer_is_read() {
    let buses = AddressSpace::new_bus_number(0x10_u16, 0x1f);
    let ports = AddressSpace::new_io(0_u32, 0xffff, None);
    let low = AddressSpace::new_memory(
        AddressSpaceCacheable::NotCacheable,
        true,
        0x1000_0000_u32,
        0x1fff_ffff,
        None,
    );
    let (first, last, translation) = (0x80_0000_0000_u64, 0x80_ffff_ffff, Some(0x1_0000_0000));
    let high = AddressSpace::new_memory(AddressSpaceCacheable::PreFetchable, false, first, last, translation);
    let port = IO::new(0xcf8, 0xcf8, 1, 8);
    let registers = Memory32Fixed::new(true, 0x900_0000, 0x1000);
    let interrupt = Interrupt::new(true, true, false, false, 33);
    let crs = ResourceTemplate::new(vec![&buses, &ports, &low, &high, &port, &registers, &interrupt]);
    let name = |path: &str, value: &dyn Aml| Name::new(path.into(), value);
    let (hid, cid) = (EISAName::new("PNP0A08"), EISAName::new("PNP0A03"));
    let value = 0xf_u8;
    let returned = Return::new(&value);
    let sta = Method::new("_STA".into(), 0, false, vec![&returned]);
    let (segment, uid) = (3_u16, "PC");
    let ids = Package::new(vec![&cid, &"ACPI0016"]);
    let parts: [Name; 6] = [
        name("_HID", &hid),
        name("_CID", &ids),
        name("_UID", &uid),
        name("_SEG", &segment),
        name("_CCA", &ONE),
        name("_CRS", &crs),
    ];
    let bbn = name("_BBN", &ZERO);
    let mut children: Vec<&dyn Aml> = parts.iter().map(|part| part as &dyn Aml).collect();
    children.extend([&bbn as &dyn Aml, &sta]);
    let device = Device::new("PC10".into(), children);
    let scope = Scope::new(Path::new("_SB_"), vec![&device]);

    let namespace = read(&[&bytes(&[&scope])]);
    assert_eq!(lines(namespace.findings()), [""; 0]);
    assert_eq!(paths(&namespace), ["\\_SB.PC10"]);
    let device = &namespace.devices()[0];
    assert_eq!(device.ids().collect::<Vec<_>>(), ["PNP0A08", "PNP0A03", "ACPI0016"]);
    assert_eq!(device.uid, Some(Uid::Text(String::from("PC"))));
    assert_eq!([device.seg, device.cca, device.bbn, device.sta], [Some(3), Some(1), Some(0), Some(0xf)]);
    let spaces: Vec<_> = device
        .crs
        .iter()
        .filter_map(|resource| match resource {
            Resource::Space(space) => {
                Some((space.kind == SpaceKind::Bus, space.range.start(), space.cpu_range()?.end().0))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        spaces,
        [
            (true, 0x10, 0x1f),
            (false, 0, 0xffff),
            (false, 0x1000_0000, 0x1fff_ffff),
            (false, 0x80_0000_0000, 0x81_ffff_ffff)
        ]
    );
    assert_eq!(device.crs.len(), 7);
    assert!(
        device
            .crs
            .iter()
            .any(|resource| matches!(resource, Resource::Interrupts(own) if own.numbers == [33]))
    );
}
