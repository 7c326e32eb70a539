//! Which mappings are refused before a request is sent, apart from those that overlap another.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, Range};
use probe::{Prot, RefusalCause, ReservedRegion};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::domain::Mapping;
use crate::driver::Viommu;
use crate::features::Features;

/// Why a mapping is refused.
type Objection = (RefusalCause, String);

/// What mappings of one domain must keep to.
pub(super) struct MapRules {
    granule: u64,
    aperture: Range<Iova>,
    has_mmio: bool,
    /// The regions that the device has reserved, with the endpoints of the domain that they are for.
    reserved: Vec<(EndpointId, Range<Iova>)>,
}

impl MapRules {
    /// The rules for a domain with its present endpoints.
    pub(super) fn in_domain<H: Hal, T: Transport, C: Clock>(viommu: &Viommu<H, T, C>, id: u32) -> Self {
        let members = viommu.domains.get(id).into_iter().flat_map(|domain| domain.members());
        let regions = members
            .flat_map(|member| viommu.device_regions(member).map(move |region| (member, region.range)));
        Self {
            granule: viommu.config.granule(),
            aperture: viommu.config.input_range,
            has_mmio: viommu.features().contains(Features::MMIO),
            reserved: regions.collect(),
        }
    }

    /// Why a mapping is refused, if it is.
    pub(super) fn objection(&self, mapping: &Mapping, prot: Prot) -> Option<Objection> {
        let Mapping { iova, phys, .. } = *mapping;
        let granule = self.granule;
        if (iova.start().0 | iova.end().0.wrapping_add(1) | phys.0) & (granule - 1) != 0 {
            return Some((RefusalCause::Range, format!("not a multiple of the granule {granule:#x}")));
        }
        if !is_mappable(&iova) {
            return Some((RefusalCause::Range, "a mapping of one byte cannot be requested".into()));
        }
        if !self.aperture.encloses(&iova) {
            return Some((RefusalCause::Range, format!("outside the aperture {}", self.aperture)));
        }
        if phys.checked_add(iova.end().0 - iova.start().0).is_none() {
            return Some((RefusalCause::Range, "the physical range exceeds the address space".into()));
        }
        if !prot.read && !prot.write {
            return Some((RefusalCause::Invalid, "neither readable nor writable".into()));
        }
        if prot.mmio && !self.has_mmio {
            return Some((RefusalCause::Unsupported, "the device does not have MMIO mappings".into()));
        }
        let (endpoint, region) = self.reserved.iter().find(|(_, region)| region.overlaps(&iova))?;
        let why = format!("overlaps region {region}, which is reserved for endpoint {endpoint}");
        Some((RefusalCause::Invalid, why))
    }
}

/// Why a mapping is refused that overlaps another.
pub(super) fn overlap(other: Mapping) -> Objection {
    (RefusalCause::Invalid, format!("overlaps the mapping of {}", other.iova))
}

/// Whether MAP can express the range: its last address must be greater than its first (virtio 1.2,
/// section 5.13.6.5.1), also on a device whose granule is one byte.
pub(crate) fn is_mappable(iova: &Range<Iova>) -> bool {
    iova.start() < iova.end()
}

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// The regions that the device has reserved for an endpoint; empty if the endpoint was not
    /// probed.
    pub(crate) fn device_regions(&self, endpoint: EndpointId) -> impl Iterator<Item = &ReservedRegion> {
        self.reserved.get(endpoint).into_iter().flatten()
    }
}
