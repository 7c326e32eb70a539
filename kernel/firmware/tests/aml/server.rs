//! A DSDT in the shape of Arm servers and boards: methods that compute what they return, link devices, `_OSC`, `_DSM`,
//! power resources, thermal zones. What is expected is what `acpiexec` evaluates.

use firmware::acpi::aml::{AmlDevice, Namespace, Resource, SpaceKind, Uid, read};

use crate::forge::{lines, paths};

const SERVER: &[u8] = include_bytes!("fixtures/server.aml");

fn device<'n>(namespace: &'n Namespace, path: &str) -> &'n AmlDevice {
    namespace.device(path).unwrap_or_else(|| panic!("{path} is lost"))
}

#[test]
fn no_device_and_no_object_is_lost() {
    let namespace = read(&[SERVER]);
    let expected = [
        "\\_SB.SYSC",
        "\\_SB.SYSC.CL00",
        "\\_SB.SYSC.CL00.CP00",
        "\\_SB.SYSC.ICH0",
        "\\_SB.SYSC.RGST",
        "\\_SB.SYSC.UIDL",
        "\\_SB.SYSC.FIXD",
        "\\_SB.SYSC.LATE",
        "\\_SB.LNKA",
        "\\_SB.PCI0",
        "\\_SB.PCI0.RP0",
        "\\_SB.PCI0.RP0.NIC0",
        "\\_SB.PCI0.RES0",
        "\\_SB.PCI1",
        "\\_TZ.TZ00.FAN0",
        "\\CPU0.INCP",
    ];
    assert_eq!(paths(&namespace), expected);
    let unread: Vec<_> = namespace.devices().iter().filter(|device| !device.unread.is_empty()).collect();
    let unread: Vec<_> =
        unread.iter().map(|device| (device.path.as_str(), device.unread.as_slice())).collect();
    assert_eq!(unread, [("\\_SB.SYSC.RGST", ["_STA"].as_slice())]);
    // Descriptors of _CRS that are not used, and the status that a register has.
    let found = lines(namespace.findings());
    let (skipped, other): (Vec<_>, Vec<_>) = found.iter().partition(|line| line.starts_with("aml-resource"));
    assert!(
        skipped.len() == 4 && skipped.iter().all(|line| line.contains("is not supported")),
        "{skipped:?}"
    );
    assert!(other.len() == 1 && other[0].starts_with("aml-unknown \\_SB.SYSC.RGST"), "{other:?}");
}

#[test]
fn methods_of_devices_give_what_acpiexec_says() {
    let namespace = read(&[SERVER]);
    let at = |path| device(&namespace, path);
    assert_eq!((at("\\_SB.SYSC").sta, at("\\_SB.SYSC.FIXD").sta), (Some(0xf), Some(0xb)));
    assert_eq!(at("\\_SB.SYSC.RGST").uid, Some(Uid::Text(String::from("U0000000000000020"))));
    assert_eq!(
        (&at("\\_SB.SYSC.UIDL").uid, at("\\_SB.SYSC.UIDL").adr),
        (&Some(Uid::Number(0x6e)), Some(0x30))
    );
    assert_eq!(at("\\_SB.SYSC.FIXD").cids, ["ARMH0013", "PNP0501"]);
    assert_eq!((at("\\_SB.PCI1").sta, at("\\_SB.PCI1").is_reached), (Some(0), false));
    let root = at("\\_SB.PCI0");
    assert_eq!(
        (root.seg, root.bbn, root.cba, root.sta),
        (Some(2), Some(0), Some(0x3400_1000_0000), Some(0xf))
    );
    assert_eq!(
        (&root.cids, at("\\_SB.PCI0.RP0").sta),
        (&vec!["PNP0A03".into(), "ACPI0016".into()], Some(0xf))
    );
}

/// Kind, first and last address, and translation of each descriptor.
fn resources(device: &AmlDevice) -> Vec<(&'static str, u64, u64, u64)> {
    let one = |resource: &Resource| match resource {
        Resource::Memory { range, .. } => ("fixed", range.start().0, range.end().0, 0),
        Resource::Interrupts(own) => ("interrupts", own.numbers[0].into(), own.numbers.len() as u64, 0),
        Resource::Space(space) => {
            let kind = match space.kind {
                SpaceKind::Bus => "bus",
                SpaceKind::Io => "io",
                SpaceKind::Memory { .. } => "memory",
            };
            (kind, space.range.start(), space.range.end(), space.translation)
        }
        other => panic!("{other:?}"),
    };
    device.crs.iter().map(one).collect()
}

#[test]
fn templates_have_what_methods_write_into_their_fields() {
    let namespace = read(&[SERVER]);
    let at = |path| resources(device(&namespace, path));
    let bus = [
        ("fixed", 0xfe20_0000, 0xfe20_1fff, 0),
        ("memory", 0x1000_0000_0000, 0x1000_000f_ffff, 0),
        ("interrupts", 0x22, 1, 0),
    ];
    assert_eq!(at("\\_SB.SYSC.ICH0"), bus);
    let root = [
        ("bus", 0, 0x7f, 0),
        ("memory", 0x2000_0000, 0x2fff_ffff, 0),
        ("memory", 0x3000_0000_0000, 0x33ff_dfff_ffff, 0),
        ("io", 0, 0xffff, 0x2fff_0000),
        ("fixed", 0x4000_0000, 0x4000_0fff, 0),
    ];
    assert_eq!(at("\\_SB.PCI0"), root);
    assert_eq!(at("\\_SB.LNKA"), [("interrupts", 0x80, 1, 0)]);
}
