use std::fs;
use std::path::{Path, PathBuf};

use super::input::{Content, content, find};
use super::machine::{Finding, Machine, Number, Offset, TRANSLATED};
use super::*;
use crate::damage;

fn fixture(name: &str) -> Vec<u8> {
    let place = output::workspace().join("kernel/firmware/tests/fixtures").join(name);
    fs::read(place).unwrap()
}

/// The tables of a machine of QEMU; their checksums are not filled in.
fn tables_of(name: &str) -> Vec<(String, Vec<u8>)> {
    match content("tables", fixture(&format!("acpi/{name}.tables"))) {
        Content::Tables(tables) => tables,
        other => panic!("{other:?}"),
    }
}

fn word(blob: &[u8], offset: Offset) -> u32 {
    u32::from_be_bytes(blob[offset.0..offset.0 + 4].try_into().unwrap())
}

/// Findings that are not about checksums.
fn others(machine: &Machine) -> Vec<&Finding> {
    machine.findings.iter().filter(|finding| finding.id != "acpi-table-checksum").collect()
}

#[test]
fn the_entries_of_a_tree_are_listed_with_their_bytes() {
    let blob = fixture("smmuv3.dtb");
    let machine = tree::machine("smmuv3.dtb", &blob);
    let [iommu] = &machine.iommus[..] else { panic!("{machine:?}") };
    assert_eq!((iommu.name.as_str(), iommu.id_word), ("/smmuv3@9050000", "stream ID"));
    // The node's first token.
    assert_eq!(word(&blob, iommu.offset.unwrap()), 1);
    let [entry] = &iommu.entries[..] else { panic!("{iommu:?}") };
    assert_eq!(entry.device, "/pcie@10000000");
    assert_eq!(entry.input, Some([Number(0), Number(0xffff)]));
    assert_eq!(entry.ids, Some([Number(0), Number(0xffff)]));
    assert_eq!((entry.place.as_str(), entry.linux.as_str()), ("iommu-map[0]", TRANSLATED));
    assert_eq!(word(&blob, Offset(entry.offset.0 + 12)), 0x10000);
    assert_eq!(machine.findings, []);
}

#[test]
fn a_phandle_that_leads_nowhere_is_an_error_with_its_node_property_and_byte() {
    let mut blob = fixture("iommu.dtb");
    let machine = tree::machine("iommu.dtb", &blob);
    let entry = &machine.iommus[0].entries[1];
    let phandle = entry.offset.0 + 4;
    blob[phandle..phandle + 4].copy_from_slice(&0x7777_u32.to_be_bytes());
    let broken = tree::machine("iommu.dtb", &blob);
    let [finding] = &broken.findings[..] else { panic!("{:?}", broken.findings) };
    assert_eq!((finding.id, finding.severity), ("iommu-map-dangling", "error"));
    assert_eq!(finding.place, "/pcie@10000000:iommu-map[1]");
    assert_eq!(finding.offset, Some(entry.offset));
    assert_eq!(broken.count("error"), 1);
    let text = of_text(broken);
    assert!(text.contains("error[iommu-map-dangling] /pcie@10000000:iommu-map[1] (byte 0x"), "{text}");
}

/// What people see of one machine.
fn of_text(machine: Machine) -> String {
    let checked = Checked {
        schema: "",
        machines: vec![machine],
        ignored: Vec::new(),
        errors: 0,
        warnings: 0,
        outcome: "pass",
        exit_status: 0,
    };
    text::text(&checked)
}

#[test]
fn a_blob_that_is_cut_is_an_error_with_a_byte() {
    let blob = fixture("iommu.dtb");
    for length in [4, 39, 40, 0x100, blob.len() - 1] {
        let machine = tree::machine("cut.dtb", &blob[..length]);
        let [finding] = &machine.findings[..] else { panic!("{machine:?}") };
        assert_eq!((finding.id, finding.severity), ("device-tree-malformed", "error"), "{length}");
        assert!(finding.offset.is_some(), "{length}");
    }
}

#[test]
fn the_tables_of_a_machine_say_which_functions_are_behind_its_smmu() {
    let files = tables_of("smmuv3");
    let machine = tables::machine("tables", &files);
    let [iommu] = &machine.iommus[..] else { panic!("{machine:?}") };
    let [entry] = &iommu.entries[..] else { panic!("{iommu:?}") };
    assert_eq!(iommu.id_word, "stream ID");
    assert_eq!((entry.device.as_str(), entry.linux.as_str()), ("PCI segment 0x0", TRANSLATED));
    // Without firmware, bus 0 alone is numbered when QEMU makes the table.
    assert_eq!(entry.input, Some([Number(0), Number(0xff)]));
    // The ID mapping itself: the last field but one is the offset of the SMMU.
    let (file, iort) = files.iter().find(|(_, bytes)| bytes.starts_with(b"IORT")).unwrap();
    let reference = entry.offset.0 + 12;
    let reference = u32::from_le_bytes(iort[reference..reference + 4].try_into().unwrap());
    assert_eq!(iommu.offset, Some(Offset(reference as usize)));
    assert_eq!(iommu.file.as_ref(), Some(file));
    assert_eq!(machine.host_bridges.len(), 1);
    assert!(machine.host_bridges[0].linux.starts_with("0x0 at SMMUv3"), "{:?}", machine.host_bridges);
}

