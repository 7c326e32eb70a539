//! Hardware IDs.

use alloc::format;
use alloc::string::String;

/// Longest ID; the longest kind that the specification has, `NNNN####`, has 8 letters.
const MAX_ID: usize = 64;

/// The ID that a number encodes (ACPI 6.5, section 19.3.4, `EISAID`): three letters of five bits each,
/// then four hexadecimal digits, the first letter in the lowest byte.
///
/// `None` if the number encodes none.
pub(super) fn eisa(number: u64) -> Option<String> {
    let bits = u32::try_from(number).ok()?.swap_bytes();
    let letter = |shift: u32| {
        let index = (bits >> shift) & 0x1f;
        (1..=26).contains(&index).then(|| char::from(b'A' - 1 + index as u8))
    };
    if bits >> 31 != 0 {
        return None;
    }
    Some(format!("{}{}{}{:04X}", letter(26)?, letter(21)?, letter(16)?, bits & 0xffff))
}

/// The ID that a text is: printable, without spaces, not too long.
pub(super) fn text(text: &str) -> Option<String> {
    let good = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| String::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_encodes_three_letters_and_four_digits() {
        assert_eq!(eisa(0x030a_d041).as_deref(), Some("PNP0A03"));
        assert_eq!(eisa(0x080a_d041).as_deref(), Some("PNP0A08"));
        assert_eq!(eisa(0x0001_a305).as_deref(), Some("AMC0100"));
        assert_eq!(eisa(0xefbe_d041).as_deref(), Some("PNPBEEF"));
    }

    #[test]
    fn a_number_that_encodes_no_letters_is_no_id() {
        for number in [0, 1, u64::MAX, 0x1_030a_d041, 0x030a_d0c1, 0x030a_d07f] {
            assert_eq!(eisa(number), None, "{number:#x}");
        }
    }

    #[test]
    fn a_text_with_spaces_or_nothing_in_it_is_no_id() {
        assert_eq!(text("LNRO0005").as_deref(), Some("LNRO0005"));
        for bad in ["", " ", "PNP 0A03", "a\u{7}b"] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }
}
