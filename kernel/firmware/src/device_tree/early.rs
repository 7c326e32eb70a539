//! What the first seconds need, also from a tree that is broken.

use alloc::string::String;

use probe::Findings;

use super::chosen;
use super::gate;
use super::header::Mode;
use super::processors;
use super::tree::Tree;
use crate::findings::TREE;
use crate::{Console, PsciConduit};

/// How to report that the device tree is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// Kernel command line; empty if there is none.
    pub command_line: String,
    /// The console that the tree names, or else the first that it describes.
    pub console: Option<Console>,
    /// How to end the run.
    pub psci: Option<PsciConduit>,
}

impl Early {
    /// Reads a tree. What is wrong with it is a finding, or an error, once the machine is described.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut ignored = Findings::about(&TREE);
        Self {
            command_line: chosen::command_line(tree, &mut ignored),
            console: chosen::console(tree, &mut ignored),
            psci: processors::psci(tree, &mut ignored),
        }
    }
}

/// Reads what is readable of `blob`, however broken it is: the tree up to its first fault.
///
/// For a run whose [`describe`](super::describe) has failed, so that its error can be reported.
#[must_use]
pub fn early(blob: &[u8]) -> Early {
    let Ok(tree) = gate::read(blob, Mode::Salvage) else {
        return Early::default();
    };
    let early = Early::of(&tree);
    Early { console: early.console.or_else(|| chosen::first_console(&tree)), ..early }
}
