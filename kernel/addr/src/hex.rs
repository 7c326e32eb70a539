//! Hexadecimal text.
//!
//! Nearly every name and number in a report is one. The formatting machinery of `core` prints them with several hundred
//! instructions, of which an emulator translates each in every boot.

/// The digits.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A number as `{:#x}` prints it.
#[derive(Clone, Copy, Debug)]
pub struct Hex {
    /// The text, at the end.
    text: [u8; 18],
    /// Where it starts.
    start: usize,
}

impl Hex {
    /// The text of `number`.
    #[must_use]
    #[inline(never)]
    pub const fn new(mut number: u64) -> Self {
        let mut text = [0; 18];
        let mut start = text.len();
        loop {
            start -= 1;
            text[start] = DIGITS[(number % 16) as usize];
            number /= 16;
            if number == 0 {
                break;
            }
        }
        text[start - 1] = b'x';
        text[start - 2] = b'0';
        Self { text, start: start - 2 }
    }

    /// With `0x` in front.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[self.start..]).unwrap_or_default()
    }

    /// The digits alone.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.as_str()[2..]
    }
}

/// Replaces each `#` in `text` by a digit of `number`, the last one by its lowest digit.
#[inline(never)]
pub fn fill(text: &mut [u8], mut number: u64) {
    for place in text.iter_mut().rev() {
        if *place == b'#' {
            *place = DIGITS[(number % 16) as usize];
            number /= 16;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn numbers_look_as_they_do_elsewhere() {
        for number in [0, 1, 0xf, 0x10, 0xabc_def0, u64::MAX - 1, u64::MAX] {
            assert_eq!(Hex::new(number).as_str(), format!("{number:#x}"));
            assert_eq!(Hex::new(number).digits(), format!("{number:x}"));
        }
    }

    #[test]
    fn digits_take_the_places_of_a_pattern() {
        let mut text = *b"####:0x##-#";
        fill(&mut text, 0xf00_12ab);
        assert_eq!(&text, b"f001:0x2a-b");
        fill(&mut text, 0);
        assert_eq!(&text, b"f001:0x2a-b");
    }
}
