//! Findings about AML, each with its table and offset.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use probe::{Finding, Severity};

/// Limit of findings about all tables; a last one counts the rest.
const MAX_FINDINGS: usize = 256;

/// The findings so far.
pub(super) struct Findings {
    /// Names of the tables, by index.
    tables: Vec<String>,
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Nothing found yet in tables of these names.
    pub(super) fn new(tables: Vec<String>) -> Self {
        Self { tables, list: Vec::new(), left_out: 0 }
    }

    /// The name of a table.
    pub(super) fn table(&self, index: usize) -> &str {
        self.tables.get(index).map_or("unread table", String::as_str)
    }

    /// Adds one about the object `subject`, whose cause is at `(table, offset)`.
    pub(super) fn add(
        &mut self,
        id: &'static str,
        severity: Severity,
        subject: &dyn Display,
        (table, offset): (usize, usize),
        sentence: &dyn Display,
    ) {
        if self.list.len() >= MAX_FINDINGS {
            self.left_out += 1;
            return;
        }
        let subject = format!("{subject} ({}, byte {offset:#x})", self.table(table));
        self.list.push(Finding { id, severity, subject, sentence: format!("{sentence}") });
    }

    /// The findings, with a last one for those beyond the limit.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            self.list.push(Finding {
                id: "findings-left-out",
                severity: Severity::Warning,
                subject: String::from("AML"),
                sentence: format!("{} more findings about AML; they are not listed", self.left_out),
            });
        }
        self.list
    }
}
