use std::process::Command;

use clap::Parser;
use report::{Console, Firmware};

use super::*;
use crate::cli::{Cli, Command as Subcommand};
use crate::image::{Binary, Kernel};
use crate::outcome::Kind;
use crate::qemu::Rounds;

fn boot(line: &str) -> Result<Boot, Stop> {
    let words = ["xtask", "qemu"].into_iter().chain(line.split_whitespace());
    let Ok(Cli { command: Subcommand::Qemu(options) }) = Cli::try_parse_from(words) else {
        return Err(Stop::usage("clap"));
    };
    boot_of(&options, "qemu")
}

fn devices(line: &str) -> Vec<String> {
    boot(line).unwrap().machine.devices.into_iter().filter(|word| word != "-device").collect()
}

#[test]
fn the_default_machine_has_an_iommu_and_a_few_devices() {
    assert_eq!(devices("")[0], "virtio-iommu-pci");
    assert!(devices("").len() > 2);
}

#[test]
fn the_iommu_can_be_taken_away_and_added_whatever_the_topology_says() {
    assert!(!devices("--iommu off").contains(&"virtio-iommu-pci".into()));
    assert!(!devices("--iommu off --topology flat").contains(&"virtio-iommu-pci".into()));
    assert_eq!(devices("--iommu on --topology no-iommu")[0], "virtio-iommu-pci");
    assert!(!devices("--topology no-iommu").contains(&"virtio-iommu-pci".into()));
}

#[test]
fn an_iommu_among_the_qemu_arguments_counts() {
    let devices = devices("--iommu on --topology no-iommu -- -device virtio-iommu-pci,addr=1f");
    let iommus: Vec<_> = devices.iter().filter(|device| device.contains("iommu")).collect();
    assert_eq!(iommus, ["virtio-iommu-pci,addr=1f"]);
}

#[test]
fn a_bare_machine_has_only_what_follows() {
    assert!(devices("--bare").is_empty());
    assert_eq!(devices("--bare -- -device virtio-iommu-pci"), ["virtio-iommu-pci"]);
    let words =
        boot("--bare").unwrap().machine.boot(Path::new("Image"), &KernelStart::default(), ReportTo::Us);
    assert!(!words.contains(&"-device".into()));
}

#[test]
fn options_reach_the_command() {
    let line = "--machine gic-version=3,its=off --machine highmem=off --cpu max --smp 4 --memory 1G --append iommu.strict=0 --gdb --console pl011";
    let boot = boot(line).unwrap();
    let words = boot.machine.boot(Path::new("Image"), &boot.start, ReportTo::Us).join(" ");
    for part in [
        "-M virt,gic-version=3,its=off,highmem=off ",
        "-cpu max ",
        "-smp 4 ",
        "-m 1G ",
        "iommu.strict=0 report=json console=pl011 ",
        " -s -S",
    ] {
        assert!(words.contains(part), "no {part} in {words}");
    }
}

#[test]
fn firmware_is_as_the_topology_says_unless_it_is_chosen() {
    let firmware = |line| boot(line).unwrap().start.firmware;
    assert_eq!(firmware(""), Firmware::Dt);
    assert_eq!(firmware("--topology uefi-simple"), Firmware::UefiDt);
    assert_eq!(firmware("--topology uefi-simple --firmware dt"), Firmware::Dt);
    assert_eq!(firmware("--firmware uefi-acpi"), Firmware::UefiAcpi);
}

#[test]
fn the_probe_path_is_an_option_or_a_word() {
    for line in ["--path legacy", "--append path=legacy", "--append path=legacy --path legacy"] {
        let boot = boot(line).unwrap();
        assert_eq!(boot.start.path, probe::Path::Legacy, "{line}");
        assert_eq!(boot.start.command_line(ReportTo::Us), "report=json console=semihosting path=legacy");
    }
}

