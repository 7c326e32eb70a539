//! Where values are stored to (ACPI 6.5, section 19.3.5.8).

use super::cursor::{Cursor, begins_name};
use super::heap::{Cause, Object, Reference, Value};
use super::machine::{LOCALS, Machine};
use super::opcode;
use super::stop::{Reason, Stop, of_fault};
use super::tree::Kind;

/// Where a result goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Nowhere,
    /// A local or an argument of this call.
    Slot(usize),
    Reference(Reference),
}

/// The local or argument of an opcode.
pub(super) fn slot(opcode: u16) -> Option<usize> {
    match opcode {
        opcode::LOCAL_0..=opcode::LOCAL_7 => Some(usize::from(opcode - opcode::LOCAL_0)),
        opcode::ARG_0..=opcode::ARG_6 => Some(LOCALS + usize::from(opcode - opcode::ARG_0)),
        _ => None,
    }
}

impl<'a> Machine<'a> {
    /// Reads a target.
    pub(super) fn target(&mut self, terms: &mut Cursor<'a>, scope: usize) -> Result<Target, Stop> {
        let place = (terms.table, terms.at);
        let faulty = of_fault(terms.table);
        if begins_name(terms.peek().map_err(&faulty)?) {
            let name = terms.name().map_err(&faulty)?;
            let node = self.tree.resolve(scope, &name).ok_or_else(|| Reason::Undefined(name).at(place))?;
            return Ok(Target::Reference(Reference::Node(node)));
        }
        let mut ahead = *terms;
        let opcode = ahead.opcode().map_err(&faulty)?;
        if let Some(slot) = slot(opcode) {
            *terms = ahead;
            return Ok(Target::Slot(slot));
        }
        let value = match opcode {
            opcode::ZERO | opcode::DEBUG => {
                *terms = ahead;
                return Ok(Target::Nowhere);
            }
            // What it leads to is stored to, not read.
            opcode::DEREF_OF => {
                *terms = ahead;
                self.operand(terms, scope)?
            }
            _ => self.operand(terms, scope)?,
        };
        match value {
            Value::Reference(reference) => Ok(Target::Reference(reference)),
            Value::Unknown(cause) => Err(Reason::Unknown(cause.source).at(place)),
            other => Err(Reason::Type { found: self.kind(other), expected: "a store target" }.at(place)),
        }
    }

    /// Stores a value; `convert` to the type of what is there, as `Store` does and `CopyObject` does not.
    pub(super) fn store(
        &mut self,
        value: Value,
        target: Target,
        convert: bool,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        match target {
            Target::Nowhere => Ok(()),
            Target::Slot(slot) => {
                let current = self.slot(slot);
                match current {
                    // An argument that refers to an object stands for it.
                    Some(Value::Reference(reference)) if slot >= LOCALS && convert => {
                        self.store_to(value, reference, convert, place)
                    }
                    _ => {
                        let value = self.copy(value, place)?;
                        self.set_slot(slot, value);
                        Ok(())
                    }
                }
            }
            Target::Reference(reference) => self.store_to(value, reference, convert, place),
        }
    }

    /// A local or argument of this call.
    pub(super) fn slot(&self, slot: usize) -> Option<Value> {
        self.activations.last().and_then(|own| *own.slots.get(slot)?)
    }

    fn set_slot(&mut self, slot: usize, value: Value) {
        if let Some(place) = self.activations.last_mut().and_then(|own| own.slots.get_mut(slot)) {
            *place = Some(value);
        }
    }

