//! An evaluator of AML: what a name stands for, be it data or a method.
//!
//! Everything is bounded: steps, depth, memory. Operation regions are not accessed: what is read there is
//! [`Value::Unknown`], and so is what is computed of it. An evaluation that would have to decide by such a value ends.
//! What the rest of it might have written to is unknown from then on, so that nothing is taken for what it is not.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::cursor::Cursor;
use super::findings::Findings;
use super::heap::{Cause, Handle, Heap, Object, Reference, UnknownSource, Value};
use super::limits::{
    BYTES_OF_A_STEP, MAX_ALL_STEPS, MAX_DEPTH, MAX_PACKAGE_DEPTH, MAX_STEPS, MAX_VALUE_BYTES,
};
use super::opcode;
use super::stop::{Reason, Stop};
use super::tree::{Kind, Tree};

/// Locals of a call; arguments come behind them.
pub(super) const LOCALS: usize = 8;

/// Locals and arguments.
pub(super) const SLOTS: usize = LOCALS + 7;

/// A call, or a table that is being loaded.
pub(super) struct Activation {
    pub(super) serial: u64,
    pub(super) slots: [Option<Value>; SLOTS],
}

/// The namespace, and all that evaluations change.
pub(super) struct Machine<'a> {
    pub(super) tree: Tree<'a>,
    pub(super) findings: Findings,
    /// Integers have 32 bits: the DSDT's revision is below 2 (ACPI 6.5, section 5.2.11.1).
    pub(super) narrow: bool,
    pub(super) heap: Heap,
    pub(super) activations: Vec<Activation>,
    /// Nodes from here on go when the method returns that made them.
    pub(super) permanent: usize,
    serial: u64,
    depth: usize,
    steps: usize,
    all_steps: usize,
    value_bytes: usize,
}

impl<'a> Machine<'a> {
    /// A namespace with nothing in it but what is always there.
    pub(super) fn new(findings: Findings, narrow: bool) -> Self {
        Self {
            tree: Tree::new(),
            findings,
            narrow,
            heap: Heap::default(),
            activations: Vec::new(),
            permanent: usize::MAX,
            serial: 0,
            depth: 0,
            steps: 0,
            all_steps: MAX_ALL_STEPS,
            value_bytes: MAX_VALUE_BYTES,
        }
    }

    /// Reads a definition block into the namespace, and runs what is to run then, as Linux does
    /// (`acpi_ns_execute_table`).
    pub(super) fn load(&mut self, terms: Cursor<'a>) {
        self.steps = MAX_STEPS;
        self.permanent = usize::MAX;
        self.enter([None; SLOTS]);
        self.load_block(terms);
        self.activations.clear();
        self.heap.keep();
        self.heap.release(0);
        self.permanent = self.tree.len();
    }

    /// Runs a method without arguments for what it does.
    pub(super) fn run_method(&mut self, node: usize) -> Result<(), Stop> {
        let place = self.place(node);
        self.alone(|machine| machine.value_of(node, place)).map(|_| ())
    }

    /// Does one evaluation, of which nothing stays but what it stored.
    pub(super) fn alone<T>(
        &mut self,
        evaluation: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.steps = MAX_STEPS;
        self.permanent = self.tree.len();
        let mark = self.heap.mark();
        let result = evaluation(self);
        self.depth = 0;
        self.activations.clear();
        self.tree.truncate(self.permanent);
        self.heap.release(mark);
        result
    }

