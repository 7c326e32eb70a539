//! Findings about AML, each with its table and offset.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use probe::{Finding, Severity};

use crate::findings::AML;

/// The findings so far.
pub(super) struct Findings {
    /// Names of the tables, by index.
    tables: Vec<String>,
    all: probe::Findings,
}

impl Findings {
    /// Nothing found yet in tables of these names.
    pub(super) fn new(tables: Vec<String>) -> Self {
        Self { tables, all: probe::Findings::about(&AML) }
    }

    /// The name of a table.
    pub(super) fn table(&self, index: usize) -> &str {
        self.tables.get(index).map_or("unread table", String::as_str)
    }

    /// Adds one about the object `place`, whose cause is at `(table, offset)`.
    pub(super) fn add(
        &mut self,
        id: &'static str,
        severity: Severity,
        place: &dyn Display,
        (table, offset): (usize, usize),
        sentence: &dyn Display,
    ) {
        if self.all.is_full() {
            // It would not be listed; its text is not needed.
            self.all.leave_out(severity);
            return;
        }
        let place = format!("{place} ({}, byte {offset:#x})", self.table(table));
        self.all.add(id, severity, place, format!("{sentence}"));
    }

    /// The findings, with a last one for those beyond the limit.
    pub(super) fn into_list(self) -> Vec<Finding> {
        self.all.into_list()
    }
}