#[test]
fn an_order_is_an_option_or_a_word() {
    for line in ["--order seed:7", "--append order=seed:7"] {
        let boot = boot(line).unwrap();
        assert_eq!(boot.start.command_line(ReportTo::Us), "report=json console=semihosting order=seed:7");
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for line in [
        "--firmware nonsense",
        "--path lagacy",
        "--topology no-such-machine",
        "--dtb /no/such/file",
        "--dtb /tmp",
        "--dtb /dev/zero",
        "--append dtb=x.dtb",
        "--append path=lagacy",
        "--append path=fixed --path legacy",
        "--order ",
        "--order seed:1 --append order=seed:2",
        "--append firmware=bios",
        "--append report=xml",
        "--append console=tty0",
        "--append console=pl011 --console semihosting",
        "--bare --iommu on",
        "--bare --topology flat",
        "--machine gic-version",
        "--memory lots",
        "--smp 0",
        "--timeout 0",
        "-device virtio-iommu-pci",
    ] {
        assert_eq!(boot(line).err().map(|stop| stop.kind), Some(Kind::Usage), "{line}");
    }
}

#[test]
fn words_that_the_tool_answers_for_are_taken_from_the_kernel() {
    let boot = boot("--append report=ktap").unwrap();
    assert_eq!(boot.form, Form::Ktap);
    assert_eq!(boot.start.command_line(ReportTo::Us), "report=json console=semihosting");
    let words = Words::parse("a report=json path=fixed  console=pl011 firmware=dt b=c").unwrap();
    assert_eq!(words.kernel, ["a", "b=c"]);
    assert_eq!((words.form, words.console), (Some(Form::Json), Some(Console::Pl011)));
}

#[test]
fn a_console_among_the_words_is_the_option() {
    assert_eq!(boot("--append console=pl011").unwrap().start.console, Console::Pl011);
    assert!(boot("--append console=pl011 --console pl011").is_ok());
}

#[test]
fn a_dtb_word_points_to_the_option() {
    let stop = boot("--append dtb=x").unwrap_err();
    assert!(stop.message.contains("--dtb FILE"), "{}", stop.message);
}

#[test]
fn a_tree_comes_from_whatever_can_be_read() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, "blob").unwrap())
    };
    let boot = boot(&format!("--dtb {}", pipe.display())).unwrap();
    writer.join().unwrap();
    assert!(matches!(&boot.tree, Tree::File(_, blob) if blob == b"blob"), "{:?}", boot.tree);
    let kernel = Kernel { elf: "elf".into(), image: "Image".into() };
    assert!(boot.shell_lines(&kernel)[0].starts_with("# tree.dtb"));
}

#[test]
fn a_tree_that_cannot_be_read_says_why() {
    for (file, why) in [("/no/such/file", "No such file"), ("/tmp", "directory"), ("/dev/zero", "16 MiB")] {
        let stop = boot(&format!("--dtb {file}")).unwrap_err();
        assert!(stop.message.contains(why) && stop.message.contains(file), "{}", stop.message);
    }
}

#[test]
fn a_tree_of_our_own_is_announced_to_the_kernel_and_not_to_qemu() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    let boot = boot(&format!("--dtb {path}")).unwrap();
    let kernel = Kernel { elf: "elf".into(), image: "Image".into() };
    let lines = boot.shell_lines(&kernel);
    assert_eq!(lines[0], format!("cp {path} tree.dtb"));
    assert!(lines[1].contains("dtb=tree.dtb"), "{}", lines[1]);
    assert!(!lines[1].contains(" -dtb"), "{}", lines[1]);
}

#[test]
fn a_disk_is_made_by_lines_that_can_be_pasted_and_needs_uefi_firmware() {
    let kernel = Kernel { elf: "k".into(), image: "/k/Image".into() };
    let lines = boot("--topology uefi-disk --append a=b").unwrap().shell_lines(&kernel);
    assert_eq!(lines[..2], ["mkdir -p disk/EFI/BOOT", "cp /k/Image disk/EFI/BOOT/BOOTAA64.EFI"]);
    assert_eq!(lines[2], "echo 'a=b report=text console=semihosting' > disk/iogroups.txt");
    let stop = boot("--topology uefi-disk --firmware acpi").unwrap_err();
    assert_eq!(stop.kind, Kind::Usage);
    assert!(stop.message.contains("disk"), "{}", stop.message);
}

#[test]
fn words_of_the_full_image_choose_it() {
    let binary = |words: &[&str]| {
        let append = words.iter().map(ToString::to_string).collect();
        KernelStart { append, ..KernelStart::default() }.binary()
    };
    assert_eq!(binary(&["iommu.strict=0"]), Binary::Main);
    assert_eq!(binary(&["iommu.strict=0", "smp-test=1"]), Binary::Full);
    assert_eq!(binary(&["binds=second-cpu"]), Binary::Full);
    let race = Some(Rounds { rounds: 1, seed: 0 });
    assert_eq!(KernelStart { race, ..KernelStart::default() }.binary(), Binary::Full);
}
