//! What of small tables the `acpi` crate does not read: where the DSDT is, before it may look at anything, and the
//! entries of the MADT, over which it cannot walk safely.

use alloc::vec::Vec;

use addr::{CpuAffinity, PhysAddr};

use super::bytes::Bytes;
use super::spec::small::{Fadt, GICC, GICC_ENABLED, Gicc, GiccWithMpidr, Madt, MadtEntry, OldFadt};

/// The address of the DSDT in the FADT (ACPI 6.5, section 5.2.9): the 64-bit field if there is one.
pub(super) fn dsdt(fadt: &[u8]) -> Option<PhysAddr> {
    let fadt = Bytes::new(fadt);
    let narrow = fadt.read::<OldFadt>(0).map(|fadt| u64::from(fadt.dsdt));
    let wide = fadt.read::<Fadt>(0).map(|fadt| fadt.x_dsdt.get()).filter(|address| *address != 0);
    wide.or(narrow).filter(|address| *address != 0).map(PhysAddr)
}

/// Most entries of an MADT; the GIC architecture allows fewer CPUs than that.
const MAX_MADT_ENTRIES: usize = 65_536;

/// The CPUs of the MADT that may be used: GICC entries that are enabled (ACPI 6.5, 5.2.12.14), each with its
/// MPIDR if the entry is long enough to have one (since ACPI 5.1).
///
/// The second value is the offset of an entry that is broken, behind which nothing was read.
pub(super) fn cpus(madt: &[u8]) -> (Vec<Option<CpuAffinity>>, Option<usize>) {
    let madt = Bytes::new(madt);
    let (mut at, mut cpus) = (size_of::<Madt>(), Vec::new());
    for _ in 0..MAX_MADT_ENTRIES {
        if at >= madt.len() {
            return (cpus, None);
        }
        let header =
            madt.read::<MadtEntry>(at).filter(|entry| usize::from(entry.length) >= size_of::<MadtEntry>());
        let Some(header) = header else { break };
        let Some(entry) = madt.part(at, header.length.into()) else { break };
        let is_enabled = |gicc: &Gicc| gicc.flags.get() & GICC_ENABLED != 0;
        if header.kind == GICC && entry.read(0).is_some_and(is_enabled) {
            let mpidr = entry.read::<GiccWithMpidr>(0).map(|gicc| gicc.mpidr.get());
            cpus.push(mpidr.map(CpuAffinity::of_mpidr));
        }
        at += entry.len();
    }
    (cpus, Some(at))
}
