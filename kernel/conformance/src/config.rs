//! The configuration space (virtio 1.2, section 5.13.4).

use crate::device::{Device, feature};

/// The page after the last one that a case maps, except at the ends of the address space.
const LAST_PAGE: u64 = 0x2000;

/// The fields, as the device presents them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) page_size_mask: u64,
    pub(crate) input_range: (u64, u64),
    pub(crate) domain_range: (u32, u32),
    pub(crate) probe_size: u32,
    pub(crate) bypass: u8,
}

impl Config {
    /// Reads the fields; a range is the widest one if its feature is not offered.
    pub(crate) fn of_device(device: &mut dyn Device) -> Self {
        let (bytes, offered) = (device.config(), device.offered());
        let word =
            |at: usize| (0..4).fold(0, |word, index| word | u32::from(bytes[at + index]) << (8 * index));
        let double = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let has = |feature| offered & feature != 0;
        Self {
            page_size_mask: double(0),
            input_range: if has(feature::INPUT_RANGE) { (double(8), double(16)) } else { (0, u64::MAX) },
            domain_range: if has(feature::DOMAIN_RANGE) { (word(24), word(28)) } else { (0, u32::MAX) },
            probe_size: word(32),
            bypass: bytes[36],
        }
    }

    /// Bytes of the smallest mapping.
    pub(crate) fn granule(&self) -> u64 {
        1 << self.page_size_mask.trailing_zeros().min(63)
    }

    /// Why the cases cannot send requests to a device with this configuration, if they cannot.
    ///
    /// They use three domains, the pages up to [`LAST_PAGE`], and all addresses below 4 GiB.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        let (first, last) = self.input_range;
        let end = LAST_PAGE.checked_mul(self.granule());
        let is_wide = end.is_some_and(|end| first == 0 && last >= end.max(u64::from(u32::MAX)));
        let (first_domain, last_domain) = self.domain_range;
        if self.page_size_mask == 0 {
            Some("page_size_mask is 0")
        } else if !is_wide {
            Some("input_range is too narrow")
        } else if first_domain > last_domain || last_domain - first_domain < 2 {
            Some("domain_range is too narrow")
        } else {
            None
        }
    }
}
