use super::*;

fn subject(text: &str, firmware: Firmware) -> Result<Subject, &'static str> {
    let topology = Topology::parse("x", &format!("probes = \"x\"\n{text}")).unwrap();
    Subject::of(&topology, firmware, "qemu", "")
}

#[test]
fn the_command_line_has_the_topologys_words_as_linux_has_them() {
    let by_tree = subject("append = \"sriov=7 iommu.passthrough=1\"", Firmware::Dt).unwrap();
    assert!(
        by_tree.command_line.ends_with(" acpi=off iogroups.vfs=7 iommu.passthrough=1"),
        "{}",
        by_tree.command_line
    );
    let by_tables = subject("", Firmware::UefiAcpi).unwrap();
    assert!(by_tables.command_line.ends_with(" acpi=force"));
    assert_eq!((&*by_tree.id, &*by_tables.id), ("x", "x@uefi-acpi"));
}

#[test]
fn what_is_about_our_kernel_alone_is_left_out_with_a_reason() {
    for text in [
        "path = \"legacy\"",
        "append = \"drivers=-e1000e\"",
        "append = \"smp-test=1\"",
        "order = \"seed:1\"",
        "firmware = \"acpi\"",
        "args = \"-icount shift=0\"",
        "[[tree]]\nedit = \"delete-node\"\nnode = \"/pl011@9000000\"",
    ] {
        assert!(subject(text, Firmware::Dt).is_err(), "{text}");
    }
    assert!(subject("machine = \"acpi=off\"", Firmware::Dt).is_ok());
    assert!(subject("machine = \"acpi=off\"", Firmware::UefiAcpi).is_err());
}

#[test]
fn many_of_our_topologies_are_for_linux_too() {
    let all = Topology::all(&crate::topology::directory()).unwrap();
    let subjects = all.into_iter().flatten().filter(|one| Subject::of(one, Firmware::Dt, "qemu", "").is_ok());
    let count = subjects.count();
    assert!(count > 60, "{count}");
}

#[test]
fn answers_are_recorded_under_the_name_that_the_topology_has_for_this_qemu() {
    let text = |condition: &str| {
        format!(
            "[expect]\nlinux = \"y\"\n[[when]]\n{condition} = [\"qemu < 8\"]\nwhy = \"x\"\nexpect = {{ linux = \"x-old\" }}"
        )
    };
    let prefix = |text: &str, firmware| {
        let mut subject = subject(text, firmware).unwrap();
        // A QEMU of no version is older than all.
        subject.find_recorded(&Capabilities::default()).unwrap();
        subject.recorded_prefix()
    };
    assert_eq!(prefix(&text("lacks"), Firmware::Dt), "x.dt.");
    assert_eq!(prefix(&text("lacks"), Firmware::UefiAcpi), "x.acpi.");
    assert_eq!(prefix(&text("has"), Firmware::UefiAcpi), "x-old.acpi.");
}
