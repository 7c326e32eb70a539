//! The invariants of the probe path in words, from the table in `kernel/probe/README.md`.

const README: &str = include_str!("../../../kernel/probe/README.md");

/// An invariant's sentence.
pub(crate) fn sentence(id: &str) -> Option<&'static str> {
    let row =
        README.lines().find_map(|line| line.strip_prefix("| ")?.strip_prefix(id)?.strip_prefix(" | "))?;
    row.split(" | ").next()
}

/// The number in its name, by which they are sorted.
pub(super) fn number(id: &str) -> u32 {
    id.trim_start_matches('I').parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_has_a_sentence() {
        for number in 1..=11 {
            let sentence = sentence(&format!("I{number}")).unwrap();
            assert!(sentence.len() > 20 && !sentence.contains('|'), "{sentence}");
        }
        assert_eq!(sentence("I12"), None);
        assert_eq!((number("I2"), number("I11")), (2, 11));
    }
}
