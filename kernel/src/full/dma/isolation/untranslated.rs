//! Devices that nothing translates: no IOMMU, or an identity domain. Their cases show what is not isolated.

use alloc::format;

use addr::{Iova, Range};
use dma::Direction;
use probe::{DomainType, ReservedKind};

use super::attempt::{Access, CaseError, guard};
use super::bench::{Bench, Seen};
use super::own_domain::{BYTES, mapping_fault, reaches};
use crate::dma::devices::{DmaDevice, Engine};

/// All cases, for each device that reaches RAM.
pub(super) fn run(bench: &mut Bench<'_>) {
    for device in bench.untranslated.clone() {
        if device.engine == Engine::Edu {
            continue;
        }
        bench.case_of("untranslated-write", &device, reaches_ram);
        let is_identity = device.domain_type == Some(DomainType::Identity) && is_mapped(bench, &device);
        if let Some(region) = reserved_region(bench, &device).filter(|_| is_identity) {
            bench
                .case_of("identity-reserved-write", &device, |bench, device| reserved(bench, device, region));
        }
    }
}

/// A device that nothing translates reaches all RAM, by physical addresses.
fn reaches_ram(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let outcome = reaches(bench, &mut *engine, &buffer, Access::Write);
    let phys = buffer.phys().start();
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    let why = device.direct_because.as_deref().unwrap_or("nothing translates it");
    Ok(format!("reaches RAM at {phys}, nothing is isolated: {why}"))
}

/// Whether the device's identity domain consists of mappings: its IOMMU cannot bypass a domain.
fn is_mapped(bench: &Bench<'_>, device: &DmaDevice) -> bool {
    let bound = bench.probing.iommus.borrow();
    let behind =
        bound.iter().filter(|bound| device.endpoints.iter().any(|(iommu, _)| *iommu == bound.device));
    behind.into_iter().any(|bound| !bound.iommu.borrow().features().contains(viommu::Features::BYPASS_CONFIG))
}

/// The first region that the IOMMU reserves for nothing.
fn reserved_region(bench: &Bench<'_>, device: &DmaDevice) -> Option<Range<Iova>> {
    let core = &bench.probing.core;
    let group = core.groups().find(|group| Some(group.id()) == device.group)?;
    let mut regions = core.reserved_regions(group).into_iter();
    regions.find(|region| region.kind == ReservedKind::Reserved).map(|region| region.range)
}

/// Identity mappings leave reserved regions out, and the device is refused what is there. QEMU (7.2 to 11.1) refuses it
/// whatever is mapped, so the driver's mappings are looked at as well.
fn reserved(bench: &mut Bench<'_>, device: &DmaDevice, region: Range<Iova>) -> Seen {
    if let Some(mapped) = bench.mapping_in(device, region) {
        return Err(CaseError::Address(format!("{mapped} is mapped, and {region} is reserved")));
    }
    let mut engine = bench.engine(device)?;
    let (_, seen) = bench.access(&mut *engine, Access::Write, region.start(), BYTES)?;
    engine.stop()?;
    let fault = mapping_fault(device, region.start(), Access::Write).check(&seen)?;
    Ok(format!("write to a reserved region: {fault}, {} accesses", seen.count()))
}
