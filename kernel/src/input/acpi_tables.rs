//! The machine's description in ACPI tables.

use alloc::string::String;
use alloc::vec::Vec;

use firmware::Description;
use firmware::acpi::{self, AcpiMap, Arena, PhysicalMemory, Surroundings, Tables};
use probe::Finding;

use crate::error::Error;
use crate::input::acpi_handler;
use crate::log;
use crate::machine::semihosting;

/// Reads the tables that the RSDP at `rsdp` leads to. RAM and command line, which tables do not
/// contain, are in `surroundings`; `odd` has earlier findings. Tables in `files` of the host
/// replace those of the same signature, or are added to the others.
///
/// # Errors
///
/// There is no RSDP, it does not lead to tables, or a file cannot be read.
pub(crate) fn describe(
    rsdp: addr::PhysAddr,
    memory: &dyn PhysicalMemory,
    surroundings: Surroundings,
    odd: Vec<Finding>,
    files: &[String],
) -> Result<(Description, AcpiMap), Error> {
    let mut tables = Tables::gather(rsdp, memory)?;
    if !files.is_empty() {
        tables.add(&read(files)?, true);
    }
    let names = |read: bool| -> Vec<String> {
        let of_kind = tables.all().iter().filter(|table| acpi::is_read(table.signature) == read);
        of_kind.map(|table| String::from_utf8_lossy(&table.signature).into_owned()).collect()
    };
    log!("ACPI: {} (not used: {})", names(true).join(" "), names(false).join(" "));
    let arena = Arena::new(&tables);
    let opened = acpi_handler::open(&arena).map_err(Error::AcpiCrate)?;
    let (mut description, map) = acpi::describe(&tables, &opened, surroundings)?;
    description.findings.splice(0..0, odd);
    Ok((description, map))
}

fn read(files: &[String]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let read = |name: &String| {
        let content = semihosting::read_file(name).map_err(|error| Error::HostFile {
            option: "tables",
            name: name.clone(),
            error,
        })?;
        log!("ACPI: {name}, {} bytes", content.len());
        Ok((name.clone(), content))
    };
    files.iter().map(read).collect()
}