    fn store_to(
        &mut self,
        value: Value,
        reference: Reference,
        convert: bool,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        match reference {
            Reference::Node(node) => self.store_to_node(value, node, convert, place),
            Reference::Slot(serial, slot) => {
                let value = self.copy(value, place)?;
                let owner = self.activations.iter_mut().find(|own| own.serial == serial);
                if let Some(to) = owner.and_then(|own| own.slots.get_mut(slot)) {
                    *to = Some(value);
                }
                Ok(())
            }
            Reference::Element(package, index) => {
                let value = match self.copy(value, place)? {
                    // Elements that lead to elements could make a ring.
                    Value::Reference(Reference::Element(..) | Reference::Byte(..) | Reference::Slot(..)) => {
                        return Err(Reason::Type { found: "a reference", expected: "a value" }.at(place));
                    }
                    value => value,
                };
                self.heap.keep();
                match self.heap.get_mut(package) {
                    Some(Object::Package(elements)) if index < elements.len() => elements[index] = value,
                    _ => return Err(Reason::Uninitialized.at(place)),
                }
                Ok(())
            }
            Reference::Byte(buffer, index) => {
                let number = self.number(value, place)?;
                match (self.heap.get_mut(buffer), number) {
                    (Some(Object::Buffer(bytes) | Object::Text(bytes)), Ok(number))
                        if index < bytes.len() =>
                    {
                        bytes[index] = number as u8;
                    }
                    (Some(Object::Unknown(_)), _) => {}
                    (Some(_), Err(cause)) => {
                        self.heap.replace(buffer, Object::Unknown(cause));
                    }
                    _ => return Err(Reason::Uninitialized.at(place)),
                }
                Ok(())
            }
        }
    }

    fn store_to_node(
        &mut self,
        value: Value,
        node: usize,
        convert: bool,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        let Some(kind) = self.tree.get(node).map(|node| &node.kind) else { return Ok(()) };
        match *kind {
            // What is written to a region has no effect here.
            Kind::RegionField => Ok(()),
            Kind::BufferField { buffer, bit, bits } => self.write_bits(value, buffer, bit, bits, place),
            Kind::Data(_) | Kind::Variable => {
                let current = if convert { self.value_of(node, place)? } else { Value::Uninitialized };
                self.store_to_data(value, node, current, place)
            }
            _ => {
                Err(Reason::Type { found: "an object that is not data", expected: "a store target" }
                    .at(place))
            }
        }
    }

    fn store_to_data(
        &mut self,
        value: Value,
        node: usize,
        current: Value,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        if let Value::Unknown(cause) = value {
            self.forget(node, cause);
            return Ok(());
        }
        let found = self.kind(value);
        let object = match current {
            Value::Integer(_) => match self.number(value, place)? {
                Ok(number) => {
                    self.set(node, Value::Integer(number));
                    return Ok(());
                }
                Err(cause) => Err(cause),
            },
            Value::Object(handle) => match self.look(handle, place)? {
                Object::Text(_) => self.text(value, place)?.map(Object::Text),
                Object::Buffer(bytes) => {
                    let length = bytes.len();
                    // A buffer keeps its length, if it has one.
                    let object = self.buffer(value, place)?.map(|mut bytes| {
                        bytes.resize(if length == 0 { bytes.len() } else { length }, 0);
                        Object::Buffer(bytes)
                    });
                    if let Ok(object) = object {
                        // Fields in it stay fields of it.
                        let fits = self.heap.replace(handle, object);
                        return if fits { Ok(()) } else { Err(Reason::Memory.at(place)) };
                    }
                    object
                }
                Object::Package(_) if found != "a package" => {
                    return Err(Reason::Type { found, expected: "a package" }.at(place));
                }
                Object::Package(_) | Object::Unknown(_) => {
                    let value = self.copy(value, place)?;
                    self.set(node, value);
                    return Ok(());
                }
            },
            _ => {
                let value = self.copy(value, place)?;
                self.set(node, value);
                return Ok(());
            }
        };
        match object {
            Ok(object) => {
                let value = self.object(object, place)?;
                self.set(node, value);
            }
            Err(cause) => self.forget(node, cause),
        }
        Ok(())
    }

    /// Makes the value of a node unknown.
    pub(super) fn forget(&mut self, node: usize, cause: Cause) {
        let Some(own) = self.tree.get(node) else { return };
        match (&own.kind, own.value) {
            (Kind::BufferField { buffer, .. }, _) => {
                let buffer = *buffer;
                self.heap.replace(buffer, Object::Unknown(cause));
            }
            (Kind::Data(_) | Kind::Variable, value) => {
                if let Some(Value::Object(handle)) = value {
                    self.heap.replace(handle, Object::Unknown(cause));
                }
                self.tree.set_value(node, Value::Unknown(cause));
            }
            _ => {}
        }
    }
}
