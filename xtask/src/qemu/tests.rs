use super::*;

fn machine(devices: &str) -> Machine {
    Machine {
        program: "qemu".into(),
        devices: devices.split_whitespace().map(String::from).collect(),
        ..Machine::default()
    }
}

#[test]
fn the_command_of_a_bare_machine_has_no_device() {
    let line = machine("").boot(Path::new("/k/Image"), &KernelStart::default(), ReportTo::Us);
    assert_eq!(
        output::shell_line(line),
        "qemu -M virt -cpu cortex-a57 -smp 1 -m 512M -nodefaults -no-user-config -no-reboot -display none \
         -nic none -kernel /k/Image -append 'report=json console=semihosting' -chardev 'stdio,id=uart,signal=off' \
         -serial chardev:uart -chardev 'file,id=report,path=report.json' \
         -semihosting-config 'enable=on,target=native,chardev=report'"
    );
}

#[test]
fn a_command_to_paste_shows_the_report_and_leaves_no_file() {
    for (form, word) in
        [(Form::Text, "text"), (Form::Verbose, "verbose"), (Form::Ktap, "ktap"), (Form::Json, "json")]
    {
        let words = machine("").boot(Path::new("Image"), &KernelStart::default(), ReportTo::Terminal(form));
        let line = output::shell_line(words);
        assert!(line.contains(&format!("-append 'report={word} console=semihosting'")), "{line}");
        assert!(line.ends_with(" -semihosting-config 'enable=on,target=native'"), "{line}");
        assert!(!line.contains(REPORT_FILE), "{line}");
    }
}

#[test]
fn uefi_firmware_starts_the_same_image_with_a_tree_or_with_tables() {
    let line = |firmware| {
        let words = machine("").boot(
            Path::new("/k/Image"),
            &KernelStart { firmware, ..KernelStart::default() },
            ReportTo::Us,
        );
        output::shell_line(words)
    };
    let (tree, tables) = (line(Firmware::UefiDt), line(Firmware::UefiAcpi));
    assert!(tree.starts_with("qemu -M 'virt,acpi=off' "), "{tree}");
    assert!(tables.starts_with("qemu -M virt -cpu "), "{tables}");
    for line in [tree, tables] {
        assert!(line.contains(" -bios /") && line.contains(" -kernel /k/Image -append "), "{line}");
    }
}

#[test]
fn what_is_on_a_disk_is_not_given_to_the_firmware_too() {
    let start = KernelStart { firmware: Firmware::UefiAcpi, disk: true, ..KernelStart::default() };
    let line = output::shell_line(machine("").boot(Path::new("/k/Image"), &start, ReportTo::Us));
    assert!(line.contains("file=fat:disk' -device 'virtio-blk-device,drive=esp,bootindex=0'"), "{line}");
    assert!(line.contains(" -bios /") && !line.contains("-kernel") && !line.contains("-append"), "{line}");
}

#[test]
fn a_report_on_the_serial_port_takes_semihosting_away() {
    let start = KernelStart { console: Console::Pl011, ..KernelStart::default() };
    let line = machine("").boot(Path::new("Image"), &start, ReportTo::Us);
    assert!(!line.iter().any(|word| word.contains("semihosting")), "{line:?}");
    assert!(line.contains(&"report=json console=pl011".into()), "{line:?}");
}

#[test]
fn our_own_words_come_last_because_the_last_one_wins() {
    let append = ["report=text".to_owned(), "iommu.strict=0".to_owned()].into();
    let start = KernelStart { append, own_tree: true, ..KernelStart::default() };
    let line = start.command_line(ReportTo::Us);
    assert_eq!(line, "report=text iommu.strict=0 report=json console=semihosting dtb=tree.dtb");
}

#[test]
fn a_path_other_than_the_usual_one_is_said() {
    let line = |path| KernelStart { path, ..KernelStart::default() }.command_line(ReportTo::Us);
    assert_eq!(line(probe::Path::Fixed), "report=json console=semihosting");
    assert_eq!(line(probe::Path::Legacy), "report=json console=semihosting path=legacy");
}

#[test]
fn the_debugger_that_is_installed_is_named() {
    for (installed, named) in [
        (&["gdb", "aarch64-linux-gnu-gdb"][..], "aarch64-linux-gnu-gdb -ex"),
        (&["gdb"], "gdb -ex"),
        (&["gdb", "gdb-multiarch"], "gdb-multiarch -ex"),
        (&[], "gdb-multiarch -ex"),
    ] {
        let line = gdb_line(Path::new("elf"), |name| installed.contains(&name));
        assert!(line.starts_with(named), "{line}");
    }
}

#[test]
fn a_drive_that_nobody_made_is_made_once() {
    let machine = machine(
        "-device nvme,serial=n,drive=d1 -device virtio-blk-pci,drive=d1 -device x,drive=own \
                           -blockdev null-co,node-name=own",
    );
    assert_eq!(machine.missing_drives(), ["d1"]);
}

#[test]
fn every_form_of_the_iommu_is_recognised_and_taken_away() {
    for device in
        ["virtio-iommu-pci", "virtio-iommu-pci,addr=2.0", "driver=virtio-iommu-device,primary-bus=p"]
    {
        let mut machine = machine(&format!("-device virtio-net-pci -device {device} -device edu"));
        assert!(machine.has_iommu(), "{device}");
        machine.remove_iommu();
        assert_eq!(machine.devices, ["-device", "virtio-net-pci", "-device", "edu"]);
        assert!(!machine.has_iommu());
    }
    assert!(!machine("-device virtio-net-pci,id=virtio-iommu-pci").has_iommu());
}
