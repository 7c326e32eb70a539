//! What of small tables the `acpi` crate does not read: where the DSDT is, before it may look at anything, and the
//! entries of the MADT, over which it cannot walk safely.

use alloc::vec::Vec;

use addr::{CpuAffinity, PhysAddr};

use super::bytes::Bytes;

/// Where the FADT says that the DSDT is (ACPI 6.5, section 5.2.9): the 64-bit field if it is there.
pub(super) fn dsdt(fadt: &[u8]) -> Option<PhysAddr> {
    let fadt = Bytes::new(fadt);
    let narrow = fadt.u32(40).map(u64::from);
    let wide = fadt.u64(140).filter(|address| *address != 0);
    wide.or(narrow).filter(|address| *address != 0).map(PhysAddr)
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
