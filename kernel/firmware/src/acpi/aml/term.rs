//! Terms that have a value: data, names, calls and what operators read before they compute (ACPI 6.5, section 20.2.5.4).

use alloc::vec::Vec;

use super::cursor::{Cursor, Data, begins_name};
use super::fault::FaultKind;
use super::heap::{Cause, Known, Object, Reference, UnknownSource, Value};
use super::machine::{LOCALS, Machine, SLOTS};
use super::name::NameString;
use super::opcode;
use super::stop::{Reason, Stop, of_fault};
use super::store::{Target, slot};
use super::tree::Kind;
use super::{operators, osi};

impl<'a> Machine<'a> {
    /// Evaluates the next term.
    pub(super) fn operand(&mut self, terms: &mut Cursor<'a>, scope: usize) -> Result<Value, Stop> {
        let place = (terms.table, terms.at);
        self.step(place)?;
        let faulty = of_fault(terms.table);
        if let Some(number) = terms.constant().map_err(&faulty)? {
            return Ok(Value::Integer(self.narrowed(number)));
        }
        if begins_name(terms.peek().map_err(&faulty)?) {
            let name = terms.name().map_err(&faulty)?;
            return self.deeper(place, |machine| machine.named(name, terms, scope, place));
        }
        let mut ahead = *terms;
        let opcode = ahead.opcode().map_err(&faulty)?;
        if let Some(slot) = slot(opcode) {
            *terms = ahead;
            return self.slot(slot).ok_or_else(|| Reason::Uninitialized.at(place));
        }
        if matches!(opcode, opcode::STRING | opcode::BUFFER | opcode::PACKAGE | opcode::VAR_PACKAGE) {
            let data = terms.data().map_err(&faulty)?;
            return self.deeper(place, |machine| machine.literal(data, scope, place));
        }
        *terms = ahead;
        self.deeper(place, |machine| machine.operator(opcode, terms, scope, place))
    }

    /// What a name means: a value, or what the method returns whose arguments follow.
    fn named(
        &mut self,
        name: NameString,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let node = self.tree.resolve(scope, &name);
        let Some(own) = node.and_then(|node| self.tree.get(node)) else {
            return Err(Reason::Undefined(name).at(place));
        };
        let node = node.unwrap_or_default();
        match own.kind {
            Kind::Method { arguments, body } => {
                let mut slots = [None; SLOTS];
                for slot in slots.iter_mut().skip(LOCALS).take(arguments) {
                    *slot = Some(self.operand(terms, scope)?);
                }
                self.call(node, body, slots, place)
            }
            Kind::Osi => {
                let interface = self.operand(terms, scope)?;
                Ok(match self.bytes(interface, place)? {
                    // As in ACPICA, with 64 bits whatever the revision.
                    Ok(interface) if osi::is_supported(&interface) => Value::Integer(u64::MAX),
                    Ok(_) => Value::Integer(0),
                    Err(cause) => Value::Unknown(cause),
                })
            }
            _ => self.value_of(node, place),
        }
    }

    /// A text, a buffer or a package as it stands in AML.
    fn literal(&mut self, data: Data<'a>, scope: usize, place: (usize, usize)) -> Result<Value, Stop> {
        match data {
            Data::Integer(number) => Ok(Value::Integer(self.narrowed(number))),
            Data::Name(name) => Err(Reason::Undefined(name).at(place)),
            Data::Text(text) => self.object(Object::Text(text.to_vec()), place),
            Data::Buffer(mut inside) => {
                let size = self.operand(&mut inside, scope)?;
                let size = match self.number(size, place)? {
                    Ok(size) => size,
                    Err(cause) => return Ok(Value::Unknown(cause)),
                };
                let bytes = inside.rest();
                let size = usize::try_from(size).unwrap_or(usize::MAX).max(bytes.len());
                if !self.heap.has_room(size) {
                    return Err(Reason::Memory.at(place));
                }
                let mut bytes = bytes.to_vec();
                bytes.resize(size, 0);
                self.object(Object::Buffer(bytes), place)
            }
            Data::Package(mut inside) => {
                let count = inside.byte().map_err(of_fault(inside.table))?;
                self.package(inside, u64::from(count), scope, place)
            }
            Data::VarPackage(mut inside) => {
                let count = self.operand(&mut inside, scope)?;
                match self.number(count, place)? {
                    Ok(count) => self.package(inside, count, scope, place),
                    Err(cause) => Ok(Value::Unknown(cause)),
                }
            }
        }
    }

