//! Findings about a VIOT whose nodes are valid by themselves.

use alloc::format;
use alloc::string::String;

use probe::{Findings, Severity};

use super::table::{Viot, node_place};

/// Most ranges that are compared with each other.
const MAX_COMPARED: usize = 256;

impl Viot {
    /// Findings about nodes that are valid by themselves.
    pub(super) fn check(&self, findings: &mut Findings) {
        let mut warn =
            |id, offset, what: String| findings.add(id, Severity::Warning, node_place(offset), &what);
        for (number, range) in self.ranges.iter().enumerate() {
            if range.is_empty() {
                let what = format!(
                    "segments {:#x} to {:#x} and requester IDs {:#x} to {:#x} are an empty range; no function is in it",
                    range.first_segment, range.last_segment, range.first_requester, range.last_requester
                );
                warn("viot-range-empty", range.offset, what);
                continue;
            }
            let span = u32::from(range.last_segment - range.first_segment) << 16;
            let span = span | u32::from(range.last_requester - range.first_requester);
            if range.first_endpoint.checked_add(span).is_none() {
                let what = format!(
                    "endpoint IDs from {:#x} on exceed 32 bits; they wrap around to 0",
                    range.first_endpoint
                );
                warn("viot-range-wraps", range.offset, what);
            }
            if number >= MAX_COMPARED {
                continue;
            }
            let before = self.ranges[..number].iter().filter(|before| !before.is_empty());
            for before in before.filter(|before| before.overlaps(range)) {
                if range.encloses(before) {
                    let what =
                        format!("the later node at {:#x} covers all of it; it is never used", range.offset);
                    warn("viot-range-unreached", before.offset, what);
                } else {
                    let what = format!(
                        "overlaps the node at {:#x}; this later node is used where they overlap",
                        before.offset
                    );
                    warn("viot-range-overlap", range.offset, what);
                }
            }
        }
        if self.ranges.len() > MAX_COMPARED {
            let what = format!("more than {MAX_COMPARED} ranges; only these are compared with each other");
            findings.add("viot-long", Severity::Info, "VIOT", &what);
        }
        for (number, endpoint) in self.endpoints.iter().enumerate().take(MAX_COMPARED) {
            if let Some(before) = self.endpoints[..number].iter().find(|other| other.base == endpoint.base) {
                let what = format!(
                    "the later node at {:#x} is also for the device at {}; this one is never used",
                    endpoint.offset, endpoint.base
                );
                findings.add("viot-range-unreached", Severity::Warning, node_place(before.offset), &what);
            }
        }
    }
}
