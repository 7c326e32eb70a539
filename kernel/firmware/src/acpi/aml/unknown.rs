//! Objects whose values depend on what is not evaluated: one finding about all of a kind, as a machine has many.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use probe::Severity;

use super::machine::Machine;

/// One object.
struct Unknown {
    name: &'static str,
    path: String,
    place: (usize, usize),
    reason: String,
}

/// All of them.
#[derive(Default)]
pub(super) struct Unknowns {
    /// Of the device that is being read.
    open: Vec<Unknown>,
    /// One by one.
    single: Vec<Unknown>,
    /// The first of each kind, and how many there are.
    summed: Vec<(Severity, Unknown, usize)>,
}

impl Unknowns {
    /// Adds one of the device that is being read.
    pub(super) fn add(&mut self, name: &'static str, path: &str, place: (usize, usize), reason: String) {
        self.open.push(Unknown { name, path: path.to_string(), place, reason });
    }

    /// Ends a device; an error is a finding of its own.
    pub(super) fn end_device(&mut self, severity: Severity) {
        for unknown in self.open.drain(..) {
            if severity == Severity::Error {
                self.single.push(unknown);
                continue;
            }
            let same = |(own, first, _): &&mut (Severity, Unknown, usize)| {
                *own == severity && first.name == unknown.name
            };
            match self.summed.iter_mut().find(same) {
                Some((.., count)) => *count += 1,
                None => self.summed.push((severity, unknown, 1)),
            }
        }
    }

    /// Makes findings of them.
    pub(super) fn report(self, machine: &mut Machine<'_>) {
        for Unknown { name, path, place, reason } in self.single {
            let sentence = format!("{reason}; {}", consequence(name));
            let object = format_args!("{path}.{name}");
            machine.findings.add("aml-unknown", Severity::Error, &object, place, &sentence);
        }
        for (severity, Unknown { name, path, place, reason }, count) in self.summed {
            let more = match count {
                1 => String::new(),
                _ => format!("; the same applies to {} more devices", count - 1),
            };
            let sentence = format!("{reason}; {}{more}", consequence(name));
            let object = format_args!("{path}.{name}");
            machine.findings.add("aml-unknown", severity, &object, place, &sentence);
        }
    }
}

/// The consequence for the device.
fn consequence(name: &str) -> &'static str {
    match name {
        "_STA" => "the device is treated as absent",
        "_CRS" => "the device is treated as having no resources",
        "_CCA" => "the device is treated as doing no DMA",
        _ => "the object is ignored",
    }
}
