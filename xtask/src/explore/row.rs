//! An exploration as a row of a table.

use std::collections::BTreeSet;

use scenario::Exploration;

use crate::replay::list;

/// Path, states, transitions, orders, partitions, broken.
pub(super) fn row(found: &Exploration) -> Vec<String> {
    let broken: BTreeSet<&str> = found.broken.iter().map(|broken| broken.id).collect();
    let at_least = if found.complete { "" } else { "more than " };
    vec![
        found.path.to_string(),
        format!("{at_least}{}", number(found.states as u128)),
        format!("{at_least}{}", number(found.transitions as u128)),
        match found.orders {
            Some(orders) => number(orders),
            None if found.complete => "more than 3.4 × 10^38, or no end".into(),
            None => "not all tried".into(),
        },
        format!("{at_least}{}", found.partitions.len()),
        if broken.is_empty() { "-".into() } else { list(&broken) },
    ]
}

/// A number as people read it: thousands apart, and of long ones the beginning.
pub(super) fn number(number: u128) -> String {
    let digits = number.to_string();
    if digits.len() > 15 {
        return format!("{}.{} × 10^{}", &digits[..1], &digits[1..3], digits.len() - 1);
    }
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
