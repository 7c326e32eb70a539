//! Tests `memcpy`, `memmove` and `memset`, which are in assembly and therefore not tested on a host.

use alloc::vec::Vec;
use core::hint::black_box;

/// Longest text, in bytes: more than two blocks of 16, with every rest.
const LONGEST: usize = 50;

/// Offsets of source and destination, in bytes: every alignment, and every distance below a block.
const OFFSETS: usize = 17;

/// A routine that differs from a loop over bytes.
#[derive(Debug, thiserror::Error)]
#[error("{routine} of {bytes} bytes from offset {from} to offset {to} is wrong")]
pub(crate) struct WrongRoutine {
    routine: &'static str,
    bytes: usize,
    from: usize,
    to: usize,
}

/// Moves a text of each length over itself, copies it elsewhere and fills its place.
///
/// # Errors
///
/// See [`WrongRoutine`].
pub(crate) fn check() -> Result<(), WrongRoutine> {
    let fresh: Vec<u8> = (0..2 * (LONGEST + OFFSETS)).map(|at| at as u8).collect();
    for (bytes, from, to) in cases() {
        let (source, target) = (from..from + bytes, to..to + bytes);
        let apart = to + fresh.len() / 2;

        let mut moved = fresh.clone();
        moved.copy_within(source.clone(), to);
        let mut copied = fresh.clone();
        copied[apart..apart + bytes].copy_from_slice(&fresh[source.clone()]);
        let mut filled = fresh.clone();
        filled[target.clone()].fill(0xa5);

        let text = &fresh[source];
        for (routine, found, first, wanted) in [
            ("memmove", moved, to, text),
            ("memcpy", copied, apart, text),
            ("memset", filled, to, &[0xa5; LONGEST][..bytes]),
        ] {
            let expected = |at: usize| match at.checked_sub(first).and_then(|at| wanted.get(at)) {
                Some(byte) => *byte,
                None => fresh[at],
            };
            if (0..fresh.len()).any(|at| found[at] != expected(at)) {
                return Err(WrongRoutine { routine, bytes, from, to });
            }
        }
    }
    Ok(())
}

/// Each length, with each pair of offsets; numbers that the compiler does not know.
fn cases() -> impl Iterator<Item = (usize, usize, usize)> {
    let pairs = || (0..OFFSETS).flat_map(|from| (0..OFFSETS).map(move |to| (from, to)));
    (0..=LONGEST).flat_map(move |bytes| pairs().map(move |(from, to)| black_box((bytes, from, to))))
}
