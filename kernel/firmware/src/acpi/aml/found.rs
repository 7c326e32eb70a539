//! What an evaluation gives: data without the heap of the evaluation.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::cursor::Data;
use super::heap::{Object, Value};
use super::limits::MAX_PACKAGE_DEPTH;
use super::machine::Machine;
use super::stop::{Reason, Stop};
use super::tree::Kind;

/// What an object of a device is.
#[derive(Clone, Debug)]
pub(super) enum Found<'a> {
    Integer(u64),
    Text(Cow<'a, [u8]>),
    /// Its bytes, and the table and offset where they stand, or where the object is defined that gave them.
    Buffer(Cow<'a, [u8]>, (usize, usize)),
    Package(Vec<Result<Found<'a>, Reason>>),
}

impl Found<'_> {
    /// What kind of value it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a string",
            Self::Buffer(..) => "a buffer",
            Self::Package(_) => "a package",
        }
    }
}

impl<'a> Machine<'a> {
    /// What a node of the tree stands for; a method without arguments is run.
    pub(super) fn evaluate(&mut self, node: usize) -> Result<Found<'a>, Stop> {
        let place = self.place(node);
        self.spend(1).map_err(|reason| reason.at(place))?;
        if let Some(found) = self.constant(node) {
            return found;
        }
        self.alone(|machine| {
            let value = machine.value_of(node, place)?;
            machine.export(value, place, MAX_PACKAGE_DEPTH).map_err(|reason| reason.at(place))
        })
    }

    /// The value of data that needs no evaluation, and was not stored to.
    fn constant(&mut self, node: usize) -> Option<Result<Found<'a>, Stop>> {
        let node = self.tree.node(node);
        let (&Kind::Data(mut data), None) = (&node.kind, node.value) else { return None };
        let table = data.table;
        Some(match data.data() {
            Ok(Data::Integer(number)) => Ok(Found::Integer(self.narrowed(number))),
            Ok(Data::Text(text)) => match self.spend(text.len()) {
                Ok(()) => Ok(Found::Text(Cow::Borrowed(text))),
                Err(reason) => Err(reason.at((table, data.at))),
            },
            Ok(Data::Buffer(mut inside)) => {
                let size = inside.constant().ok().flatten()?;
                let bytes = inside.rest();
                if usize::try_from(size).ok()? > bytes.len() {
                    return None;
                }
                let place = (table, inside.at);
                let spent = self.spend(bytes.len()).map_err(|reason| reason.at(place));
                spent.map(|()| Found::Buffer(Cow::Borrowed(bytes), place))
            }
            _ => return None,
        })
    }

    /// A value without its heap.
    fn export(&mut self, value: Value, place: (usize, usize), depth: usize) -> Result<Found<'a>, Reason> {
        let handle = match value {
            Value::Integer(number) => return Ok(Found::Integer(number)),
            Value::Unknown(cause) => return Err(Reason::Unknown(cause.source)),
            Value::Uninitialized => return Err(Reason::Uninitialized),
            Value::Reference(_) => return Err(Reason::Type { found: "a reference", expected: "data" }),
            Value::Object(handle) => handle,
        };
        let object = self.heap.get(handle).ok_or(Reason::Uninitialized)?.clone();
        match object {
            Object::Text(text) => self.spend(text.len()).map(|()| Found::Text(Cow::Owned(text))),
            Object::Buffer(bytes) => {
                self.spend(bytes.len()).map(|()| Found::Buffer(Cow::Owned(bytes), place))
            }
            Object::Package(elements) => {
                let depth = depth.checked_sub(1).ok_or(Reason::Depth)?;
                self.spend(elements.len())?;
                let elements = elements.into_iter().map(|element| self.export(element, place, depth));
                Ok(Found::Package(elements.collect()))
            }
            Object::Unknown(cause) => Err(Reason::Unknown(cause.source)),
        }
    }
}
