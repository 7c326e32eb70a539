//! From one type of value to another (ACPI 6.5, section 19.3.5).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::heap::{Known, Object, Value};
use super::machine::Machine;
use super::stop::{Reason, Stop};

impl Machine<'_> {
    /// What kind of value it is, for messages.
    pub(super) fn kind(&self, value: Value) -> &'static str {
        match value {
            Value::Uninitialized => "nothing",
            Value::Integer(_) => "an integer",
            Value::Reference(_) => "a reference",
            Value::Unknown(_) => "an unknown value",
            Value::Object(handle) => match self.heap.get(handle) {
                Some(Object::Text(_)) => "a string",
                Some(Object::Buffer(_) | Object::Unknown(_)) => "a buffer",
                Some(Object::Package(_)) => "a package",
                None => "nothing",
            },
        }
    }

    /// A number: that of a text are its hexadecimal digits, that of a buffer its first bytes. The inner error is a value
    /// that is not known.
    pub(super) fn number(&self, value: Value, place: (usize, usize)) -> Result<Known<u64>, Stop> {
        Ok(match value {
            Value::Integer(number) => Ok(number),
            Value::Unknown(cause) => Err(cause),
            Value::Object(handle) => match self.look(handle, place)? {
                Object::Text(text) => Ok(self.narrowed(digits(text, 16))),
                Object::Buffer(bytes) => Ok(self.narrowed(little_endian(bytes))),
                Object::Unknown(cause) => Err(*cause),
                Object::Package(_) => {
                    return Err(Reason::Type { found: "a package", expected: "an integer" }.at(place));
                }
            },
            Value::Reference(_) | Value::Uninitialized => {
                return Err(Reason::Type { found: self.kind(value), expected: "an integer" }.at(place));
            }
        })
    }

    /// The bytes of a number in memory.
    fn width(&self) -> usize {
        if self.narrow { 4 } else { 8 }
    }

    /// A text or a buffer, as bytes: those of a text without its zero.
    pub(super) fn bytes(&mut self, value: Value, place: (usize, usize)) -> Result<Known<Vec<u8>>, Stop> {
        if let Value::Object(handle) = value {
            let room = self.look(handle, place)?.bytes();
            self.count_bytes(room, place)?;
        }
        Ok(match value {
            Value::Integer(number) => Ok(number.to_le_bytes()[..self.width()].to_vec()),
            Value::Unknown(cause) => Err(cause),
            Value::Object(handle) => match self.look(handle, place)? {
                Object::Text(bytes) | Object::Buffer(bytes) => Ok(bytes.clone()),
                Object::Unknown(cause) => Err(*cause),
                Object::Package(_) => {
                    return Err(Reason::Type { found: "a package", expected: "a buffer" }.at(place));
                }
            },
            Value::Reference(_) | Value::Uninitialized => {
                return Err(Reason::Type { found: self.kind(value), expected: "a buffer" }.at(place));
            }
        })
    }

    /// A buffer: that of a text has its zero as well.
    pub(super) fn buffer(&mut self, value: Value, place: (usize, usize)) -> Result<Known<Vec<u8>>, Stop> {
        let is_text = self.is_text(value);
        let bytes = self.bytes(value, place)?;
        Ok(bytes.map(|mut bytes| {
            bytes.extend(is_text.then_some(0));
            bytes
        }))
    }

    pub(super) fn is_text(&self, value: Value) -> bool {
        matches!(value, Value::Object(handle) if matches!(self.heap.get(handle), Some(Object::Text(_))))
    }

    /// A text: of a number all its hexadecimal digits, of a buffer those of each byte.
    pub(super) fn text(&mut self, value: Value, place: (usize, usize)) -> Result<Known<Vec<u8>>, Stop> {
        if let Value::Integer(number) = value {
            let digits = 2 * self.width();
            return Ok(Ok(format!("{number:0digits$X}").into_bytes()));
        }
        let is_text = self.is_text(value);
        Ok(self
            .bytes(value, place)?
            .map(|bytes| if is_text { bytes } else { list(&bytes, ' ', |byte| format!("0x{byte:02X}")) }))
    }
}

/// The bytes of a buffer as text.
pub(super) fn list(bytes: &[u8], separator: char, one: impl Fn(u8) -> String) -> Vec<u8> {
    let mut text = String::new();
    for (index, &byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(separator);
        }
        text.push_str(&one(byte));
    }
    text.into_bytes()
}

/// The number whose digits a text begins with, behind spaces and `0x`; what does not fit is cut off.
pub(super) fn digits(text: &[u8], radix: u32) -> u64 {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(text.len());
    let text = &text[start..];
    let text = if radix == 16 {
        text.strip_prefix(b"0x").or(text.strip_prefix(b"0X")).unwrap_or(text)
    } else {
        text
    };
    let digits = text.iter().map_while(|&byte| char::from(byte).to_digit(radix));
    digits.fold(0, |number: u64, digit| number.wrapping_mul(u64::from(radix)).wrapping_add(u64::from(digit)))
}

/// The number that up to eight bytes are.
pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