    /// A package: elements behind its number of elements are dropped, those that are missing have no value.
    fn package(
        &mut self,
        mut list: Cursor<'a>,
        count: u64,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if !self.heap.has_room(count.saturating_mul(size_of::<Value>())) {
            return Err(Reason::Memory.at(place));
        }
        let mut elements = Vec::new();
        while elements.len() < count && !list.is_empty() {
            elements.push(self.element(&mut list, scope)?);
        }
        elements.resize(count, Value::Uninitialized);
        self.object(Object::Package(elements), place)
    }

    /// An element: a name stands for data, and else for the object itself (ACPI 6.5, section 19.6.102).
    fn element(&mut self, list: &mut Cursor<'a>, scope: usize) -> Result<Value, Stop> {
        let place = (list.table, list.at);
        let faulty = of_fault(list.table);
        if !begins_name(list.peek().map_err(&faulty)?) {
            return self.operand(list, scope);
        }
        self.step(place)?;
        let name = list.name().map_err(&faulty)?;
        let Some(node) = self.tree.resolve(scope, &name) else { return Ok(Value::Uninitialized) };
        match self.tree.get(node).map(|node| &node.kind) {
            Some(Kind::Data(_) | Kind::Variable) => {
                self.deeper(place, |machine| machine.value_of(node, place))
            }
            _ => Ok(Value::Reference(Reference::Node(node))),
        }
    }

