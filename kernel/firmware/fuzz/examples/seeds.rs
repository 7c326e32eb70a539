//! Writes the seeds of all targets to `corpus/`, made of the fixtures of `firmware`: `cargo run --example seeds`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use addr::PhysAddr;
use firmware::acpi::Tables;
use firmware::acpi::table_loader::{Source, Zone, run};
use firmware_fuzz::{acpi, aml, device_tree, table_loader};

struct Files<'a> {
    files: [(&'static str, &'a [u8]); 2],
    free: u64,
}

impl Source for Files<'_> {
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
    for (name, blob) in files(&tests.join("fixtures"), "dtb")? {
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
