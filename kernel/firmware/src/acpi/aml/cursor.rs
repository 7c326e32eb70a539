//! AML as items: numbers, lengths, names and data, every read checked, every error with its place.

use alloc::vec::Vec;

use super::fault::{AmlFault, FaultKind};
use super::limits::{MAX_EXPRESSION, MAX_PARENTS};
use super::name::{NameString, Segment};
use super::opcode::{self, operator};

/// A part of a table that is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Which of the tables.
    pub(super) table: usize,
    /// The next byte, counted from the table's first.
    pub(super) at: usize,
    end: usize,
}

/// A data object; what has a length of its own is not opened yet.
#[derive(Clone, Debug)]
pub(super) enum Data<'a> {
    Integer(u64),
    /// Up to the zero byte; ASCII by the specification, and anything else in some firmware.
    Text(&'a [u8]),
    /// Behind the length: the size, then the bytes.
    Buffer(Cursor<'a>),
    /// Behind the length: the number of elements as one byte, then the elements.
    Package(Cursor<'a>),
    /// Behind the length: the number of elements as a term, then the elements.
    VarPackage(Cursor<'a>),
    Name(NameString),
}

impl<'a> Cursor<'a> {
    /// All of `bytes` from `at` on, which are the table with the index `table`.
    pub(super) fn new(bytes: &'a [u8], table: usize, at: usize) -> Self {
        Self { bytes, table, at: at.min(bytes.len()), end: bytes.len() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// Where what is still to be read ends, counted from the table's first byte.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    pub(super) fn fault(&self, kind: FaultKind) -> AmlFault {
        AmlFault { at: self.at, kind }
    }

    pub(super) fn peek(&self) -> Result<u8, AmlFault> {
        let byte = if self.is_empty() { None } else { self.bytes.get(self.at) };
        byte.copied().ok_or_else(|| self.fault(FaultKind::Cut))
    }

    pub(super) fn byte(&mut self) -> Result<u8, AmlFault> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], AmlFault> {
        if length > self.left() {
            return Err(self.fault(FaultKind::Cut));
        }
        let taken = self.bytes.get(self.at..self.at + length);
        let taken = taken.ok_or_else(|| self.fault(FaultKind::Cut))?;
        self.at += length;
        Ok(taken)
    }

    /// Where it ends, with nothing left.
    pub(super) fn ended(&self) -> Self {
        Self { at: self.end, ..*self }
    }

    /// From a byte on that was read already.
    pub(super) fn back_to(&self, at: usize) -> Self {
        Self { at: at.min(self.at), ..*self }
    }

    /// All that is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    /// `length` bytes, the lowest first.
    pub(super) fn number(&mut self, length: usize) -> Result<u64, AmlFault> {
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(super) fn opcode(&mut self) -> Result<u16, AmlFault> {
        let byte = self.byte()?;
        if byte == opcode::EXTENDED {
            return Ok(u16::from(byte) << 8 | u16::from(self.byte()?));
        }
        Ok(u16::from(byte))
    }

    /// A `PkgLength` without the check of what it covers (ACPI 6.5, section 20.2.4).
    pub(super) fn length(&mut self) -> Result<usize, AmlFault> {
        let lead = self.byte()?;
        let following = usize::from(lead >> 6);
        if following == 0 {
            return Ok(usize::from(lead & 0x3f));
        }
        Ok((self.number(following)? as usize) << 4 | usize::from(lead & 0xf))
    }

    /// The inside of the package whose `PkgLength` comes next; this cursor then stands behind it.
    pub(super) fn package(&mut self) -> Result<Self, AmlFault> {
        let start = self.at;
        let fault = |kind| AmlFault { at: start, kind };
        let length = self.length()?;
        let (least, most) = (self.at - start, self.end - start);
        if length < least || length > most {
            return Err(fault(FaultKind::Package { length, least, most }));
        }
        let inside = Self { end: start + length, ..*self };
        self.at = start + length;
        Ok(inside)
    }

    pub(super) fn segment(&mut self) -> Result<Segment, AmlFault> {
        let start = self.at;
        let bytes = self.take(4)?;
        for (index, &byte) in bytes.iter().enumerate() {
            let good = matches!(byte, b'A'..=b'Z' | b'_') || (index > 0 && byte.is_ascii_digit());
            if !good {
                return Err(AmlFault { at: start + index, kind: FaultKind::NameByte(byte) });
            }
        }
        Ok(Segment([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A `NameString` (ACPI 6.5, section 20.2.2).
    pub(super) fn name(&mut self) -> Result<NameString, AmlFault> {
        let from_root = self.peek()? == opcode::ROOT;
        if from_root {
            self.at += 1;
        }
        let mut parents = 0;
        while self.peek()? == opcode::PARENT {
            self.at += 1;
            parents += 1;
            if parents > MAX_PARENTS {
                return Err(self.fault(FaultKind::Parents));
            }
        }
        let count = match self.peek()? {
            0 => {
                self.at += 1;
                0
            }
            opcode::DUAL_NAME => {
                self.at += 1;
                2
            }
            opcode::MULTI_NAME => {
                self.at += 1;
                usize::from(self.byte()?)
            }
            _ => 1,
        };
        let segments = (0..count).map(|_| self.segment()).collect::<Result<_, _>>()?;
        Ok(NameString { from_root, parents, segments })
    }

    /// A constant, if one comes next; else the cursor stays.
    pub(super) fn constant(&mut self) -> Result<Option<u64>, AmlFault> {
        let mut ahead = *self;
        let number = match ahead.opcode()? {
            opcode::ZERO => 0,
            opcode::ONE => 1,
            opcode::ONES => u64::MAX,
            opcode::BYTE => ahead.number(1)?,
            opcode::WORD => ahead.number(2)?,
            opcode::DWORD => ahead.number(4)?,
            opcode::QWORD => ahead.number(8)?,
            _ => return Ok(None),
        };
        *self = ahead;
        Ok(Some(number))
    }

    /// A `DataRefObject` (ACPI 6.5, section 20.2.3).
    pub(super) fn data(&mut self) -> Result<Data<'a>, AmlFault> {
        if let Some(number) = self.constant()? {
            return Ok(Data::Integer(number));
        }
        if begins_name(self.peek()?) {
            return Ok(Data::Name(self.name()?));
        }
        let start = self.at;
        match self.opcode()? {
            opcode::STRING => self.text().map(Data::Text),
            opcode::BUFFER => self.package().map(Data::Buffer),
            opcode::PACKAGE => self.package().map(Data::Package),
            opcode::VAR_PACKAGE => self.package().map(Data::VarPackage),
            other => {
                let kind =
                    operator(other).map_or(FaultKind::Opcode(other), |(name, _)| FaultKind::NoData(name));
                Err(AmlFault { at: start, kind })
            }
        }
    }

    /// What stands before a zero byte.
    fn text(&mut self) -> Result<&'a [u8], AmlFault> {
        let length = self.rest().iter().position(|&byte| byte == 0);
        let length = length.ok_or_else(|| self.fault(FaultKind::Cut))?;
        let bytes = self.take(length)?;
        self.at += 1;
        Ok(bytes)
    }

    /// Goes behind one term: a constant, a name, or an operator with all its operands.
    ///
    /// `visit` is called with each name, and whether it is written to; it returns how many terms follow the name as
    /// arguments.
    pub(super) fn skip_term(
        &mut self,
        mut visit: impl FnMut(&NameString, bool) -> usize,
    ) -> Result<(), AmlFault> {
        const ARGUMENTS: &str = "ttttttt";
        let mut parts = 0;
        let mut pending = Vec::from([b"t".as_slice()]);
        // Each turn shortens a form; a form is only added for a part, of which there are not too many.
        while let Some(form) = pending.pop() {
            let Some((&item, rest)) = form.split_first() else { continue };
            pending.push(rest);
            let bytes = match item {
                b'b' => 1,
                b'w' => 2,
                b'd' => 4,
                b'q' => 8,
                b'n' => self.name().map(|_| 0)?,
                b'z' => self.text().map(|_| 0)?,
                b'p' => self.package().map(|_| 0)?,
                _ => {
                    parts += 1;
                    if parts > MAX_EXPRESSION {
                        return Err(self.fault(FaultKind::Expression));
                    }
                    if begins_name(self.peek()?) {
                        let name = self.name()?;
                        let count = visit(&name, item == b's').min(ARGUMENTS.len());
                        let count = if item == b't' { count } else { 0 };
                        pending.push(&ARGUMENTS.as_bytes()[..count]);
                    } else {
                        let start = self.at;
                        let opcode = self.opcode()?;
                        let (_, form) = operator(opcode)
                            .ok_or(AmlFault { at: start, kind: FaultKind::Opcode(opcode) })?;
                        // What is stored to an element is stored to the package.
                        let is_written = opcode == opcode::INDEX && item == b's';
                        pending.push(if is_written { b"sts" } else { form.as_bytes() });
                    }
                    0
                }
            };
            self.take(bytes)?;
        }
        Ok(())
    }
}

/// Whether a byte is the first of a `NameString`; the null name looks like a zero and is read as one.
pub(super) fn begins_name(byte: u8) -> bool {
    matches!(
        byte,
        b'A'..=b'Z' | b'_' | opcode::ROOT | opcode::PARENT | opcode::DUAL_NAME | opcode::MULTI_NAME
    )
}
