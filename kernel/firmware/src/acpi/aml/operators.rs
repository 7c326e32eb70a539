//! Operators that compute a value of values (ACPI 6.5, chapter 19.6).

use alloc::format;
use alloc::vec::Vec;

use super::convert::{digits, list};
use super::heap::{Known, Object, Value};
use super::machine::Machine;
use super::opcode;
use super::stop::{Reason, Stop};

/// What follows an opcode.
pub(super) struct Form {
    pub(super) operands: usize,
    pub(super) has_target: bool,
}

/// The form of an operator of this module.
pub(super) fn form(opcode: u16) -> Option<Form> {
    let is_computed = matches!(
        opcode,
        opcode::ADD
            | opcode::CONCATENATE
            | opcode::SUBTRACT
            | opcode::MULTIPLY
            | opcode::SHIFT_LEFT..=opcode::FIND_SET_RIGHT_BIT
            | opcode::CONCATENATE_TEMPLATE
            | opcode::MOD
            | opcode::SIZE_OF
            | opcode::TO_BUFFER..=opcode::TO_INTEGER
            | opcode::TO_STRING
            | opcode::MID
            | opcode::FROM_BCD
            | opcode::TO_BCD
    );
    let (_, form) = opcode::operator(opcode).filter(|_| is_computed)?;
    let operands = form.bytes().filter(|item| *item == b't').count();
    Some(Form { operands, has_target: form.ends_with('s') })
}

/// One comparison of `Match`.
pub(super) fn matches(comparison: u8, number: u64, with: u64) -> bool {
    match comparison {
        0 => true,
        1 => number == with,
        2 => number <= with,
        3 => number < with,
        4 => number >= with,
        5 => number > with,
        _ => false,
    }
}

impl Machine<'_> {
    /// The result of an operator; [`form`] has its number of operands.
    pub(super) fn compute(
        &mut self,
        opcode: u16,
        operands: &[Value; 3],
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let [first, second, third] = *operands;
        match opcode {
            opcode::NOT | opcode::FIND_SET_LEFT_BIT | opcode::FIND_SET_RIGHT_BIT => {
                let number = self.number(first, place)?;
                Ok(self.known(number.map(|number| one(opcode, number))))
            }
            opcode::FROM_BCD => {
                let number = self.number(first, place)?;
                let digit = |number: u64, index: u32| (number >> (4 * index) & 0xf) * 10_u64.pow(index);
                Ok(self.known(number.map(|number| (0..16).map(|index| digit(number, index)).sum())))
            }
            opcode::TO_BCD => {
                let number = self.number(first, place)?;
                let digit = |number: u64, index: u32| (number / 10_u64.pow(index) % 10) << (4 * index);
                Ok(self.known(number.map(|number| (0..16).map(|index| digit(number, index)).sum())))
            }
            opcode::TO_INTEGER => self.integer_of(first, place),
            opcode::TO_BUFFER => {
                let bytes = self.buffer(first, place)?.map(Object::Buffer);
                self.made(bytes, place)
            }
            opcode::TO_HEX_STRING | opcode::TO_DECIMAL_STRING => self.text_of(opcode, first, place),
            opcode::SIZE_OF => self.size(first, place),
            opcode::TO_STRING => {
                let (bytes, most) = (self.bytes(first, place)?, self.number(second, place)?);
                let text = both(bytes, most).map(|(bytes, most)| {
                    let most = usize::try_from(most).unwrap_or(usize::MAX);
                    Object::Text(bytes.into_iter().take(most).take_while(|byte| *byte != 0).collect())
                });
                self.made(text, place)
            }
            opcode::MID => {
                let is_text = self.is_text(first);
                let bytes = self.bytes(first, place)?;
                let range = both(self.number(second, place)?, self.number(third, place)?);
                let part = both(bytes, range).map(|(bytes, (start, length))| {
                    let clip = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                    let part: Vec<u8> = bytes.into_iter().skip(clip(start)).take(clip(length)).collect();
                    if is_text { Object::Text(part) } else { Object::Buffer(part) }
                });
                self.made(part, place)
            }
            opcode::CONCATENATE => self.concatenate(first, second, place),
            opcode::CONCATENATE_TEMPLATE => {
                let pair = both(self.bytes(first, place)?, self.bytes(second, place)?);
                let joined = pair.map(|(first, second)| {
                    let end = [0x79, 0];
                    Object::Buffer([descriptors(&first), descriptors(&second), &end].concat())
                });
                self.made(joined, place)
            }
            _ => {
                let pair = both(self.number(first, place)?, self.number(second, place)?);
                if opcode == opcode::MOD && matches!(pair, Ok((_, 0))) {
                    return Err(Reason::Zero("Mod").at(place));
                }
                Ok(self.known(pair.map(|(first, second)| two(opcode, first, second))))
            }
        }
    }

    fn made(&mut self, object: Known<Object>, place: (usize, usize)) -> Result<Value, Stop> {
        match object {
            Ok(object) => self.object(object, place),
            Err(cause) => Ok(Value::Unknown(cause)),
        }
    }

    /// Unlike an implicit conversion, this one takes decimal digits as such.
    fn integer_of(&mut self, value: Value, place: (usize, usize)) -> Result<Value, Stop> {
        if !self.is_text(value) {
            return Ok(self.known(self.number(value, place)?));
        }
        let text = self.bytes(value, place)?;
        Ok(self.known(text.map(|text| {
            let trimmed = text.trim_ascii_start();
            let is_hexadecimal = trimmed.starts_with(b"0x") || trimmed.starts_with(b"0X");
            digits(trimmed, if is_hexadecimal { 16 } else { 10 })
        })))
    }

    fn text_of(&mut self, opcode: u16, value: Value, place: (usize, usize)) -> Result<Value, Stop> {
        let is_decimal = opcode == opcode::TO_DECIMAL_STRING;
        let text = if let Value::Integer(number) = value {
            if !is_decimal {
                return self.text(value, place).and_then(|text| self.made(text.map(Object::Text), place));
            }
            Ok(format!("{number}").into_bytes())
        } else if self.is_text(value) {
            self.bytes(value, place)?
        } else {
            let one = |byte| if is_decimal { format!("{byte}") } else { format!("0x{byte:02X}") };
            self.bytes(value, place)?.map(|bytes| list(&bytes, ',', one))
        };
        self.made(text.map(Object::Text), place)
    }

    fn size(&mut self, value: Value, place: (usize, usize)) -> Result<Value, Stop> {
        let value =
            if matches!(value, Value::Reference(_)) { self.dereference(value, place)? } else { value };
        match value {
            Value::Unknown(_) => Ok(value),
            Value::Object(handle) => Ok(match self.look(handle, place)? {
                Object::Text(bytes) | Object::Buffer(bytes) => Value::Integer(bytes.len() as u64),
                Object::Package(elements) => Value::Integer(elements.len() as u64),
                Object::Unknown(cause) => Value::Unknown(*cause),
            }),
            other => {
                let expected = "a string, a buffer or a package";
                Err(Reason::Type { found: self.kind(other), expected }.at(place))
            }
        }
    }

    /// The first operand decides the type: two numbers make a buffer.
    fn concatenate(&mut self, first: Value, second: Value, place: (usize, usize)) -> Result<Value, Stop> {
        let object = if self.is_text(first) {
            let pair = both(self.bytes(first, place)?, self.text(second, place)?);
            pair.map(|(first, second)| Object::Text([first, second].concat()))
        } else {
            let second = if matches!(first, Value::Integer(_)) && !matches!(second, Value::Integer(_)) {
                let number = self.number(second, place)?;
                let number = self.known(number);
                self.bytes(number, place)?
            } else {
                self.buffer(second, place)?
            };
            let pair = both(self.bytes(first, place)?, second);
            pair.map(|(first, second)| Object::Buffer([first, second].concat()))
        };
        self.made(object, place)
    }
}

