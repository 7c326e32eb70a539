//! How fast an IOMMU makes and removes mappings (`map-speed=`).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The rates of one IOMMU, in a domain that has an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapSpeed {
    /// Name of the IOMMU.
    pub iommu: String,
    /// Size of each mapping in bytes: the IOMMU's granule.
    pub granule: u64,
    /// Each mapping made and removed on its own.
    pub one_by_one: MapRate,
    /// Many mappings made together, and removed together: a request for each that is made.
    pub batched: MapRate,
    /// As many that continue each other, which the driver may join.
    pub joined: MapRate,
}

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRate {
    /// Mappings in each batch.
    pub batch: u64,
    /// Mappings that were made and removed.
    pub pairs: u64,
    /// Requests that the driver sent.
    pub requests: u64,
    /// Notifications of the device for them.
    pub notifications: u64,
    /// Time that it took, in microseconds.
    pub duration_us: u64,
}

impl MapRate {
    /// Mappings made and removed in a second.
    #[must_use]
    pub fn pairs_per_second(&self) -> u64 {
        self.pairs.saturating_mul(1_000_000) / self.duration_us.max(1)
    }

    /// Requests for each notification, rounded down.
    #[must_use]
    pub fn requests_per_notification(&self) -> u64 {
        self.requests / self.notifications.max(1)
    }

    /// How many times faster than `other`, in tenths.
    #[must_use]
    pub fn gain_in_tenths(&self, other: &Self) -> u64 {
        self.pairs_per_second().saturating_mul(10) / other.pairs_per_second().max(1)
    }
}

impl MapSpeed {
    /// All measurements, with their names.
    #[must_use]
    pub fn rates(&self) -> [(&'static str, MapRate); 3] {
        [("one by one", self.one_by_one), ("batched", self.batched), ("joined", self.joined)]
    }
}

impl fmt::Display for MapSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iommu, granule, one_by_one, .. } = self;
        writeln!(f, "Mappings of {granule:#x} bytes on {iommu}, made and removed:")?;
        for (name, rate) in self.rates() {
            let (per_second, batches) = (rate.pairs_per_second(), (rate.pairs / rate.batch.max(1)).max(1));
            let gain = rate.gain_in_tenths(one_by_one);
            writeln!(
                f,
                "\t{name:10} {per_second:>9} in a second ({} MiB), {}.{} times one by one; {} requests with {} \
                 notifications for {}",
                per_second.saturating_mul(*granule) >> 20,
                gain / 10,
                gain % 10,
                rate.requests / batches,
                rate.notifications / batches,
                rate.batch,
            )?;
        }
        Ok(())
    }
}
