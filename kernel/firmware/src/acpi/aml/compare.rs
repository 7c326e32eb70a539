//! Comparisons: of two values, and `Match` over the elements of a package.

use super::cursor::Cursor;
use super::heap::{Object, Value};
use super::machine::Machine;
use super::opcode;
use super::operators;
use super::stop::{Reason, Stop, of_fault};

impl<'a> Machine<'a> {
    /// The first operand decides what is compared: numbers, or bytes one by one.
    pub(super) fn compare(
        &mut self,
        opcode: u16,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let (first, second) = (self.operand(terms, scope)?, self.operand(terms, scope)?);
        let order = if matches!(first, Value::Integer(_) | Value::Unknown(_)) {
            match (self.number(first, place)?, self.number(second, place)?) {
                (Ok(first), Ok(second)) => first.cmp(&second),
                (Err(cause), _) | (_, Err(cause)) => return Ok(Value::Unknown(cause)),
            }
        } else {
            let second =
                if self.is_text(first) { self.text(second, place)? } else { self.buffer(second, place)? };
            match (self.bytes(first, place)?, second) {
                (Ok(first), Ok(second)) => first.cmp(&second),
                (Err(cause), _) | (_, Err(cause)) => return Ok(Value::Unknown(cause)),
            }
        };
        Ok(self.truth(match opcode {
            opcode::LOGICAL_EQUAL => order.is_eq(),
            opcode::LOGICAL_GREATER => order.is_gt(),
            _ => order.is_lt(),
        }))
    }

    /// `Match`: the index of the first element for which both comparisons hold (ACPI 6.5, section 19.6.79).
    pub(super) fn find(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let faulty = of_fault(terms.table);
        let package = self.operand(terms, scope)?;
        let first = terms.byte().map_err(&faulty)?;
        let left = self.operand(terms, scope)?;
        let second = terms.byte().map_err(&faulty)?;
        let right = self.operand(terms, scope)?;
        let start = self.operand(terms, scope)?;
        let numbers = (self.number(left, place)?, self.number(right, place)?, self.number(start, place)?);
        let (left, right, start) = match numbers {
            (Ok(left), Ok(right), Ok(start)) => (left, right, start),
            (Err(cause), _, _) | (_, Err(cause), _) | (_, _, Err(cause)) => return Ok(Value::Unknown(cause)),
        };
        let elements = match package {
            Value::Object(handle) => match self.look(handle, place)? {
                Object::Package(elements) => elements.clone(),
                _ => return Err(Reason::Type { found: self.kind(package), expected: "a package" }.at(place)),
            },
            Value::Unknown(_) => return Ok(package),
            other => return Err(Reason::Type { found: self.kind(other), expected: "a package" }.at(place)),
        };
        for (index, element) in elements.iter().enumerate().skip(usize::try_from(start).unwrap_or(usize::MAX))
        {
            self.step(place)?;
            let Value::Integer(number) = *element else { continue };
            if operators::matches(first, number, left) && operators::matches(second, number, right) {
                return Ok(Value::Integer(index as u64));
            }
        }
        Ok(self.truth(true))
    }
}