#[test]
fn one_table_alone_is_read_and_its_faults_have_a_file_and_an_offset() {
    let (_, mut viot) = tables_of("iommu").into_iter().find(|(_, bytes)| bytes.starts_with(b"VIOT")).unwrap();
    let alone = |bytes: &[u8]| tables::machine("viot.dat", &[("viot.dat".into(), bytes.to_vec())]);
    let machine = alone(&viot);
    assert_eq!(machine.iommus.len(), 1, "{machine:?}");
    assert!(machine.iommus[0].entries[0].linux.starts_with("not used: there is no such device"));
    // The length of the node at 0x30.
    viot[0x32] = 2;
    let broken = alone(&viot);
    let found: Vec<_> = others(&broken).into_iter().filter(|finding| finding.severity == "error").collect();
    assert!(!found.is_empty(), "{broken:?}");
    assert_eq!(found[0].file.as_deref(), Some("viot.dat"));
    assert_eq!(found[0].offset, Some(Offset(0x30)), "{found:?}");
}

/// What acpidump prints for tables.
fn dump_of(tables: &[(String, Vec<u8>)]) -> String {
    let mut dump =
        String::from("RSD PTR @ 0x00000000FFFE0014\n    0000: 52 53 44 20 50 54 52 20  RSD PTR \n\n");
    for (_, bytes) in tables {
        let name = String::from_utf8_lossy(&bytes[..4]);
        dump += &format!("{name} @ 0x0000000012345678\n");
        for (number, line) in bytes.chunks(16).enumerate() {
            let columns: String = line.iter().map(|byte| format!("{byte:02X} ")).collect();
            // Letters that look like more bytes.
            dump += &format!("    {:04X}: {columns:<48} AB CD EF\n", 16 * number);
        }
        dump.push('\n');
    }
    dump
}

#[test]
fn the_output_of_acpidump_is_the_same_as_its_tables() {
    let tables = tables_of("iommu");
    let exact: Vec<(String, Vec<u8>)> = tables
        .iter()
        .filter(|(_, bytes)| !bytes.starts_with(b"XSDT"))
        .map(|(name, bytes)| {
            let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
            (name.clone(), bytes[..length].to_vec())
        })
        .collect();
    let text = dump_of(&exact);
    assert!(matches!(content("dump", text.clone().into_bytes()), Content::Dump(_)));
    let dump = acpidump::read(&text);
    let bytes =
        |tables: &[(String, Vec<u8>)]| tables.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>();
    assert!(bytes(&dump.tables) == bytes(&exact));
    assert_eq!(dump.findings, []);
    // A line that was lost in the mail.
    let lines: Vec<&str> = text.lines().collect();
    let lost: String =
        lines.iter().enumerate().filter(|(at, _)| *at != 8).map(|(_, line)| format!("{line}\n")).collect();
    let [finding] = &acpidump::read(&lost).findings[..] else { panic!() };
    assert_eq!(finding.place, "line 9, table DSDT");
}

#[test]
fn files_are_recognised_by_their_content() {
    let unknown = |bytes: &[u8]| match content("file", bytes.to_vec()) {
        Content::Unknown(why) => why,
        other => panic!("{other:?}"),
    };
    assert!(matches!(content("x.txt", fixture("plain.dtb")), Content::Tree(_)));
    assert!(unknown(b"").ends_with("it has 0 bytes"));
    assert!(unknown(b"\x7fELF\x02\x01\x01").ends_with("it begins with 7f 45 4c 46"));
    assert!(unknown(b"RSD PTR \0").contains("root pointer"));
    // A signature, and a length that no table has.
    unknown(b"IORT\x01\0\0\0");
}

#[test]
fn a_directory_like_sys_firmware_is_a_tree_and_a_set_of_tables() {
    let place = tempfile::tempdir().unwrap();
    let tables = place.path().join("acpi/tables");
    fs::create_dir_all(tables.join("data")).unwrap();
    fs::write(place.path().join("fdt"), fixture("iommu.dtb")).unwrap();
    fs::write(place.path().join("acpi/bgrt"), "no table").unwrap();
    for (number, (_, bytes)) in tables_of("iommu").into_iter().enumerate() {
        fs::write(tables.join(format!("T{number}")), bytes).unwrap();
    }
    let found = find(&[place.path().to_owned()]).unwrap();
    let kinds: Vec<&str> = found
        .inputs
        .iter()
        .map(|input| match input.content {
            Content::Tree(_) => "tree",
            Content::Tables(_) => "tables",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["tables", "tree"]);
    assert_eq!(found.inputs[0].name, tables.display().to_string());
    assert_eq!(found.ignored.len(), 1);
    let machines: Vec<Machine> = found.inputs.iter().map(of_input).collect();
    assert!(machines.iter().all(|machine| machine.iommus.len() == 1), "{machines:?}");
    // The same machine twice: both languages name the same functions.
    assert_eq!(find(&[PathBuf::from("/nonexistent")]).unwrap_err().kind, Kind::Unable);
    assert_eq!(find(&[Path::new(&tables).join("data")]).unwrap_err().kind, Kind::Usage);
}

/// Boots with damage find what costs the kernel; here are as many as fit into a second.
const DAMAGED: u64 = 1_500;

#[test]
fn damaged_trees_and_tables_are_read_without_a_panic() {
    let blob = fixture("iommu.dtb");
    let whole = tables_of("smmuv3");
    let (mut errors, mut others) = (0, 0);
    for number in 0..DAMAGED {
        let which = number as usize % whole.len();
        let (tree, table) = damage::damaged(number, &blob, &whole[which].1);
        let mut files = whole.clone();
        files[which].1 = table;
        for machine in [tree::machine("tree", &tree), tables::machine("tables", &files)] {
            match machine.count("error") {
                0 => others += 1,
                _ => errors += 1,
            }
            of_text(machine);
        }
    }
    assert!(errors > DAMAGED / 10 && others > DAMAGED / 10, "{errors} with errors, {others} without");
    for length in (0..blob.len()).step_by(7) {
        tree::machine("tree", &blob[..length]);
    }
}