/// Both, if both are known.
fn both<A, B>(first: Known<A>, second: Known<B>) -> Known<(A, B)> {
    Ok((first?, second?))
}

/// A template without its end tag.
fn descriptors(template: &[u8]) -> &[u8] {
    let mut at = 0;
    // Each turn goes on by a byte at least.
    while let Some(&first) = template.get(at) {
        if first & 0xf8 == 0x78 {
            return &template[..at];
        }
        let length = match (first & 0x80, template.get(at + 1), template.get(at + 2)) {
            (0, ..) => 1 + usize::from(first & 7),
            (_, Some(&low), Some(&high)) => 3 + usize::from(u16::from_le_bytes([low, high])),
            _ => break,
        };
        at += length;
    }
    template
}

/// An operator over one number; bits count from 1, and 0 is none.
fn one(opcode: u16, number: u64) -> u64 {
    match opcode {
        opcode::NOT => !number,
        opcode::FIND_SET_LEFT_BIT => u64::from(u64::BITS - number.leading_zeros()),
        _ if number == 0 => 0,
        _ => u64::from(number.trailing_zeros()) + 1,
    }
}

fn two(opcode: u16, first: u64, second: u64) -> u64 {
    let shift = u32::try_from(second).unwrap_or(u32::MAX);
    match opcode {
        opcode::ADD => first.wrapping_add(second),
        opcode::SUBTRACT => first.wrapping_sub(second),
        opcode::MULTIPLY => first.wrapping_mul(second),
        opcode::SHIFT_LEFT => first.checked_shl(shift).unwrap_or(0),
        opcode::SHIFT_RIGHT => first.checked_shr(shift).unwrap_or(0),
        opcode::AND => first & second,
        opcode::NAND => !(first & second),
        opcode::OR => first | second,
        opcode::NOR => !(first | second),
        opcode::XOR => first ^ second,
        // `Mod`, whose divisor is not 0.
        _ => first.checked_rem(second).unwrap_or(0),
    }
}
