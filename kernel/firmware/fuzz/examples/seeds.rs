//! Writes the seeds of all targets to `corpus/`, made of the fixtures of `firmware`: `cargo run --example seeds`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use addr::PhysAddr;
use firmware::acpi::Tables;
use firmware::acpi::table_loader::{TableSource, Zone, run};
use firmware_fuzz::{acpi, aml, device_tree, table_loader};
use vm_fdt::FdtWriter;

struct Files<'a> {
    files: [(&'static str, &'a [u8]); 2],
    free: u64,
}

impl TableSource for Files<'_> {
    fn file(&mut self, name: &str) -> Option<Vec<u8>> {
        self.files.iter().find(|file| file.0 == name).map(|file| file.1.to_vec())
    }

    fn allocate(&mut self, bytes: usize, alignment: u64, _: Zone) -> Option<PhysAddr> {
        let place = self.free.next_multiple_of(alignment);
        self.free = place + bytes as u64;
        Some(PhysAddr(place))
    }
}

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = root.join("../tests");
    let mut trees = files(&tests.join("fixtures"), "dtb")?;
    trees.push(("buses".to_owned(), buses().map_err(io::Error::other)?));
    for (name, blob) in trees {
        write(root, "device_tree", &name, &blob)?;
        write(root, "device_tree", &format!("{name}-blocks"), &device_tree::blocks(&blob))?;
        write(
            root,
            "device_tree",
            &format!("{name}-short"),
            &device_tree::build(&device_tree::blocks(&blob)),
        )?;
    }
    for (name, table) in files(&tests.join("aml/fixtures"), "aml")? {
        let body = &table[acpi::HEADER_SIZE..];
        let is_dsdt = table.starts_with(b"DSDT");
        let input = if is_dsdt { aml::blocks(body, &[]) } else { aml::blocks(&[], body) };
        write(root, "aml", &name, &input)?;
        if is_dsdt {
            write(root, "aml", &format!("{name}-short"), &aml::blocks(&aml::shortened(body), &[]))?;
            for (number, device) in aml::devices(body).iter().enumerate() {
                write(root, "aml", &format!("{name}-{number}"), &aml::blocks(device, &[]))?;
            }
        }
    }
    for (name, script) in files(&tests.join("fixtures/acpi"), "loader")? {
        machine(root, &tests.join("fixtures/acpi"), &name, &script)?;
    }
    Ok(())
}

/// The seeds of one machine's ACPI: the loader's files, all tables, and each small table alone.
fn machine(root: &Path, folder: &Path, name: &str, script: &[u8]) -> io::Result<()> {
    let rsdp = fs::read(folder.join(format!("{name}.rsdp")))?;
    let tables = fs::read(folder.join(format!("{name}.tables")))?;
    let sizes = [("etc/acpi/rsdp", rsdp.len()), ("etc/acpi/tables", tables.len())];
    let input = table_loader::input(script, &table_loader::directory(&sizes), &[&rsdp, &tables]);
    write(root, "table_loader", name, &input)?;

    let mut source =
        Files { files: [("etc/acpi/rsdp", &rsdp), ("etc/acpi/tables", &tables)], free: 0x4000_0000 };
    let loaded = run(script, &mut source).map_err(io::Error::other)?;
    let tables = Tables::gather(loaded.rsdp, &loaded).map_err(io::Error::other)?;
    let short = |table: &firmware::acpi::Table| match &table.signature {
        b"DSDT" => acpi::table(*b"DSDT", 2, &aml::shortened(&table.bytes[acpi::HEADER_SIZE..])),
        _ => table.bytes.clone(),
    };
    let short: Vec<Vec<u8>> = tables.all().iter().map(short).collect();
    write(root, "acpi", &format!("{name}-bodies"), &acpi::bodies(&short))?;
    for (memory, how) in acpi::memories(&short).iter().zip(["memory", "sealed"]) {
        write(root, "acpi", &format!("{name}-{how}"), memory)?;
    }
    for table in &short {
        let signature = String::from_utf8_lossy(&table[..4]);
        write(root, "acpi", &format!("{name}-{signature}"), &acpi::bodies(std::slice::from_ref(table)))?;
    }
    Ok(())
}

/// A tree that no machine of QEMU's has: devices behind buses that translate, one inside another, behind one
/// that changes no address, and behind one that the CPU cannot reach through.
fn buses() -> Result<Vec<u8>, vm_fdt::Error> {
    let mut tree = FdtWriter::new()?;
    let root = tree.begin_node("")?;
    tree.property_u32("#address-cells", 2)?;
    tree.property_u32("#size-cells", 2)?;
    let memory = tree.begin_node("memory@40000000")?;
    tree.property_string("device_type", "memory")?;
    tree.property_array_u32("reg", &[0, 0x4000_0000, 0, 0x800_0000])?;
    tree.end_node(memory)?;

    let outer = begin_bus(&mut tree, "soc", Some(&[0, 0x90, 0, 0x10000, 0x2_0000, 0x91, 0, 0x10000]))?;
    device(&mut tree, "uart@100", &[0x100, 0x10, 0x2_0200, 0x10])?;
    let inner = begin_bus(&mut tree, "bus@1000", Some(&[0, 0x1000, 0x1000]))?;
    device(&mut tree, "timer@20", &[0x20, 0x10])?;
    tree.end_node(inner)?;
    tree.end_node(outer)?;

    let same = begin_bus(&mut tree, "same", Some(&[]))?;
    device(&mut tree, "rtc@9010000", &[0x901_0000, 0x1000])?;
    tree.end_node(same)?;
    let closed = begin_bus(&mut tree, "closed", None)?;
    device(&mut tree, "spi@4", &[4, 4])?;
    tree.end_node(closed)?;
    tree.end_node(root)?;
    tree.finish()
}

/// Begins a bus with one cell each for addresses and sizes.
fn begin_bus(
    tree: &mut FdtWriter,
    name: &str,
    ranges: Option<&[u32]>,
) -> Result<vm_fdt::FdtWriterNode, vm_fdt::Error> {
    let bus = tree.begin_node(name)?;
    tree.property_string("compatible", "simple-bus")?;
    tree.property_u32("#address-cells", 1)?;
    tree.property_u32("#size-cells", 1)?;
    if let Some(ranges) = ranges {
        tree.property_array_u32("ranges", ranges)?;
    }
    Ok(bus)
}

fn device(tree: &mut FdtWriter, name: &str, registers: &[u32]) -> Result<(), vm_fdt::Error> {
    let device = tree.begin_node(name)?;
    tree.property_string("compatible", "some,device")?;
    tree.property_array_u32("reg", registers)?;
    tree.end_node(device)
}

/// Names without extension, and contents, of the files in `folder` with this extension.
fn files(folder: &Path, extension: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|own| own == extension) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

fn write(root: &Path, target: &str, name: &str, input: &[u8]) -> io::Result<()> {
    let folder = root.join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), input)?;
    println!("{target}/{name}: {:#x} bytes", input.len());
    Ok(())
}
