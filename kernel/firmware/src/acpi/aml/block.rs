//! A definition block, term by term, into the namespace (ACPI 6.5, section 20.2.5).
//!
//! What is not understood costs one object, if its length is known, and else the rest of what encloses
//! it. Nothing is run: statements are left out, but for an `If` whose predicate is a constant.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::Severity;

use super::cursor::{Cursor, Fault, NameString, begins_name};
use super::findings::Findings;
use super::opcode::{self, field};
use super::tree::{Kind, ROOT, Tree};

/// Deepest nesting of packages that hold terms.
const MAX_NESTING: usize = 64;

/// A list of terms that is being read.
struct Frame<'a> {
    terms: Cursor<'a>,
    scope: usize,
    /// What the `If` that was the last term decided, if it was one.
    last_if: Option<Decision>,
}

/// What is known of an `If`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Taken,
    NotTaken,
    Unknown,
}

/// Reads the terms of a definition block into the tree.
pub(super) fn read<'a>(tree: &mut Tree<'a>, terms: Cursor<'a>, findings: &mut Findings) {
    let mut block = Block { tree, findings, frames: Vec::new() };
    block.frames.push(Frame { terms, scope: ROOT, last_if: None });
    // Each turn reads at least one byte of a frame or drops a frame, and no byte is in two sibling frames.
    while let Some(mut frame) = block.frames.pop() {
        if frame.terms.is_empty() {
            continue;
        }
        match block.term(&mut frame) {
            Ok(None) => block.frames.push(frame),
            Ok(Some(inner)) => {
                block.frames.push(frame);
                block.enter(inner);
            }
            Err(fault) => block.lose(&frame, &fault),
        }
    }
}

struct Block<'t, 'a> {
    tree: &'t mut Tree<'a>,
    findings: &'t mut Findings,
    frames: Vec<Frame<'a>>,
}

/// What encloses the next terms, if a term was the beginning of some.
type Entered<'a> = Result<Option<Frame<'a>>, Fault>;

