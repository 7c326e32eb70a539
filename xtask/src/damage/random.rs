//! Values that are likely to be wrong in an interesting way.

use fastrand::Rng;

/// The generator of boot number `boot` of `seed`: each boot has its own, so that it can be repeated alone.
pub(super) fn of_boot(seed: u64, boot: u64) -> Rng {
    let mut all = Rng::with_seed(seed);
    // Two numbers in a row are far apart.
    Rng::with_seed(all.u64(..) ^ boot.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Small numbers, ends of ranges, and what a field of `bytes` bytes holds now with a bit or a step changed.
pub(super) fn value(rng: &mut Rng, old: u64, bytes: usize) -> u64 {
    let bits = bytes as u32 * 8;
    let all_ones = u64::MAX >> (64 - bits);
    let value = match rng.u8(0..10) {
        0 => 0,
        1 => rng.u64(..=16),
        2 => all_ones,
        3 => all_ones - rng.u64(..=16),
        4 => 1 << rng.u32(0..bits),
        5 => (1 << rng.u32(0..bits)) - 1,
        6 => old ^ 1 << rng.u32(0..bits),
        7 => old.wrapping_add(rng.u64(1..=8)),
        8 => old.wrapping_sub(rng.u64(1..=8)),
        _ => rng.u64(..),
    };
    value & all_ones
}

/// One of `all`; none if there is none.
pub(super) fn one_of<'a, T>(rng: &mut Rng, all: &'a [T]) -> Option<&'a T> {
    (!all.is_empty()).then(|| &all[rng.usize(..all.len())])
}

/// Replaces one byte of `bytes` in `range`, and returns which.
pub(super) fn byte(rng: &mut Rng, bytes: &mut [u8], range: std::ops::Range<usize>) -> Option<String> {
    let range = range.start..range.end.min(bytes.len());
    if range.is_empty() {
        return None;
    }
    let at = rng.usize(range);
    let (old, new) = (bytes[at], value(rng, bytes[at].into(), 1) as u8);
    bytes[at] = new;
    Some(format!("byte {at:#x}: {old:#04x} becomes {new:#04x}"))
}

/// Cuts `bytes` off at a random offset, and returns it.
pub(super) fn cut(rng: &mut Rng, bytes: &mut Vec<u8>) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let length = rng.usize(..bytes.len());
    let what = format!("cut from {} to {length} bytes", bytes.len());
    bytes.truncate(length);
    Some(what)
}