    /// Takes `bytes` from the budget; once that is not enough, nothing more is read.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Reason> {
        let left = self.value_bytes.checked_sub(bytes);
        self.value_bytes = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Reason::Budget)
    }

    /// Where a node is defined.
    pub(super) fn place(&self, node: usize) -> (usize, usize) {
        self.tree.get(node).map_or((0, 0), |node| (node.table, node.at))
    }

    /// The reason for which there is no value, for people.
    pub(super) fn explain(&self, reason: &Reason) -> String {
        match reason {
            Reason::Unknown(UnknownSource::Region(field)) => {
                let path = self.tree.path(*field);
                alloc::format!("depends on {path}, a field of an operation region, which is not accessed")
            }
            Reason::Unknown(UnknownSource::Operator(operator)) => {
                alloc::format!("depends on {}, which is not evaluated", opcode::name(*operator))
            }
            Reason::Unknown(UnknownSource::Unfinished) => {
                String::from("may depend on a write by code that was not evaluated completely")
            }
            other => other.to_string(),
        }
    }

    /// Begins a call.
    pub(super) fn enter(&mut self, slots: [Option<Value>; SLOTS]) {
        self.serial += 1;
        self.activations.push(Activation { serial: self.serial, slots });
    }

    /// Counts a step.
    pub(super) fn step(&mut self, place: (usize, usize)) -> Result<(), Stop> {
        self.count(1).map_err(|reason| reason.at(place))
    }

    /// Counts what it takes to copy bytes.
    pub(super) fn count_bytes(&mut self, bytes: usize, place: (usize, usize)) -> Result<(), Stop> {
        self.count(bytes / BYTES_OF_A_STEP).map_err(|reason| reason.at(place))
    }

    /// Counts steps.
    pub(super) fn count(&mut self, steps: usize) -> Result<(), Reason> {
        if self.steps < steps || self.all_steps < steps {
            (self.steps, self.all_steps) = (0, self.all_steps.saturating_sub(steps));
            return Err(Reason::Steps);
        }
        self.steps -= steps;
        self.all_steps -= steps;
        Ok(())
    }

    /// Does something one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        place: (usize, usize),
        inner: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.depth >= MAX_DEPTH {
            return Err(Reason::Depth.at(place));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn narrowed(&self, number: u64) -> u64 {
        if self.narrow { number & u64::from(u32::MAX) } else { number }
    }

    /// The value of a node that takes no arguments; a device, a scope and the like are references to themselves.
    pub(super) fn value_of(&mut self, index: usize, place: (usize, usize)) -> Result<Value, Stop> {
        let Some(node) = self.tree.get(index) else { return Err(Reason::Uninitialized.at(place)) };
        let scope = node.parent;
        match node.kind {
            Kind::Data(_) | Kind::Variable if node.value.is_some() => {
                Ok(node.value.unwrap_or(Value::Uninitialized))
            }
            Kind::Data(mut data) => {
                let value = self.deeper(place, |machine| machine.operand(&mut data, scope));
                // Linux has defined the name by then, with nothing in it.
                let value = value.map_err(|stop| match stop.reason {
                    Reason::Undefined(name) => Reason::Valueless(name).at(stop.place),
                    reason => reason.at(stop.place),
                })?;
                if matches!(value, Value::Object(_)) {
                    self.set(index, value);
                }
                Ok(value)
            }
            Kind::Alias(target) => self.deeper(place, |machine| machine.value_of(target, place)),
            Kind::Method { arguments: 0, body } => self.call(index, body, [None; SLOTS], place),
            Kind::Method { arguments, .. } => Err(Reason::Arguments(arguments).at(place)),
            Kind::Osi => Err(Reason::Arguments(1).at(place)),
            Kind::RegionField => Ok(Value::Unknown(Cause { place, source: UnknownSource::Region(index) })),
            Kind::BufferField { buffer, bit, bits } => self.read_bits(buffer, bit, bits, place),
            _ => Ok(Value::Reference(Reference::Node(index))),
        }
    }

    /// Sets the value of a node.
    pub(super) fn set(&mut self, index: usize, value: Value) {
        if index < self.permanent && matches!(value, Value::Object(_)) {
            self.heap.keep();
        }
        self.tree.set_value(index, value);
    }

    /// Runs a method.
    pub(super) fn call(
        &mut self,
        method: usize,
        body: Cursor<'a>,
        slots: [Option<Value>; SLOTS],
        place: (usize, usize),
    ) -> Result<Value, Stop> {
        self.step(place)?;
        let mark = self.tree.len();
        self.enter(slots);
        let result = self.deeper(place, |machine| machine.run(body, method));
        self.activations.pop();
        self.tree.truncate(mark);
        result
    }

    /// Adds an object to the heap.
    pub(super) fn object(&mut self, object: Object, place: (usize, usize)) -> Result<Value, Stop> {
        self.count_bytes(object.bytes(), place)?;
        self.heap.add(object).map(Value::Object).ok_or_else(|| Reason::Memory.at(place))
    }

    /// A copy of a value that shares nothing with it.
    pub(super) fn copy(&mut self, value: Value, place: (usize, usize)) -> Result<Value, Stop> {
        self.copy_to_depth(value, place, MAX_PACKAGE_DEPTH)
    }

    fn copy_to_depth(&mut self, value: Value, place: (usize, usize), depth: usize) -> Result<Value, Stop> {
        let Value::Object(handle) = value else { return Ok(value) };
        let depth = depth.checked_sub(1).ok_or_else(|| Reason::Depth.at(place))?;
        let mut object = self.look(handle, place)?.clone();
        if let Object::Package(elements) = &mut object {
            for element in elements {
                self.step(place)?;
                *element = self.copy_to_depth(*element, place, depth)?;
            }
        }
        self.object(object, place)
    }

    /// The object of a handle.
    pub(super) fn look(&self, handle: Handle, place: (usize, usize)) -> Result<&Object, Stop> {
        self.heap.get(handle).ok_or_else(|| Reason::Uninitialized.at(place))
    }
}
