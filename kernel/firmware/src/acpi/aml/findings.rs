//! Findings about AML: each names its table and its offset.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use probe::{Finding, Severity};

/// Most findings about all tables; the last one says how many more there were.
const MAX_FINDINGS: usize = 256;

/// What has been found so far.
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
        self.tables.get(index).map_or("AML", String::as_str)
    }

    /// Adds one about `subject`, whose cause stands at `(table, offset)`.
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
        let sentence = format!("{}, byte {offset:#x}: {sentence}", self.table(table));
        self.list.push(Finding { id, severity, subject: format!("{subject}"), sentence });
    }

    /// All of them.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            self.list.push(Finding {
                id: "findings-left-out",
                severity: Severity::Warning,
                subject: String::from("AML"),
                sentence: format!("{} more findings about AML were left out", self.left_out),
            });
        }
        self.list
    }
}
