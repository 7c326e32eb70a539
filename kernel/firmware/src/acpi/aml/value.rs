//! What a name stands for, without running AML.
//!
//! A method counts as its value if all that it does is to name some data and return a constant or a name,
//! as firmware writes `_STA` and `_CRS` at times.

use alloc::vec::Vec;
use core::cell::Cell;

use super::cursor::{Cursor, Data, Fault, FaultKind, NameString, Segment};
use super::opcode;
use super::tree::{Kind, Tree};

/// Most names that lead to one another.
const MAX_HOPS: usize = 8;

/// Most terms of a method that returns a constant.
const MAX_METHOD_TERMS: usize = 16;

/// Most bytes that are read for the values of all devices together: one text or template may be used by many.
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Integer(u64),
    Text(&'a str),
    /// The bytes of a buffer.
    Buffer(Cursor<'a>),
    /// The elements of a package, behind their number.
    Package {
        elements: Cursor<'a>,
        count: usize,
        scope: usize,
    },
}

impl Value<'_> {
    /// What kind of value it is.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "a number",
            Self::Text(_) => "a text",
            Self::Buffer(_) => "a buffer",
            Self::Package { .. } => "a package",
        }
    }
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoValue {
    pub(super) place: (usize, usize),
    pub(super) reason: Reason,
}

/// See [`NoValue`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Fault(FaultKind),
    #[error("it is a method with {0} arguments, expected none")]
    Arguments(usize),
    #[error("its method does more than to return a constant: opcode {0:#04x}")]
    Method(u16),
    #[error("its method returns nothing")]
    NoReturn,
    #[error("its method has more than {MAX_METHOD_TERMS} terms")]
    MethodTerms,
    #[error("{0} is not defined")]
    Undefined(NameString),
    #[error("it leads to an object that is no data")]
    NoData,
    #[error("its length is a term")]
    Length,
    #[error("the values of all devices together have more than {MAX_VALUE_BYTES:#x} bytes")]
    Budget,
    #[error("it goes through more than {MAX_HOPS} names")]
    Hops,
}

/// Reads values from a tree that is complete.
#[derive(Clone, Copy)]
pub(super) struct Values<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    /// Integers have 32 bits: the DSDT's revision is below 2 (ACPI 6.5, section 5.2.11.1).
    pub(super) narrow: bool,
    /// What is left of [`MAX_VALUE_BYTES`].
    pub(super) budget: &'t Cell<usize>,
}

