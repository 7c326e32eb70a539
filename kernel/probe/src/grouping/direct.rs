//! Direct mappings: addresses that firmware or the IOMMU requires to be mapped one to one in its
//! domain, before the device is attached (Linux: `iommu_create_device_direct_mappings`).

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use addr::{Iova, PhysAddr, Range};

use crate::data::dma::Membership;
use crate::data::domain::Prot;
use crate::data::finding::{Finding, Severity};
use crate::data::id::{DeviceId, DomainHandle, GroupId, InstanceId};
use crate::data::refusal::Refusal;
use crate::data::reserved::{ReservedKind, ReservedRegion};
use crate::grouping::refusal;
use crate::table::Tables;
use crate::table::group::on_instance;

/// Maps the direct regions of a device that no earlier member has, in `domains`, the translated default domain of its
/// group.
///
/// # Errors
///
/// An instance refuses.
pub(crate) fn map_direct_regions<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    member: DeviceId,
    domains: &[(InstanceId, DomainHandle)],
) -> Result<(), Refusal> {
    let is_direct = |region: &&ReservedRegion| region.kind == ReservedKind::Direct;
    let has_direct = |membership: &&Membership| membership.reserved().iter().any(|region| is_direct(&region));
    let Some(membership) = tables.membership(member).filter(has_direct).cloned() else {
        return Ok(());
    };
    let members = tables.groups[group].members().iter();
    let earlier: Vec<ReservedRegion> = members
        .take_while(|other| **other != member)
        .filter_map(|other| tables.membership(*other))
        .flat_map(|other| other.reserved().iter().copied())
        .collect();
    for fwspec in membership.fwspecs() {
        let Some(domain) = on_instance(domains, fwspec.instance) else { continue };
        let granule = tables.instances[fwspec.instance].ops().granule();
        let mut mapped: Vec<Range<Iova>> =
            earlier.iter().filter(is_direct).filter_map(|region| whole(region.range, granule)).collect();
        for region in membership.reserved().iter().filter(is_direct) {
            let range = whole(region.range, granule);
            if !range.is_some_and(|range| range.encloses(&region.range)) {
                let found = cut(tables.devices[member].name(), region.range, range, granule);
                tables.log.find(found);
            }
            let Some(range) = range else { continue };
            for piece in without(range, &mapped) {
                map_direct(tables, fwspec.instance, domain, piece)?;
            }
            mapped.push(range);
        }
    }
    Ok(())
}

/// A region of which a part stays unmapped, as mappings consist of granules.
fn cut(device: &str, region: Range<Iova>, mapped: Option<Range<Iova>>, granule: u64) -> Finding {
    let what = match mapped {
        Some(mapped) => format!("{mapped} only is mapped"),
        None => "nothing is mapped".to_string(),
    };
    let sentence = format!(
        "of the direct region {region}, {what}, in granules of {granule:#x}; the device does not reach the rest"
    );
    Finding { id: "direct-region-cut", severity: Severity::Warning, place: device.to_string(), sentence }
}

fn map_direct<D>(
    tables: &mut Tables<D>,
    instance: InstanceId,
    domain: DomainHandle,
    range: Range<Iova>,
) -> Result<(), Refusal> {
    let both = Prot { read: true, write: true, mmio: false };
    let mapped = tables.instances.ops_mut(instance).map(domain, range, PhysAddr(range.start().0), both);
    mapped.map_err(|refused| {
        let detail = format!("direct mapping of {range}: {}", refused.detail);
        refusal::named(tables, instance, Refusal { detail, ..refused })
    })
}

/// The range in whole granules, which are a power of two: both ends rounded up, as Linux does, so that the beginning of a
/// region that does not begin with a granule is lost; none if nothing is
/// left, or no such range is an address range.
fn whole(range: Range<Iova>, granule: u64) -> Option<Range<Iova>> {
    let start = range.start().0.checked_next_multiple_of(granule)?;
    let end = match range.end().0.checked_add(1) {
        Some(next) => next.checked_next_multiple_of(granule)?.checked_sub(1)?,
        None => u64::MAX,
    };
    Range::new(Iova(start), Iova(end))
}

/// The parts of `range` that are not in `taken`, in order.
fn without(range: Range<Iova>, taken: &[Range<Iova>]) -> Vec<Range<Iova>> {
    let mut left = vec![range];
    for hole in taken {
        left = left
            .into_iter()
            .flat_map(|piece| {
                if !piece.overlaps(hole) {
                    return [Some(piece), None];
                }
                let before =
                    hole.start().0.checked_sub(1).and_then(|end| Range::new(piece.start(), Iova(end)));
                let after =
                    hole.end().0.checked_add(1).and_then(|start| Range::new(Iova(start), piece.end()));
                [before, after]
            })
            .flatten()
            .collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range<Iova> {
        Range::new(Iova(start), Iova(end)).unwrap()
    }

    #[test]
    fn both_ends_of_a_region_are_rounded_up() {
        assert_eq!(whole(range(0x1000, 0x2fff), 0x1000), Some(range(0x1000, 0x2fff)));
        assert_eq!(whole(range(0x1001, 0x2fff), 0x1000), Some(range(0x2000, 0x2fff)));
        assert_eq!(whole(range(0x1000, 0x2000), 0x1000), Some(range(0x1000, 0x2fff)));
        assert_eq!(whole(range(0x1001, 0x1fff), 0x1000), None, "less than a granule");
        assert_eq!(whole(range(1, u64::MAX), 0x1000), Some(range(0x1000, u64::MAX)));
        assert_eq!(whole(range(u64::MAX - 5, u64::MAX), 0x1000), None);
        assert_eq!(whole(range(0x1000, u64::MAX - 0x10), 0x1000), None, "it would leave the address space");
    }

    #[test]
    fn what_is_mapped_already_is_left_out() {
        let taken = [range(0x2000, 0x2fff), range(0x5000, 0x7fff)];
        assert_eq!(without(range(0x1000, 0x6fff), &taken), [range(0x1000, 0x1fff), range(0x3000, 0x4fff)]);
        assert_eq!(without(range(0x5000, 0x7fff), &taken), []);
        assert_eq!(without(range(0, u64::MAX), &[range(0, u64::MAX)]), []);
        assert_eq!(without(range(0x8000, 0x8fff), &taken), [range(0x8000, 0x8fff)]);
    }
}
