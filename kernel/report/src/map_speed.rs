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
    /// Many mappings made together, and removed together.
    pub batched: MapRate,
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
}

impl MapSpeed {
    /// How many times faster batches are, in tenths.
    #[must_use]
    pub fn gain_in_tenths(&self) -> u64 {
        self.batched.pairs_per_second().saturating_mul(10) / self.one_by_one.pairs_per_second().max(1)
    }
}

impl fmt::Display for MapSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iommu, granule, one_by_one, batched } = self;
        writeln!(f, "Mappings of {granule:#x} bytes on {iommu}:")?;
        for (name, rate) in [("one by one", one_by_one), ("batched", batched)] {
            let pairs = rate.pairs_per_second();
            writeln!(
                f,
                "\t{name:10} {} requests for each notification; {pairs} mappings made and removed in a second, {} MiB \
                 mapped in a second",
                rate.requests_per_notification(),
                pairs.saturating_mul(*granule) >> 20,
            )?;
        }
        let gain = self.gain_in_tenths();
        writeln!(f, "\tbatches of {} are {}.{} times as fast", batched.batch, gain / 10, gain % 10)
    }
}