impl<'a> Values<'_, 'a> {
    /// The value of a node.
    pub(super) fn of(&self, node: usize) -> Result<Value<'a>, NoValue> {
        self.of_node(node, MAX_HOPS)
    }

    fn of_node(&self, index: usize, hops: usize) -> Result<Value<'a>, NoValue> {
        let node = self.tree.node(index);
        let none = |reason| NoValue { place: (node.table, node.at), reason };
        match node.kind {
            Kind::Data(mut data) => self.of_data(&mut data, node.parent, hops),
            Kind::Alias(target) => {
                let hops = hops.checked_sub(1).ok_or_else(|| none(Reason::Hops))?;
                self.of_node(target, hops)
            }
            Kind::Method { arguments: 0, body } => self.of_method(index, body, hops),
            Kind::Method { arguments, .. } => Err(none(Reason::Arguments(arguments))),
            Kind::Scope | Kind::Device | Kind::Container | Kind::Other => Err(none(Reason::NoData)),
        }
    }

    /// The value of the data that comes next in `terms`, whose names are looked for from `scope` on.
    pub(super) fn next(&self, terms: &mut Cursor<'a>, scope: usize) -> Result<Value<'a>, NoValue> {
        self.of_data(terms, scope, MAX_HOPS)
    }

    fn of_data(&self, terms: &mut Cursor<'a>, scope: usize, hops: usize) -> Result<Value<'a>, NoValue> {
        let (table, start) = (terms.table, terms.at);
        let none = |reason| NoValue { place: (table, start), reason };
        self.spend(1).map_err(none)?;
        match terms.data().map_err(|fault| of_fault(table, fault))? {
            Data::Integer(number) => Ok(Value::Integer(self.integer(number))),
            Data::Text(text) => self.spend(text.len()).map(|()| Value::Text(text)).map_err(none),
            Data::Buffer(mut inside) => {
                let size = inside.constant().map_err(|fault| of_fault(table, fault))?;
                size.ok_or_else(|| none(Reason::Length))?;
                self.spend(inside.left()).map(|()| Value::Buffer(inside)).map_err(none)
            }
            Data::Package(mut inside) => {
                let count = inside.byte().map_err(|fault| of_fault(table, fault))?;
                Ok(Value::Package { elements: inside, count: usize::from(count), scope })
            }
            Data::VarPackage => Err(none(Reason::Length)),
            Data::Name(name) => {
                let hops = hops.checked_sub(1).ok_or_else(|| none(Reason::Hops))?;
                match self.tree.resolve(scope, &name) {
                    Some(target) => self.of_node(target, hops),
                    None => Err(none(Reason::Undefined(name))),
                }
            }
        }
    }

    /// Takes `bytes` from the budget; once that is not enough, nothing more is read.
    fn spend(&self, bytes: usize) -> Result<(), Reason> {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Reason::Budget)
    }

    fn integer(&self, number: u64) -> u64 {
        if self.narrow { number & u64::from(u32::MAX) } else { number }
    }

    /// What a method returns, if that is a constant, a name, or data that it names first.
    fn of_method(&self, method: usize, body: Cursor<'a>, hops: usize) -> Result<Value<'a>, NoValue> {
        let table = body.table;
        let mut terms = body;
        let mut locals: Vec<(Segment, Cursor<'a>)> = Vec::new();
        for _ in 0..MAX_METHOD_TERMS {
            let start = terms.at;
            let none = |reason| NoValue { place: (table, start), reason };
            self.spend(1).map_err(none)?;
            if terms.is_empty() {
                return Err(none(Reason::NoReturn));
            }
            match terms.opcode().map_err(|fault| of_fault(table, fault))? {
                opcode::NOOP => {}
                opcode::NAME => {
                    let name = terms.name().map_err(|fault| of_fault(table, fault))?;
                    let ([segment], false, 0) = (name.segments.as_slice(), name.from_root, name.parents)
                    else {
                        return Err(none(Reason::Method(opcode::NAME)));
                    };
                    locals.push((*segment, terms));
                    terms.data().map_err(|fault| of_fault(table, fault))?;
                    self.spend(terms.at - start).map_err(none)?;
                }
                opcode::RETURN => return self.returned(method, terms, &locals, hops),
                other => return Err(none(Reason::Method(other))),
            }
        }
        Err(NoValue { place: (table, terms.at), reason: Reason::MethodTerms })
    }

    fn returned(
        &self,
        method: usize,
        mut terms: Cursor<'a>,
        locals: &[(Segment, Cursor<'a>)],
        hops: usize,
    ) -> Result<Value<'a>, NoValue> {
        let start = terms;
        let none = |reason| NoValue { place: (start.table, start.at), reason };
        let hops = hops.checked_sub(1).ok_or_else(|| none(Reason::Hops))?;
        if let Ok(opcode) = { terms }.opcode()
            && !matches!(opcode, opcode::BUFFER | opcode::PACKAGE | opcode::STRING | opcode::VAR_PACKAGE)
            && opcode::operands(opcode).is_some_and(|count| count > 0)
        {
            return Err(none(Reason::Method(opcode)));
        }
        if let Ok(Data::Name(name)) = { terms }.data()
            && let ([segment], false, 0) = (name.segments.as_slice(), name.from_root, name.parents)
            && let Some((_, data)) = locals.iter().find(|(local, _)| local == segment)
        {
            return self.of_data(&mut { *data }, method, hops);
        }
        self.of_data(&mut terms, method, hops)
    }
}

fn of_fault(table: usize, fault: Fault) -> NoValue {
    NoValue { place: (table, fault.at), reason: Reason::Fault(fault.kind) }
}
