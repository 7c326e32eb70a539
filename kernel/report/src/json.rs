//! A new report, and its form as one line of JSON.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{Device, Report, Run, SCHEMA, Timing, Verdict};

mod fields;
mod writer;

impl Report {
    /// A report of a run that has not got anywhere yet.
    pub fn new(run: Run) -> Self {
        Self {
            schema: SCHEMA.to_string(),
            run,
            iommus: Vec::new(),
            groups: Vec::new(),
            devices: Vec::new(),
            warnings: Vec::new(),
            findings: Vec::new(),
            invariants: Vec::new(),
            two_cpus: None,
            race: None,
            operations: Vec::new(),
            hot_plug: Vec::new(),
            dma: Vec::new(),
            explained: Vec::new(),
            suites: Vec::new(),
            map_speed: None,
            timing_us: Timing::default(),
            result: Verdict::Error,
            failed_because: Vec::new(),
            error: None,
        }
    }

    /// A report of a run that did not get far enough to write one itself.
    pub fn of_error(run: Run, error: String) -> Self {
        Self { error: Some(error), ..Self::new(run) }
    }

    /// The report as one line of JSON, without the line's end; it begins with `{"schema":`.
    pub fn to_json_line(&self) -> String {
        writer::Writer::object(|json| fields::report(json, self))
    }

    /// Reads what [`Self::to_json_line`] wrote. Fields that are not known are passed over.
    ///
    /// # Errors
    ///
    /// The text is not a report: not JSON, cut short, or a field is missing or of another type.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Devices in no group, in the order in which they were added.
    pub fn ungrouped(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.group.is_none())
    }
}
