//! The machine as its ACPI tables describe it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use firmware::Description;
use firmware::acpi::{self, AcpiMap, PhysicalMemory, Surroundings, Tables};
use probe::Finding;

use crate::log;

/// Reads what the RSDP at `rsdp` leads to. RAM and command line, which tables do not have, are in
/// `surroundings`; `odd` is what was found before.
///
/// # Errors
///
/// There is no RSDP, or it leads to no tables.
pub(crate) fn describe(
    rsdp: addr::PhysAddr,
    memory: &dyn PhysicalMemory,
    surroundings: Surroundings,
    odd: Vec<Finding>,
) -> Result<(Description, AcpiMap), String> {
    let tables = Tables::gather(rsdp, memory).map_err(|error| error.to_string())?;
    let names = |read: bool| -> Vec<String> {
        let of_kind = tables.all().iter().filter(|table| acpi::is_read(table.signature) == read);
        of_kind.map(|table| String::from_utf8_lossy(&table.signature).into_owned()).collect()
    };
    log!("ACPI: {} (not used: {})", names(true).join(" "), names(false).join(" "));
    let (mut description, map) = acpi::describe(&tables, surroundings).map_err(|error| error.to_string())?;
    description.findings.splice(0..0, odd);
    Ok((description, map))
}