    /// Evaluates an operator behind its opcode.
    fn operator(
        &mut self,
        opcode: u16,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        match opcode {
            opcode::STORE | opcode::COPY_OBJECT => {
                let value = self.operand(terms, scope)?;
                let target = self.target(terms, scope)?;
                self.store(value, target, opcode == opcode::STORE, place)?;
                Ok(value)
            }
            opcode::INCREMENT | opcode::DECREMENT => {
                let start = *terms;
                let current = self.operand(&mut { start }, scope)?;
                let target = self.target(terms, scope)?;
                let current = self.number(current, place)?;
                let step = if opcode == opcode::INCREMENT { 1 } else { u64::MAX };
                let value = self.known(current.map(|number| number.wrapping_add(step)));
                self.store(value, target, true, place)?;
                Ok(value)
            }
            opcode::REF_OF => {
                let reference = self.reference(terms, scope, place)?;
                reference.ok_or_else(|| Reason::Uninitialized.at(place))
            }
            opcode::COND_REF_OF => {
                let reference = self.reference(terms, scope, place)?;
                let target = self.target(terms, scope)?;
                let Some(reference) = reference else { return Ok(Value::Integer(0)) };
                self.store(reference, target, false, place)?;
                Ok(Value::Integer(self.narrowed(u64::MAX)))
            }
            opcode::DEREF_OF => {
                let value = self.operand(terms, scope)?;
                self.dereference(value, place)
            }
            opcode::INDEX => self.index(terms, scope, place),
            opcode::OBJECT_TYPE => self.object_type(terms, scope, place),
            opcode::MATCH => self.find(terms, scope, place),
            opcode::DIVIDE => {
                let (dividend, divisor) = self.two_numbers(terms, scope, place)?;
                let (remainder, quotient) = (self.target(terms, scope)?, self.target(terms, scope)?);
                if divisor == Ok(0) {
                    return Err(Reason::Zero("Divide").at(place));
                }
                let both = dividend.and_then(|dividend| divisor.map(|divisor| (dividend, divisor)));
                let rest = self.known(both.map(|(dividend, divisor)| dividend % divisor));
                let value = self.known(both.map(|(dividend, divisor)| dividend / divisor));
                self.store(rest, remainder, true, place)?;
                self.store(value, quotient, true, place)?;
                Ok(value)
            }
            opcode::LOGICAL_AND | opcode::LOGICAL_OR => {
                let (first, second) = self.two_numbers(terms, scope, place)?;
                let decides = |number: u64| (number != 0) == (opcode == opcode::LOGICAL_OR);
                Ok(match (first, second) {
                    // One of them is enough to know the result.
                    (Ok(one), _) | (_, Ok(one)) if decides(one) => self.truth(opcode == opcode::LOGICAL_OR),
                    (Err(cause), _) | (_, Err(cause)) => Value::Unknown(cause),
                    (Ok(_), Ok(second)) => self.truth(decides(second) == (opcode == opcode::LOGICAL_OR)),
                })
            }
            opcode::LOGICAL_NOT => {
                let value = self.operand(terms, scope)?;
                Ok(match self.number(value, place)? {
                    Ok(number) => self.truth(number == 0),
                    Err(cause) => Value::Unknown(cause),
                })
            }
            opcode::LOGICAL_EQUAL | opcode::LOGICAL_GREATER | opcode::LOGICAL_LESS => {
                self.compare(opcode, terms, scope, place)
            }
            opcode::NOTIFY | opcode::WAIT => {
                self.operand(terms, scope)?;
                self.operand(terms, scope)?;
                Ok(Value::Integer(0))
            }
            // Nobody else runs, so that every mutex is free.
            opcode::ACQUIRE => {
                self.operand(terms, scope)?;
                terms.take(2).map_err(of_fault(terms.table))?;
                Ok(Value::Integer(0))
            }
            opcode::STALL | opcode::SLEEP | opcode::SIGNAL | opcode::RESET | opcode::RELEASE => {
                self.operand(terms, scope)?;
                Ok(Value::Integer(0))
            }
            opcode::DEBUG => Ok(Value::Integer(0)),
            opcode::LOAD | opcode::LOAD_TABLE | opcode::REVISION | opcode::TIMER => {
                *terms = terms.back_to(place.1);
                self.skip_term(terms, scope).map_err(of_fault(terms.table))?;
                Ok(Value::Unknown(Cause { place, source: UnknownSource::Operator(opcode) }))
            }
            _ => {
                let Some(form) = operators::form(opcode) else {
                    let known = opcode::operator(opcode).map(|(name, _)| name);
                    return Err(match known {
                        Some(found) => Reason::Type { found, expected: "a value" },
                        None => Reason::Fault(FaultKind::Opcode(opcode)),
                    }
                    .at(place));
                };
                let mut operands = [Value::Uninitialized; 3];
                for operand in operands.iter_mut().take(form.operands) {
                    *operand = self.operand(terms, scope)?;
                }
                let target = if form.has_target { self.target(terms, scope)? } else { Target::Nowhere };
                let value = self.compute(opcode, &operands, place)?;
                self.store(value, target, true, place)?;
                Ok(value)
            }
        }
    }

    /// A result that may not be known.
    pub(super) fn known(&self, number: Known<u64>) -> Value {
        number.map_or_else(Value::Unknown, |number| Value::Integer(self.narrowed(number)))
    }

    pub(super) fn truth(&self, is_true: bool) -> Value {
        Value::Integer(if is_true { self.narrowed(u64::MAX) } else { 0 })
    }

    fn two_numbers(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        place: (usize, usize),
    ) -> Result<(Known<u64>, Known<u64>), Stop> {
        let (first, second) = (self.operand(terms, scope)?, self.operand(terms, scope)?);
        Ok((self.number(first, place)?, self.number(second, place)?))
    }
}
