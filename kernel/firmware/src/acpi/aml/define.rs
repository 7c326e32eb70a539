//! Terms that define objects or add to a scope (ACPI 6.5, section 20.2.5.1 and 20.2.5.2).

use super::block::{Block, Next};
use super::cursor::Cursor;
use super::heap::{Object, Value};
use super::machine::Machine;
use super::name::NameString;
use super::opcode::{self, field};
use super::stop::{Reason, Stop, of_fault};
use super::tree::Kind;

impl<'a> Machine<'a> {
    /// How many terms follow a name as its arguments; none if it is not defined.
    pub(super) fn arguments(&self, scope: usize, name: &NameString) -> usize {
        let node = self.tree.resolve(scope, name).and_then(|node| self.tree.get(node));
        match node.map(|node| &node.kind) {
            Some(Kind::Method { arguments, .. }) => *arguments,
            Some(Kind::Osi) => 1,
            _ => 0,
        }
    }

    /// Runs a term of which the opcode is read; it begins at `start`.
    pub(super) fn define_object(
        &mut self,
        block: &mut Block<'a>,
        opcode: u16,
        start: usize,
    ) -> Result<Next<'a>, Stop> {
        let table = block.terms.table;
        let (faulty, place) = (of_fault(table), (table, start));
        let scope = block.scope;
        let terms = &mut block.terms;
        match opcode {
            opcode::SCOPE => {
                let mut inside = terms.package().map_err(&faulty)?;
                let name = inside.name().map_err(&faulty)?;
                let Some(scope) = self.tree.resolve(scope, &name) else {
                    return Err(Reason::Undefined(name).at(place));
                };
                if self.tree.method(scope).is_some() {
                    return Err(Reason::Type { found: "a method", expected: "a scope" }.at(place));
                }
                return Ok(Next::Enter(Block::new(inside, scope)));
            }
            opcode::DEVICE | opcode::PROCESSOR | opcode::THERMAL_ZONE | opcode::POWER_RESOURCE => {
                let mut inside = terms.package().map_err(&faulty)?;
                let name = inside.name().map_err(&faulty)?;
                // What stands between the name and the terms.
                let (fixed, kind) = match opcode {
                    opcode::DEVICE => (0, Kind::Device),
                    opcode::PROCESSOR => (6, Kind::Container),
                    opcode::POWER_RESOURCE => (3, Kind::PowerResource),
                    _ => (0, Kind::Container),
                };
                inside.take(fixed).map_err(&faulty)?;
                let scope = self.define(scope, &name, kind, place)?;
                return Ok(Next::Enter(Block::new(inside, scope)));
            }
            opcode::METHOD => {
                let mut body = terms.package().map_err(&faulty)?;
                let name = body.name().map_err(&faulty)?;
                let arguments = usize::from(body.byte().map_err(&faulty)? & 7);
                self.define(scope, &name, Kind::Method { arguments, body }, place)?;
            }
            opcode::NAME => {
                let name = terms.name().map_err(&faulty)?;
                self.name(terms, scope, &name, place)?;
            }
            opcode::ALIAS => {
                let source = terms.name().map_err(&faulty)?;
                let name = terms.name().map_err(&faulty)?;
                let Some(target) = self.tree.resolve(scope, &source) else {
                    return Err(Reason::Undefined(source).at(place));
                };
                self.define(scope, &name, Kind::Alias(target), place)?;
            }
            opcode::EXTERNAL => {
                terms.name().and_then(|_| terms.take(2)).map_err(&faulty)?;
            }
            opcode::MUTEX | opcode::EVENT => {
                let name = terms.name().map_err(&faulty)?;
                terms.take(usize::from(opcode == opcode::MUTEX)).map_err(&faulty)?;
                self.define(scope, &name, Kind::Other, place)?;
            }
            opcode::OPERATION_REGION | opcode::DATA_REGION => {
                let name = terms.name().map_err(&faulty)?;
                let (space, count) = if opcode == opcode::OPERATION_REGION { (1, 2) } else { (0, 3) };
                terms.take(space).map_err(&faulty)?;
                (0..count).try_for_each(|_| self.skip_term(terms, scope)).map_err(&faulty)?;
                self.define(scope, &name, Kind::Other, place)?;
            }
            opcode::FIELD | opcode::INDEX_FIELD | opcode::BANK_FIELD => {
                let list = terms.package().map_err(&faulty)?;
                self.region_fields(list, scope, opcode)?;
            }
            _ => self.buffer_field(terms, scope, opcode, start)?,
        }
        Ok(Next::Term)
    }

    pub(super) fn define(
        &mut self,
        scope: usize,
        name: &NameString,
        kind: Kind<'a>,
        place: (usize, usize),
    ) -> Result<usize, Stop> {
        let refused = |refusal| Reason::Refused { name: name.clone(), refusal }.at(place);
        self.tree.define(scope, name, kind, place).map_err(refused)
    }

    /// A data object. That of a table is evaluated when it is asked for, that of a method at once, as its data may
    /// depend on locals.
    fn name(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        name: &NameString,
        place: (usize, usize),
    ) -> Result<(), Stop> {
        let data = *terms;
        if self.permanent == usize::MAX && terms.data().is_ok() {
            return self.define(scope, name, Kind::Data(data), place).map(|_| ());
        }
        *terms = data;
        let value = self.operand(terms, scope)?;
        let value = self.copy(value, place)?;
        let node = self.define(scope, name, Kind::Variable, place)?;
        self.set(node, value);
        Ok(())
    }

    /// Fields of a region (ACPI 6.5, section 20.2.5.2), which have names and no values here.
    fn region_fields(&mut self, mut list: Cursor<'a>, scope: usize, opcode: u16) -> Result<(), Stop> {
        let faulty = of_fault(list.table);
        // The region; of an index field the index and the data, of a bank field the bank and its value as well.
        list.name().map_err(&faulty)?;
        if opcode != opcode::FIELD {
            list.name().map_err(&faulty)?;
        }
        if opcode == opcode::BANK_FIELD {
            self.skip_term(&mut list, scope).map_err(&faulty)?;
        }
        list.byte().map_err(&faulty)?;
        while !list.is_empty() {
            let start = list.at;
            let read = match list.peek().map_err(&faulty)? {
                field::RESERVED => list.take(1).and_then(|_| list.length()).map(|_| None),
                field::ACCESS => list.take(3).map(|_| None),
                field::EXTENDED_ACCESS => list.take(4).map(|_| None),
                field::CONNECT => list.take(1).and_then(|_| list.data()).map(|_| None),
                _ => list.segment().and_then(|segment| list.length().map(|_| Some(segment))),
            };
            if let Some(segment) = read.map_err(&faulty)? {
                let name = NameString::lone(segment);
                let place = (list.table, start);
                if let Err(stop) = self.define(scope, &name, Kind::RegionField, place) {
                    // The other fields of the list are good.
                    let sentence = alloc::format!("{}; the field is skipped", self.explain(&stop.reason));
                    self.report("aml-name", probe::Severity::Warning, scope, list, start, &sentence);
                }
            }
        }
        Ok(())
    }

    /// A field of a buffer: the buffer, the index, for `CreateField` the length, then the name.
    fn buffer_field(
        &mut self,
        terms: &mut Cursor<'a>,
        scope: usize,
        opcode: u16,
        start: usize,
    ) -> Result<(), Stop> {
        let place = (terms.table, start);
        let buffer = self.operand(terms, scope)?;
        let index = self.operand(terms, scope)?;
        let index = self.number(index, place)?;
        let bits = match opcode {
            opcode::CREATE_BIT_FIELD => Ok(1),
            opcode::CREATE_BYTE_FIELD => Ok(8),
            opcode::CREATE_WORD_FIELD => Ok(16),
            opcode::CREATE_DWORD_FIELD => Ok(32),
            opcode::CREATE_QWORD_FIELD => Ok(64),
            _ => {
                let bits = self.operand(terms, scope)?;
                self.number(bits, place)?
            }
        };
        let name = terms.name().map_err(of_fault(terms.table))?;
        let handle = match buffer {
            Value::Object(handle) => handle,
            Value::Unknown(_) => {
                let node = self.define(scope, &name, Kind::Variable, place)?;
                self.set(node, buffer);
                return Ok(());
            }
            other => {
                let found = self.kind(other);
                return Err(Reason::Type { found, expected: "a buffer" }.at(place));
            }
        };
        let (index, bits) = match (index, bits) {
            (Ok(index), Ok(bits)) => (index, bits),
            // Which bytes are written through it is not known.
            (Err(cause), _) | (_, Err(cause)) => {
                self.heap.replace(handle, Object::Unknown(cause));
                (0, 0)
            }
        };
        let is_bits = matches!(opcode, opcode::CREATE_BIT_FIELD | opcode::CREATE_FIELD);
        let bit = if is_bits { Some(index) } else { index.checked_mul(8) };
        let length = match self.look(handle, place)? {
            Object::Buffer(bytes) => bytes.len(),
            Object::Unknown(_) => usize::MAX / 8,
            _ => {
                let found = self.kind(buffer);
                return Err(Reason::Type { found, expected: "a buffer" }.at(place));
            }
        };
        let outside = Reason::Index { index, length };
        let inside = |end: &u64| *end <= (length as u64).saturating_mul(8);
        let Some(bit) = bit.filter(|bit| bit.checked_add(bits).as_ref().is_some_and(inside)) else {
            return Err(outside.at(place));
        };
        // Both are within the buffer, of which each byte is in memory.
        let kind = Kind::BufferField { buffer: handle, bit: bit as usize, bits: bits as usize };
        self.define(scope, &name, kind, place)?;
        if self.permanent == usize::MAX {
            self.heap.keep();
        }
        Ok(())
    }
}
