//! Lists of address ranges as firmware gives them, in any order and overlapping, made into ones to rely on.

use alloc::vec::Vec;

use addr::{PhysAddr, Range};

/// Sorts `ranges` and joins those that overlap or touch.
pub(crate) fn merge(mut ranges: Vec<Range<PhysAddr>>) -> Vec<Range<PhysAddr>> {
    ranges.sort_unstable();
    let mut merged: Vec<Range<PhysAddr>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let joined = merged.last().and_then(|last| {
            let touches = last.end().checked_add(1).is_none_or(|next| range.start() <= next);
            if touches { Range::new(last.start(), last.end().max(range.end())) } else { None }
        });
        match (joined, merged.last_mut()) {
            (Some(joined), Some(last)) => *last = joined,
            _ => merged.push(range),
        }
    }
    merged
}
