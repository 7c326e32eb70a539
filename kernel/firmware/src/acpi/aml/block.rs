//! Lists of terms: what defines objects, and what decides which terms come next (ACPI 6.5, sections 20.2.5 to
//! 20.2.5.3).
//!
//! A table is loaded by running it, as in Linux. There, what is not understood costs one object, if its length is known,
//! and else the rest of what encloses it. In a method it ends the evaluation.

use alloc::format;
use alloc::vec::Vec;

use probe::Severity;

use super::cursor::{Cursor, begins_name};
use super::fault::AmlFault;
use super::heap::Value;
use super::limits::MAX_DEPTH;
use super::machine::Machine;
use super::opcode;
use super::stop::{Reason, Stop, of_fault};
use super::tree::ROOT;

/// A list of terms that is being run.
pub(super) struct Block<'a> {
    pub(super) terms: Cursor<'a>,
    pub(super) scope: usize,
    /// What the `If` that was the last term decided, if it was one.
    last_if: Option<Decision>,
    /// The predicate and the body of a `While`, which this is the body of.
    again: Option<Cursor<'a>>,
}

/// What is known of an `If`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Taken,
    NotTaken,
    Unknown,
}

/// What comes after a statement.
pub(super) enum Next<'a> {
    /// The next one.
    Term,
    Enter(Block<'a>),
    Break,
    Continue,
    Return(Value),
}

impl<'a> Block<'a> {
    pub(super) fn new(terms: Cursor<'a>, scope: usize) -> Self {
        Self { terms, scope, last_if: None, again: None }
    }
}

impl<'a> Machine<'a> {
    /// Runs the body of a method: what it returns, if it returns something. Linux 7.3.4 does not take the value of the
    /// last statement for it.
    pub(super) fn run(&mut self, body: Cursor<'a>, method: usize) -> Result<Value, Stop> {
        let mut blocks = Vec::from([Block::new(body, method)]);
        while let Some(mut block) = blocks.pop() {
            let start = block.terms;
            let next = match self.turn(&mut block) {
                Ok(Some(next)) => next,
                Ok(None) => continue,
                Err(stop) => {
                    let again = blocks.iter().chain([&block]).filter_map(|block| block.again);
                    let rest = blocks.iter().map(|block| block.terms).chain([start]).chain(again);
                    self.spoil(rest.collect(), method, stop.place);
                    return Err(stop);
                }
            };
            match next {
                Next::Term => blocks.push(block),
                Next::Enter(inner) => {
                    blocks.push(block);
                    if blocks.len() >= MAX_DEPTH {
                        return Err(Reason::Depth.at((start.table, start.at)));
                    }
                    blocks.push(inner);
                }
                Next::Break => leave(block, &mut blocks, false),
                Next::Continue => leave(block, &mut blocks, true),
                Next::Return(value) => return Ok(value),
            }
        }
        Ok(Value::Uninitialized)
    }

    /// Runs a table.
    pub(super) fn load_block(&mut self, terms: Cursor<'a>) {
        let mut blocks = Vec::from([Block::new(terms, ROOT)]);
        // Each turn reads at least one byte of a block or drops a block; steps bound how often a `While` begins again.
        while let Some(mut block) = blocks.pop() {
            let start = block.terms;
            match self.turn(&mut block) {
                Ok(Some(Next::Term)) => blocks.push(block),
                Ok(Some(Next::Enter(inner))) => {
                    blocks.push(block);
                    if blocks.len() < MAX_DEPTH {
                        blocks.push(inner);
                        continue;
                    }
                    let left = inner.terms.left();
                    let sentence =
                        format!("packages are nested deeper than {MAX_DEPTH}; {left:#x} bytes are skipped");
                    self.report(
                        "aml-limit",
                        Severity::Error,
                        inner.scope,
                        inner.terms,
                        inner.terms.at,
                        &sentence,
                    );
                }
                Ok(Some(Next::Break)) => leave(block, &mut blocks, false),
                Ok(Some(Next::Continue)) => leave(block, &mut blocks, true),
                Ok(Some(Next::Return(_)) | None) => {}
                Err(stop) => {
                    block.terms = start;
                    if self.recover(&mut block, &stop) {
                        blocks.push(block);
                    }
                }
            }
        }
    }

