//! How fast mappings are made and removed (`map-speed=`): each on its own, in batches, and joined to one.
//!
//! The mappings are at the top of the aperture, in the default domain of a group whose devices do no DMA
//! during the measurement. Every one of them is a request to the device, because the domain has an
//! endpoint.

use alloc::vec::Vec;

use addr::{Iova, PhysAddr, Range};
use kernel::machine::clock::micros;
use kernel::{LiveDomain, Probing};
use probe::{Mapping, Prot, Refusal};
use report::{MapRate, MapSpeed};

/// Mappings in a batch: as many as Linux's flush queue holds (`IOVA_DEFAULT_FQ_SIZE`).
const BATCH: u64 = 256;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapSpeedError {
    /// No IOMMU translates for a device.
    #[error("map-speed: no device has a paging domain")]
    NoDomain,
    /// The addresses do not fit.
    #[error("map-speed: the aperture {0} is too small for {BATCH} mappings")]
    Aperture(Range<Iova>),
    /// The IOMMU refuses.
    #[error("map-speed: {0}")]
    Refused(Refusal),
}

impl From<Refusal> for MapSpeedError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Makes and removes at least `pairs` mappings in each way.
///
/// # Errors
///
/// See [`MapSpeedError`].
pub(crate) fn run(probing: &Probing, pairs: u64) -> Result<MapSpeed, MapSpeedError> {
    let live = probing.live_domain().ok_or(MapSpeedError::NoDomain)?;
    let granule = live.iommu.borrow().granule();
    let mappings = at_the_top(live.iommu.borrow().aperture(), granule)?;
    let ranges: Vec<_> = mappings.iter().map(|mapping| mapping.iova).collect();
    let domain = live.domain;
    let rounds = pairs.div_ceil(BATCH);
    let one_by_one = measure(&live, 1, rounds, || {
        let mut iommu = live.iommu.borrow_mut();
        for Mapping { iova, phys, prot } in &mappings {
            iommu.map(domain, *iova, *phys, *prot)?;
            iommu.unmap(domain, *iova)?;
        }
        Ok(())
    })?;
    let batched = measure(&live, BATCH, rounds, || {
        let mut iommu = live.iommu.borrow_mut();
        iommu.map_all(domain, &mappings).into_iter().collect::<Result<(), _>>()?;
        iommu.unmap_all(domain, &ranges).into_iter().collect()
    })?;
    // The same addresses, but each mapping leads to the memory after that of the one before.
    let adjacent: Vec<_> = (0..)
        .zip(&mappings)
        .map(|(number, mapping)| Mapping { phys: PhysAddr(number * granule), ..*mapping })
        .collect();
    let joined = measure(&live, BATCH, rounds, || {
        let mut iommu = live.iommu.borrow_mut();
        iommu.map_joined(domain, &adjacent).into_iter().collect::<Result<(), _>>()?;
        iommu.unmap_all(domain, &ranges).into_iter().collect()
    })?;
    Ok(MapSpeed { iommu: live.name.clone(), granule, one_by_one, batched, joined })
}

/// Mappings of one granule each at the end of the aperture, all to the same address, which no device accesses.
fn at_the_top(aperture: Range<Iova>, granule: u64) -> Result<Vec<Mapping>, MapSpeedError> {
    let too_small = MapSpeedError::Aperture(aperture);
    // The last granule that lies in the aperture as a whole.
    let end = aperture.end().0;
    let last = if end % granule == granule - 1 { end / granule } else { (end / granule).saturating_sub(1) };
    let Some(first) = last.checked_sub(BATCH - 1) else { return Err(too_small) };
    if first * granule < aperture.start().0 {
        return Err(too_small);
    }
    let prot = Prot { read: true, write: false, mmio: false };
    let mapping = |number| {
        let iova = Range::from_size(Iova(number * granule), granule)?;
        Some(Mapping { iova, phys: PhysAddr(0), prot })
    };
    (first..=last).map(mapping).collect::<Option<_>>().ok_or(too_small)
}

fn measure(
    live: &LiveDomain,
    batch: u64,
    rounds: u64,
    mut round: impl FnMut() -> Result<(), Refusal>,
) -> Result<MapRate, Refusal> {
    let (before, start) = ((live.counters)(), micros());
    for _ in 0..rounds {
        round()?;
    }
    let (after, end) = ((live.counters)(), micros());
    Ok(MapRate {
        batch,
        pairs: rounds * BATCH,
        requests: after.requests - before.requests,
        notifications: after.notifications - before.notifications,
        duration_us: end - start,
    })
}
