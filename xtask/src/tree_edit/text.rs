//! Edits as people read them: what becomes of which node and property, in the words of a device tree source.

use std::fmt;

use super::{Cell, Edit};

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetCells { node, property, cells } => {
                let cells: Vec<String> = cells.iter().map(Cell::to_string).collect();
                write!(f, "{node}: {property} = <{}>", cells.join(" "))
            }
            Self::SetStrings { node, property, strings } => {
                let strings: Vec<String> = strings.iter().map(|text| format!("\"{text}\"")).collect();
                write!(f, "{node}: {property} = {}", strings.join(", "))
            }
            Self::SetBytes { node, property, bytes } => write!(f, "{node}: {property} = {}", Hex(bytes)),
            Self::DeleteProperty { node, property } => write!(f, "{node}: delete {property}"),
            Self::AddNode { node } => write!(f, "add {node}"),
            Self::DeleteNode { node } => write!(f, "delete {node}"),
            Self::Truncate { length } => write!(f, "cut after {length} bytes"),
            Self::Bytes { offset, bytes } => write!(f, "from byte {offset}: {}", Hex(bytes)),
            Self::BreakToken { node, token } => write!(f, "{node}: its first token = {token:#x}"),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:#x}"),
            Self::Phandle { phandle } => write!(f, "&{{{phandle}}}"),
        }
    }
}

/// Bytes as a device tree source has them.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        write!(f, "[{}]", bytes.join(" "))
    }
}