    /// Goes behind a term that could not be run while a table is loaded; false if where it ends is not known.
    fn recover(&mut self, block: &mut Block<'a>, stop: &Stop) -> bool {
        let (start, scope) = (block.terms, block.scope);
        let reason = self.explain(&stop.reason);
        if start.is_empty() {
            let sentence = format!("{reason}; the While ends here");
            self.report("aml-statement", Severity::Warning, scope, start, stop.place.1, &sentence);
            return false;
        }
        if let Err(fault) = self.skip_term(&mut block.terms, scope) {
            let (kind, left) = (&fault.kind, start.end() - fault.at.min(start.end()));
            let sentence = format!("{kind}; the remaining {left:#x} bytes are not read");
            self.report("aml-term", Severity::Error, scope, start, fault.at, &sentence);
            return false;
        }
        let mut ahead = start;
        let opcode = ahead.opcode().unwrap_or(opcode::ZERO);
        let what = match start.peek() {
            Ok(byte) if begins_name(byte) => "call",
            _ => opcode::name(opcode),
        };
        let consequence = match opcode {
            opcode::IF => {
                let lists = Vec::from([inside(start), inside(block.terms)]);
                self.spoil(lists, scope, stop.place);
                format!("the If ({:#x} bytes) and its Else are skipped", block.terms.at - start.at)
            }
            _ => format!("the {what} is skipped"),
        };
        let (id, severity) = match stop.reason {
            Reason::Fault(_) => ("aml-term", Severity::Error),
            Reason::Refused { .. } | Reason::Undefined(_) | Reason::Valueless(_) => {
                ("aml-name", Severity::Warning)
            }
            Reason::Steps | Reason::Depth | Reason::Memory => ("aml-limit", Severity::Warning),
            _ => ("aml-statement", Severity::Warning),
        };
        self.report(id, severity, scope, start, stop.place.1, &format!("{reason}; {consequence}"));
        true
    }

    pub(super) fn report(
        &mut self,
        id: &'static str,
        severity: Severity,
        scope: usize,
        terms: Cursor<'_>,
        at: usize,
        sentence: &str,
    ) {
        let place = self.tree.path(scope);
        self.findings.add(id, severity, &place, (terms.table, at), &sentence);
    }

    /// Goes behind one term.
    pub(super) fn skip_term(&self, terms: &mut Cursor<'a>, scope: usize) -> Result<(), AmlFault> {
        terms.skip_term(|name, _| self.arguments(scope, name))
    }

