//! The strings that `\_OSI` accepts.

/// What Linux 7.3 answers with "yes": the versions of Windows that ACPICA lists (`acpi_default_supported_interfaces`),
/// and the features that Linux adds (`osi_setup_entries`). "Linux" is not among them.
const INTERFACES: [&str; 27] = [
    "Windows 2000",
    "Windows 2001",
    "Windows 2001 SP1",
    "Windows 2001.1",
    "Windows 2001 SP2",
    "Windows 2001.1 SP1",
    "Windows 2006",
    "Windows 2006.1",
    "Windows 2006 SP1",
    "Windows 2006 SP2",
    "Windows 2009",
    "Windows 2012",
    "Windows 2013",
    "Windows 2015",
    "Windows 2016",
    "Windows 2017",
    "Windows 2017.2",
    "Windows 2018",
    "Windows 2018.2",
    "Windows 2019",
    "Windows 2020",
    "Windows 2021",
    "Windows 2022",
    "Extended Address Space Descriptor",
    "Module Device",
    "Processor Device",
    "Processor Aggregator Device",
];

/// Whether `\_OSI` of this text is true.
pub(super) fn is_supported(interface: &[u8]) -> bool {
    INTERFACES.iter().any(|own| own.as_bytes() == interface)
}
