//! The address bits that a device can drive.

/// The number of address bits that a device can drive in DMA (Linux: `dma_set_mask`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DmaMask {
    bits: u32,
}

impl DmaMask {
    /// A device without a limit.
    pub const ALL: Self = Self { bits: u64::BITS };

    /// A device that drives the lowest `bits` bits; 64 if there are more.
    #[must_use]
    pub const fn of_bits(bits: u32) -> Self {
        Self { bits: if bits > u64::BITS { u64::BITS } else { bits } }
    }

    /// The number of bits, at most 64.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// The highest address that the device can reach.
    #[must_use]
    pub const fn last_address(self) -> u64 {
        match u64::MAX.checked_shr(u64::BITS - self.bits) {
            Some(last) => last,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DmaMask;

    #[test]
    fn the_highest_address_follows_from_the_number_of_bits() {
        assert_eq!(DmaMask::of_bits(28).last_address(), 0x0fff_ffff);
        assert_eq!(DmaMask::ALL.last_address(), u64::MAX);
        assert_eq!(DmaMask::of_bits(0).last_address(), 0);
        assert_eq!(DmaMask::of_bits(65), DmaMask::ALL);
    }
}
