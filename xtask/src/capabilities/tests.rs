use super::*;

/// What QEMUs of Debian answered about `pcie-root-port`, `rocker`, `igb`, `virtio-blk` and the machine, without the
/// descriptions.
const QEMU_7_2: &str = include_str!("answers/7.2.qmp");
const QEMU_10_0: &str = include_str!("answers/10.0.qmp");
const QEMU_11_1: &str = include_str!("answers/11.1.qmp");

fn lacks(answers: &str, requirement: &str) -> Option<String> {
    let known = Capabilities::of_answers(answers).unwrap();
    known.lacks(&Requirement::try_from(requirement.to_owned()).unwrap())
}

#[test]
fn a_property_that_came_or_went_is_missing_where_it_is_not_listed() {
    for (requirement, missing_in) in [
        ("pcie-root-port.disable-acs", [false, false, true]),
        ("pcie-root-port.chassis", [false, false, false]),
        ("rocker.len-ports", [false, true, true]),
        ("rocker.ports", [true, false, false]),
        ("machine.highmem-ecam", [true, false, false]),
        ("machine.default_bus_bypass_iommu", [false, false, false]),
        ("machine.msi", [true, true, false]),
        ("igb", [true, false, false]),
        ("igb.mac", [true, false, false]),
        ("qemu >= 10", [true, false, false]),
        ("qemu >= 7.2", [false, false, false]),
        ("qemu < 11.1", [false, false, true]),
    ] {
        let is = [QEMU_7_2, QEMU_10_0, QEMU_11_1].map(|answers| lacks(answers, requirement).is_some());
        assert_eq!(is, missing_in, "{requirement}");
    }
}

#[test]
fn a_reason_names_the_qemu_and_what_it_does_not_have() {
    let reason = |requirement| lacks(QEMU_7_2, requirement).unwrap();
    assert_eq!(reason("igb.mac"), "QEMU 7.2 does not have igb");
    assert_eq!(reason("rocker.ports"), "QEMU 7.2 does not have the property ports of rocker");
    assert_eq!(reason("machine.msi"), "QEMU 7.2 does not have -M virt,msi=");
    assert_eq!(reason("qemu >= 8.2"), "needs QEMU 8.2 or newer, this is QEMU 7.2");
    assert_eq!(lacks(QEMU_11_1, "qemu < 11").unwrap(), "needs a QEMU older than 11.0, this is QEMU 11.1");
}

#[test]
fn what_was_not_asked_or_not_answered_does_not_count_as_missing() {
    assert_eq!(lacks(QEMU_7_2, "nvme"), None);
    assert_eq!(lacks(QEMU_7_2, "nvme.atomic.dn"), None);
    let cut = QEMU_11_1.split_inclusive('\n').take(2).collect::<String>() + "{\"return\": [{\"na";
    assert_eq!(lacks(&cut, "pcie-root-port.disable-acs"), None);
    let other = r#"{"id": "igb", "error": {"class": "GenericError", "desc": "abstract"}}"#;
    let greeting = QEMU_11_1.lines().next().unwrap();
    assert_eq!(lacks(&format!("{greeting}\n{other}\n"), "igb"), None);
    assert!(Capabilities::of_answers("").is_none());
}

#[test]
fn the_version_has_the_name_of_the_package() {
    let version = |answers| Capabilities::of_answers(answers).unwrap().version;
    assert_eq!(version(QEMU_7_2), "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)");
    let own = r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 1, "major": 9}, "package": ""}, "capabilities": []}}"#;
    assert_eq!(version(own), "9.1.0");
}

#[test]
fn a_list_of_options_is_read_and_an_error_is_not() {
    let help = "virtio-blk-pci options:\n  addr=<str>             - Slot (default: -1)\n  ats=<bool>\n";
    let listed = ask::listed(help).unwrap();
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), ["addr", "ats"]);
    assert_eq!(ask::listed(""), None);
}
