//! The small tables: FADT, MADT, MCFG and SPCR, each for the few fields that this kernel needs.

use alloc::vec::Vec;

use addr::{CpuAffinity, PhysAddr};

use super::bytes::Bytes;
use super::gate::HEADER_SIZE;
use crate::PsciConduit;

/// Where the FADT says that the DSDT is (ACPI 6.5, section 5.2.9): the 64-bit field if it is there.
pub(super) fn dsdt(fadt: &[u8]) -> Option<PhysAddr> {
    let fadt = Bytes::new(fadt);
    let narrow = fadt.u32(40).map(u64::from);
    let wide = fadt.u64(140).filter(|address| *address != 0);
    wide.or(narrow).filter(|address| *address != 0).map(PhysAddr)
}

/// How to reach PSCI, from the FADT's ARM boot flags (ACPI 6.5, table 5.13).
pub(super) fn psci(fadt: &[u8]) -> Option<PsciConduit> {
    const COMPLIANT: u16 = 1 << 0;
    const USE_HVC: u16 = 1 << 1;
    let flags = Bytes::new(fadt).u16(129)?;
    let conduit = if flags & USE_HVC != 0 { PsciConduit::Hvc } else { PsciConduit::Smc };
    (flags & COMPLIANT != 0).then_some(conduit)
}

/// Most entries of an MADT; the GIC architecture allows fewer CPUs than that.
const MAX_MADT_ENTRIES: usize = 65_536;

/// The CPUs of the MADT that may be used: GICC entries that are enabled (ACPI 6.5, 5.2.12.14), each with its
/// MPIDR if the entry is long enough to have one (since ACPI 5.1).
///
/// The second value is the offset of an entry that is broken, behind which nothing was read.
pub(super) fn cpus(madt: &[u8]) -> (Vec<Option<CpuAffinity>>, Option<usize>) {
    const GICC: u8 = 0x0b;
    const ENABLED: u32 = 1 << 0;
    let madt = Bytes::new(madt);
    let (mut at, mut cpus) = (44, Vec::new());
    for _ in 0..MAX_MADT_ENTRIES {
        if at >= madt.len() {
            return (cpus, None);
        }
        let length = madt.u8(at + 1).map(usize::from).filter(|length| *length >= 2);
        let Some(entry) = length.and_then(|length| madt.part(at, length)) else { break };
        if entry.u8(0) == Some(GICC) && entry.u32(12).is_some_and(|flags| flags & ENABLED != 0) {
            cpus.push(entry.u64(68).map(CpuAffinity::of_mpidr));
        }
        at += entry.len();
    }
    (cpus, Some(at))
}

/// One entry of the MCFG: configuration space of some buses (PCI Firmware 3.3, section 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ecam {
    /// Where bus 0 would be, whether or not the entry has it.
    pub(super) base: u64,
    pub(super) segment: u16,
    pub(super) first_bus: u8,
    pub(super) last_bus: u8,
}

/// The entries of an MCFG; the second value is how many bytes are left behind the last one.
pub(super) fn mcfg(mcfg: &[u8]) -> (Vec<Ecam>, usize) {
    const ENTRY_SIZE: usize = 16;
    let entries = mcfg.get(44..).unwrap_or_default();
    let entry = |entry: &[u8]| {
        let entry = Bytes::new(entry);
        let (base, segment) = (entry.u64(0)?, entry.u16(8)?);
        Some(Ecam { base, segment, first_bus: entry.u8(10)?, last_bus: entry.u8(11)? })
    };
    let list = entries.chunks_exact(ENTRY_SIZE).filter_map(entry).collect();
    (list, entries.len() % ENTRY_SIZE)
}

/// The console that the SPCR names (Microsoft's SPCR table, revision 2 and later).
pub(super) struct Serial {
    /// Its type, a number of the Debug Port Table 2.
    pub(super) kind: u8,
    /// ACPI's number of the address space; 0 is memory.
    pub(super) space: u8,
    pub(super) address: u64,
}

/// Types of [`Serial`] that have the PL011's data and flag registers.
pub(super) const PL011_KINDS: [u8; 3] = [0x03, 0x0d, 0x0e];

/// Reads an SPCR.
pub(super) fn spcr(spcr: &[u8]) -> Option<Serial> {
    let spcr = Bytes::new(spcr);
    Some(Serial {
        kind: spcr.u8(HEADER_SIZE)?,
        space: spcr.u8(HEADER_SIZE + 4)?,
        address: spcr.u64(HEADER_SIZE + 8)?,
    })
}