    /// Runs the next term of a block, or begins its `While` again; `None` if the block has ended.
    fn turn(&mut self, block: &mut Block<'a>) -> Result<Option<Next<'a>>, Stop> {
        if !block.terms.is_empty() {
            return self.statement(block).map(Some);
        }
        let Some(mut terms) = block.again else { return Ok(None) };
        self.step((terms.table, terms.at))?;
        if !self.predicate(&mut terms, block.scope)? {
            return Ok(None);
        }
        block.terms = terms;
        Ok(Some(Next::Term))
    }

    fn predicate(&mut self, terms: &mut Cursor<'a>, scope: usize) -> Result<bool, Stop> {
        let place = (terms.table, terms.at);
        let value = self.operand(terms, scope)?;
        match self.number(value, place)? {
            Ok(number) => Ok(number != 0),
            Err(cause) => Err(Reason::Unknown(cause.source).at(cause.place)),
        }
    }

    /// Runs one term.
    fn statement(&mut self, block: &mut Block<'a>) -> Result<Next<'a>, Stop> {
        let decision = block.last_if.take();
        let (table, scope) = (block.terms.table, block.scope);
        let faulty = of_fault(table);
        if begins_name(block.terms.peek().map_err(&faulty)?) {
            return self.operand(&mut block.terms, scope).map(|_| Next::Term);
        }
        let start = block.terms.at;
        let mut ahead = block.terms;
        let opcode = ahead.opcode().map_err(&faulty)?;
        if begins_object(opcode) {
            block.terms = ahead;
            return self.define_object(block, opcode, start);
        }
        match opcode {
            opcode::NOOP | opcode::BREAK_POINT => {
                block.terms = ahead;
                Ok(Next::Term)
            }
            opcode::BREAK => Ok(Next::Break),
            opcode::CONTINUE => Ok(Next::Continue),
            opcode::RETURN => {
                block.terms = ahead;
                self.operand(&mut block.terms, scope).map(Next::Return)
            }
            opcode::IF => {
                block.terms = ahead;
                let mut inside = block.terms.package().map_err(&faulty)?;
                block.last_if = Some(Decision::Unknown);
                let is_taken = self.predicate(&mut inside, scope)?;
                block.last_if = Some(if is_taken { Decision::Taken } else { Decision::NotTaken });
                Ok(if is_taken { Next::Enter(Block::new(inside, scope)) } else { Next::Term })
            }
            opcode::ELSE => {
                block.terms = ahead;
                let inside = block.terms.package().map_err(&faulty)?;
                match decision {
                    Some(Decision::NotTaken) => Ok(Next::Enter(Block::new(inside, scope))),
                    Some(_) => Ok(Next::Term),
                    None => Err(Reason::Else.at((table, start))),
                }
            }
            opcode::WHILE => {
                block.terms = ahead;
                let again = block.terms.package().map_err(&faulty)?;
                let mut inside = again;
                self.step((table, start))?;
                if !self.predicate(&mut inside, scope)? {
                    return Ok(Next::Term);
                }
                Ok(Next::Enter(Block { again: Some(again), ..Block::new(inside, scope) }))
            }
            // Linux goes on behind it (`acpi_ex_opcode_3A_0T_0R`).
            opcode::FATAL => {
                self.skip_term(&mut block.terms, scope).map_err(&faulty)?;
                Ok(Next::Term)
            }
            _ => self.operand(&mut block.terms, scope).map(|_| Next::Term),
        }
    }
}

/// The terms in the `If` or `Else` that comes next, the predicate among them.
fn inside(mut terms: Cursor<'_>) -> Cursor<'_> {
    match terms.opcode() {
        Ok(opcode::IF | opcode::ELSE) => terms.package().unwrap_or(terms.ended()),
        _ => terms.ended(),
    }
}

/// Leaves the innermost `While`, or begins it again.
fn leave<'a>(block: Block<'a>, blocks: &mut Vec<Block<'a>>, again: bool) {
    let mut inner = Some(block);
    while let Some(mut block) = inner.take().or_else(|| blocks.pop()) {
        if block.again.is_some() {
            if again {
                block.terms = block.terms.ended();
                blocks.push(block);
            }
            return;
        }
    }
}

/// Whether a term with this opcode names an object, or adds to a scope.
fn begins_object(opcode: u16) -> bool {
    matches!(
        opcode,
        opcode::ALIAS
            | opcode::NAME
            | opcode::SCOPE
            | opcode::METHOD
            | opcode::EXTERNAL
            | opcode::CREATE_DWORD_FIELD
            | opcode::CREATE_WORD_FIELD
            | opcode::CREATE_BYTE_FIELD
            | opcode::CREATE_BIT_FIELD
            | opcode::CREATE_QWORD_FIELD
            | opcode::CREATE_FIELD
            | opcode::MUTEX
            | opcode::EVENT
            | opcode::OPERATION_REGION..=opcode::DATA_REGION
    )
}
