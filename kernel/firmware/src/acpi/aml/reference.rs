//! References: what they are to, what they lead to, and what kind of object that is (ACPI 6.5, section 19.6).

use super::cursor::{Cursor, begins_name};
use super::heap::{Cause, Object, Reference, UnknownSource, Value};
use super::machine::{LOCALS, Machine};
use super::opcode;
use super::stop::{Reason, Stop, of_fault};
use super::store::slot;
use super::tree::Kind;

impl<'a> Machine<'a> {
    /// What a reference leads to.
    pub(super) fn dereference(&mut self, value: Value, place: (usize, usize)) -> Result<Value, Stop> {
        let reference = match value {
            Value::Reference(reference) => reference,
            Value::Unknown(_) => return Ok(value),
            // A path in a text, which is rare.
            Value::Object(_) => {
                return Ok(Value::Unknown(Cause {
                    place,
                    source: UnknownSource::Operator(opcode::DEREF_OF),
                }));
            }
            other => return Err(Reason::Type { found: self.kind(other), expected: "a reference" }.at(place)),
        };
        match reference {
            Reference::Node(node) => self.value_of(node, place),
            Reference::Slot(serial, slot) => {
                let owner = self.activations.iter().find(|own| own.serial == serial);
                owner.and_then(|own| *own.slots.get(slot)?).ok_or_else(|| Reason::Uninitialized.at(place))
            }
            Reference::Element(package, index) => match self.look(package, place)? {
                Object::Package(elements) => match elements.get(index) {
                    Some(Value::Uninitialized) | None => Err(Reason::Uninitialized.at(place)),
                    Some(element) => Ok(*element),
                },
                _ => Err(Reason::Uninitialized.at(place)),
            },
            Reference::Byte(buffer, index) => match self.look(buffer, place)? {
                Object::Buffer(bytes) | Object::Text(bytes) => {
                    let byte = bytes.get(index).ok_or_else(|| Reason::Uninitialized.at(place))?;
                    Ok(Value::Integer(u64::from(*byte)))
                }
                Object::Unknown(cause) => Ok(Value::Unknown(*cause)),
                Object::Package(_) => Err(Reason::Uninitialized.at(place)),
            },
        }
    }

    /// What `RefOf` and `CondRefOf` refer to; `None` if it is not there.
    pub(super) fn reference(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Option<Value>, Stop> {
        let faulty = of_fault(terms.table);
        if begins_name(terms.peek().map_err(&faulty)?) {
            let name = terms.name().map_err(&faulty)?;
            let node = self.tree.resolve(scope, &name);
            return Ok(node.map(|node| Value::Reference(Reference::Node(node))));
        }
        let mut ahead = *terms;
        if let Some(index) = slot(ahead.opcode().map_err(&faulty)?) {
            *terms = ahead;
            if let Some(value @ Value::Reference(_)) = self.slot(index).filter(|_| index >= LOCALS) {
                return Ok(Some(value));
            }
            let serial = self.activations.last().map_or(0, |own| own.serial);
            return Ok(Some(Value::Reference(Reference::Slot(serial, index))));
        }
        match self.operand(terms, scope)? {
            value @ (Value::Reference(_) | Value::Unknown(_)) => Ok(Some(value)),
            other => Err(Reason::Type { found: self.kind(other), expected: "a reference" }.at(place)),
        }
    }

    pub(super) fn index(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let source = self.operand(terms, scope)?;
        let index = self.operand(terms, scope)?;
        let target = self.target(terms, scope)?;
        let index = match (source, self.number(index, place)?) {
            (Value::Unknown(_), _) => return Ok(source),
            (_, Err(cause)) => return Ok(Value::Unknown(cause)),
            (_, Ok(index)) => index,
        };
        let Value::Object(handle) = source else {
            let found = self.kind(source);
            return Err(Reason::Type { found, expected: "a package, a buffer or a string" }.at(place));
        };
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let (length, reference) = match self.look(handle, place)? {
            Object::Package(elements) => (elements.len(), Reference::Element(handle, at)),
            Object::Buffer(bytes) | Object::Text(bytes) => (bytes.len(), Reference::Byte(handle, at)),
            Object::Unknown(cause) => return Ok(Value::Unknown(*cause)),
        };
        if at >= length {
            return Err(Reason::Index { index, length }.at(place));
        }
        let value = Value::Reference(reference);
        self.store(value, target, false, place)?;
        Ok(value)
    }

    /// Numbers of types as in ACPI 6.5, section 19.6.97.
    pub(super) fn object_type(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let mut ahead = *terms;
        let mut value = match self.reference(&mut ahead, scope, place) {
            Ok(value) => {
                *terms = ahead;
                value.unwrap_or(Value::Uninitialized)
            }
            Err(_) => self.operand(terms, scope)?,
        };
        while let Value::Reference(reference) = value {
            if let Reference::Node(node) = reference {
                match self.tree.get(node).map(|node| &node.kind) {
                    Some(Kind::RegionField) => return Ok(Value::Integer(5)),
                    Some(Kind::Device) => return Ok(Value::Integer(6)),
                    Some(Kind::Method { .. } | Kind::Osi) => return Ok(Value::Integer(8)),
                    Some(Kind::BufferField { .. }) => return Ok(Value::Integer(14)),
                    Some(Kind::Data(_) | Kind::Variable) => {}
                    _ => {
                        return Ok(Value::Unknown(Cause {
                            place,
                            source: UnknownSource::Operator(opcode::OBJECT_TYPE),
                        }));
                    }
                }
            }
            if let Reference::Slot(serial, slot) = reference {
                let owner = self.activations.iter().find(|own| own.serial == serial);
                if owner.is_none_or(|own| own.slots.get(slot).is_none_or(Option::is_none)) {
                    return Ok(Value::Integer(0));
                }
            }
            self.step(place)?;
            value = self.dereference(value, place)?;
        }
        Ok(match value {
            Value::Unknown(_) => value,
            Value::Integer(_) => Value::Integer(1),
            Value::Object(handle) => Value::Integer(match self.look(handle, place)? {
                Object::Text(_) => 2,
                Object::Buffer(_) | Object::Unknown(_) => 3,
                Object::Package(_) => 4,
            }),
            Value::Uninitialized | Value::Reference(_) => Value::Integer(0),
        })
    }
}
