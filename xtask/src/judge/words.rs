//! Words for differences, and numbers as reports and Linux write them.

use std::fmt::Write as _;

/// `{a, b}`
pub(super) fn set(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::from("{");
    for (number, item) in items.into_iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{item}");
    }
    text + "}"
}

/// `0x8020000`
pub(super) fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