impl<'a> Block<'_, 'a> {
    fn enter(&mut self, inner: Frame<'a>) {
        if self.frames.len() < MAX_NESTING {
            self.frames.push(inner);
            return;
        }
        let sentence = format!(
            "packages are nested deeper than {MAX_NESTING}; {:#x} bytes are skipped",
            inner.terms.left()
        );
        self.report("aml-limit", Severity::Error, inner.scope, inner.terms, inner.terms.at, &sentence);
    }

    fn report(
        &mut self,
        id: &'static str,
        severity: Severity,
        scope: usize,
        terms: Cursor<'_>,
        at: usize,
        sentence: &str,
    ) {
        let subject = self.tree.path(scope);
        self.findings.add(id, severity, &subject, (terms.table, at), &sentence);
    }

    /// The rest of a list of terms is lost: where the next term begins is not known.
    fn lose(&mut self, frame: &Frame<'_>, fault: &Fault) {
        let path = self.tree.path(frame.scope);
        let left = frame.terms.end() - fault.at.min(frame.terms.end());
        let sentence = format!("{}; the last {left:#x} bytes of {path} are not read", fault.kind);
        self.report("aml-term", Severity::Error, frame.scope, frame.terms, fault.at, &sentence);
    }

    /// One object is lost.
    fn skip(&mut self, frame: &Frame<'_>, what: &str, fault: &Fault) {
        let sentence = format!("{}; the {what} is skipped", fault.kind);
        self.report("aml-term", Severity::Error, frame.scope, frame.terms, fault.at, &sentence);
    }

    /// Reads one term.
    fn term(&mut self, frame: &mut Frame<'a>) -> Entered<'a> {
        let start = frame.terms.at;
        let decision = frame.last_if.take();
        let mut ahead = frame.terms;
        let opcode = ahead.opcode()?;
        if !begins_object(opcode) {
            return self.statement(frame, opcode, decision);
        }
        frame.terms = ahead;
        match opcode {
            opcode::SCOPE => return self.scope(frame, start),
            opcode::DEVICE | opcode::PROCESSOR | opcode::THERMAL_ZONE | opcode::POWER_RESOURCE => {
                return self.container(frame, opcode, start);
            }
            opcode::METHOD => self.method(frame, start)?,
            opcode::NAME => {
                let name = frame.terms.name()?;
                let data = frame.terms;
                frame.terms.data()?;
                self.define(frame, &name, Kind::Data(data), start);
            }
            opcode::ALIAS => {
                let source = frame.terms.name()?;
                let name = frame.terms.name()?;
                match self.tree.resolve(frame.scope, &source) {
                    Some(target) => self.define(frame, &name, Kind::Alias(target), start),
                    None => self.unresolved(frame, &source, start, &format!("the alias {name} is skipped")),
                }
            }
            opcode::EXTERNAL => {
                frame.terms.name()?;
                frame.terms.take(2)?;
            }
            opcode::MUTEX => {
                let name = frame.terms.name()?;
                frame.terms.byte()?;
                self.define(frame, &name, Kind::Other, start);
            }
            opcode::EVENT => {
                let name = frame.terms.name()?;
                self.define(frame, &name, Kind::Other, start);
            }
            opcode::OPERATION_REGION => {
                let name = frame.terms.name()?;
                frame.terms.byte()?;
                self.skip_terms(frame, 2)?;
                self.define(frame, &name, Kind::Other, start);
            }
            opcode::DATA_REGION => {
                let name = frame.terms.name()?;
                self.skip_terms(frame, 3)?;
                self.define(frame, &name, Kind::Other, start);
            }
            opcode::FIELD | opcode::INDEX_FIELD | opcode::BANK_FIELD => self.fields(frame, opcode)?,
            // Buffer fields: the buffer, the index, for `CreateField` the length, then the name.
            _ => {
                self.skip_terms(frame, if opcode == opcode::CREATE_FIELD { 3 } else { 2 })?;
                let name = frame.terms.name()?;
                self.define(frame, &name, Kind::Other, start);
            }
        }
        Ok(None)
    }

    fn define(&mut self, frame: &Frame<'a>, name: &NameString, kind: Kind<'a>, at: usize) {
        let _ = self.define_node(frame, name, kind, at);
    }

    fn define_node(
        &mut self,
        frame: &Frame<'a>,
        name: &NameString,
        kind: Kind<'a>,
        at: usize,
    ) -> Option<usize> {
        match self.tree.define(frame.scope, name, kind, (frame.terms.table, at)) {
            Ok(node) => Some(node),
            Err(refusal) => {
                let sentence = format!("{name} is skipped: {refusal}");
                self.report("aml-name", Severity::Error, frame.scope, frame.terms, at, &sentence);
                None
            }
        }
    }

    fn unresolved(&mut self, frame: &Frame<'a>, name: &NameString, at: usize, consequence: &str) {
        let sentence = format!("{name} is not defined before; {consequence}");
        self.report("aml-name", Severity::Error, frame.scope, frame.terms, at, &sentence);
    }

    fn scope(&mut self, frame: &mut Frame<'a>, start: usize) -> Entered<'a> {
        let mut inside = frame.terms.package()?;
        let name = match inside.name() {
            Ok(name) => name,
            Err(fault) => {
                self.skip(frame, "scope", &fault);
                return Ok(None);
            }
        };
        let Some(scope) = self.tree.resolve(frame.scope, &name) else {
            let consequence = format!("{:#x} bytes of a scope are skipped", inside.left());
            self.unresolved(frame, &name, start, &consequence);
            return Ok(None);
        };
        if matches!(self.tree.node(scope).kind, Kind::Method { .. }) {
            let sentence = format!("{name} is a method and no scope; {:#x} bytes are skipped", inside.left());
            self.report("aml-name", Severity::Error, frame.scope, frame.terms, start, &sentence);
            return Ok(None);
        }
        Ok(Some(Frame { terms: inside, scope, last_if: None }))
    }

    fn container(&mut self, frame: &mut Frame<'a>, opcode: u16, start: usize) -> Entered<'a> {
        let mut inside = frame.terms.package()?;
        // What stands between the name and the terms.
        let fixed = match opcode {
            opcode::PROCESSOR => 6,
            opcode::POWER_RESOURCE => 3,
            _ => 0,
        };
        let name = match inside.name().and_then(|name| inside.take(fixed).map(|_| name)) {
            Ok(name) => name,
            Err(fault) => {
                self.skip(frame, "device or other container", &fault);
                return Ok(None);
            }
        };
        let kind = if opcode == opcode::DEVICE { Kind::Device } else { Kind::Container };
        let node = self.define_node(frame, &name, kind, start);
        Ok(node.map(|scope| Frame { terms: inside, scope, last_if: None }))
    }

    fn method(&mut self, frame: &mut Frame<'a>, start: usize) -> Result<(), Fault> {
        let mut body = frame.terms.package()?;
        match body.name().and_then(|name| Ok((name, body.byte()?))) {
            Ok((name, flags)) => {
                let arguments = usize::from(flags & 7);
                self.define(frame, &name, Kind::Method { arguments, body }, start);
            }
            Err(fault) => self.skip(frame, "method", &fault),
        }
        Ok(())
    }

    /// Names of the fields, so that terms that use them can be told from method calls.
    fn fields(&mut self, frame: &mut Frame<'a>, opcode: u16) -> Result<(), Fault> {
        let mut list = frame.terms.package()?;
        if let Err(fault) = self.field_list(frame, opcode, &mut list) {
            self.skip(frame, "rest of the field list", &fault);
        }
        Ok(())
    }

    fn field_list(&mut self, frame: &Frame<'a>, opcode: u16, list: &mut Cursor<'a>) -> Result<(), Fault> {
        list.name()?;
        if opcode != opcode::FIELD {
            list.name()?;
        }
        if opcode == opcode::BANK_FIELD {
            let (tree, scope) = (&*self.tree, frame.scope);
            list.skip_term(|name| arguments(tree, scope, name))?;
        }
        list.byte()?;
        while !list.is_empty() {
            let start = list.at;
            match list.peek()? {
                field::RESERVED => {
                    list.byte()?;
                    list.length()?;
                }
                field::ACCESS => {
                    list.take(3)?;
                }
                field::EXTENDED_ACCESS => {
                    list.take(4)?;
                }
                field::CONNECT => {
                    list.byte()?;
                    list.data()?;
                }
                _ => {
                    let name = NameString::lone(list.segment()?);
                    list.length()?;
                    self.define(frame, &name, Kind::Other, start);
                }
            }
        }
        Ok(())
    }

    fn skip_terms(&mut self, frame: &mut Frame<'a>, count: usize) -> Result<(), Fault> {
        let (tree, scope) = (&*self.tree, frame.scope);
        (0..count).try_for_each(|_| frame.terms.skip_term(|name| arguments(tree, scope, name)))
    }

    /// What would run while the table is loaded.
    fn statement(&mut self, frame: &mut Frame<'a>, opcode: u16, decision: Option<Decision>) -> Entered<'a> {
        let start = frame.terms.at;
        let skipped: String = match opcode {
            opcode::NOOP => {
                frame.terms.opcode()?;
                return Ok(None);
            }
            opcode::IF | opcode::WHILE => {
                frame.terms.opcode()?;
                let mut inside = frame.terms.package()?;
                let bytes = inside.left();
                let predicate = inside.constant().unwrap_or(None);
                match (opcode, predicate) {
                    (opcode::WHILE, Some(0)) => return Ok(None),
                    (opcode::IF, Some(0)) => {
                        frame.last_if = Some(Decision::NotTaken);
                        return Ok(None);
                    }
                    (opcode::IF, Some(_)) => {
                        frame.last_if = Some(Decision::Taken);
                        return Ok(Some(Frame { terms: inside, scope: frame.scope, last_if: None }));
                    }
                    (opcode::IF, None) => {
                        frame.last_if = Some(Decision::Unknown);
                        format!("an If with {bytes:#x} bytes, and its Else,")
                    }
                    _ => format!("a While with {bytes:#x} bytes"),
                }
            }
            opcode::ELSE => {
                frame.terms.opcode()?;
                let inside = frame.terms.package()?;
                match decision {
                    Some(Decision::NotTaken) => {
                        return Ok(Some(Frame { terms: inside, scope: frame.scope, last_if: None }));
                    }
                    Some(_) => return Ok(None),
                    None => format!("an Else without If, with {:#x} bytes,", inside.left()),
                }
            }
            opcode::ACQUIRE => {
                frame.terms.opcode()?;
                self.skip_terms(frame, 1)?;
                frame.terms.take(2)?;
                String::from("an Acquire")
            }
            _ => {
                self.skip_terms(frame, 1)?;
                if begins_name_of(opcode) {
                    String::from("a call")
                } else {
                    format!("a statement with opcode {opcode:#04x}")
                }
            }
        };
        let sentence = format!("{skipped} is not run while the table is loaded");
        self.report("aml-statement", Severity::Warning, frame.scope, frame.terms, start, &sentence);
        Ok(None)
    }
}

/// How many terms follow a name as its arguments.
fn arguments(tree: &Tree<'_>, scope: usize, name: &NameString) -> Option<usize> {
    match tree.node(tree.resolve(scope, name)?).kind {
        Kind::Method { arguments, .. } => Some(arguments),
        _ => Some(0),
    }
}

fn begins_name_of(opcode: u16) -> bool {
    u8::try_from(opcode).is_ok_and(begins_name)
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
