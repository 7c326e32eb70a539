//! What the `acpi` crate reads for us: FADT, MCFG and SPCR, each for the few fields that this kernel needs.

use alloc::vec::Vec;

use ::acpi::address::GenericAddress;
use ::acpi::fadt::Fadt;
use ::acpi::mcfg::Mcfg;
use ::acpi::spcr::{Spcr, SpcrInterfaceType};
use ::acpi::{AcpiHandler, AcpiResult, AcpiTables};

use crate::PsciConduit;

/// One entry of the MCFG: configuration space of some buses (PCI Firmware 3.3, section 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ecam {
    /// Where bus 0 would be, whether or not the entry has it.
    pub(super) base: u64,
    pub(super) segment: u16,
    pub(super) first_bus: u8,
    pub(super) last_bus: u8,
}

/// The console that the SPCR names (Microsoft's SPCR table, revision 2 and later).
pub(super) struct Serial {
    pub(super) kind: SpcrInterfaceType,
    /// None if all of it is 0.
    pub(super) base: Option<AcpiResult<GenericAddress>>,
}

/// What these tables say.
pub(super) struct Typed {
    /// How to reach PSCI, from the FADT's ARM boot flags (ACPI 6.5, table 5.13).
    pub(super) psci: Option<PsciConduit>,
    /// The whole entries of the MCFG.
    pub(super) ecams: Vec<Ecam>,
    pub(super) serial: Option<Serial>,
}

impl Typed {
    /// Reads the tables; an absent one adds nothing.
    pub(super) fn read<H: AcpiHandler>(tables: &AcpiTables<H>) -> Self {
        let psci = tables.find_table::<Fadt>().ok().and_then(|fadt| {
            let flags = fadt.arm_boot_arch;
            let conduit = if flags.use_hvc_as_psci_conduit() { PsciConduit::Hvc } else { PsciConduit::Smc };
            flags.implements_psci().then_some(conduit)
        });
        let ecams = tables.find_table::<Mcfg>().map_or_else(
            |_| Vec::new(),
            |mcfg| {
                let entries = mcfg.entries().iter();
                entries
                    .map(|entry| Ecam {
                        base: entry.base_address,
                        segment: entry.pci_segment_group,
                        first_bus: entry.bus_number_start,
                        last_bus: entry.bus_number_end,
                    })
                    .collect()
            },
        );
        let serial = tables.find_table::<Spcr>().ok();
        let serial = serial.map(|spcr| Serial { kind: spcr.interface_type(), base: spcr.base_address() });
        Self { psci, ecams, serial }
    }
}
