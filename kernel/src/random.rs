//! Pseudo-random numbers that depend only on the seed (SplitMix64: Steele, Lea and Flood, 2014).

/// A sequence of pseudo-random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u64);

impl Random {
    /// True once in `times`, on average.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.up_to(times - 1) == 0
    }

    /// A number from 0 to `bound`, both included.
    pub fn up_to(&mut self, bound: u64) -> u64 {
        let mixed = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        mixed % bound.saturating_add(1)
    }
}

/// Increment of the state for each number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number for `state`; each of its bits depends on every bit of `state`.
pub(crate) fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
