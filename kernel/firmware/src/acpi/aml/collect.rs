//! Devices of a complete namespace, in the order in which Linux would scan it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;

use probe::Severity;

use super::cursor::Segment;
use super::device::{AmlDevice, Uid};
use super::findings::Findings;
use super::id;
use super::resource::Resource;
use super::template;
use super::tree::{Kind, ROOT, Tree};
use super::value::{MAX_VALUE_BYTES, Reason, Value, Values};

/// Most compatible IDs of one device.
const MAX_CIDS: usize = 32;

/// All devices, depth first, children in order of definition.
pub(super) fn devices(tree: &Tree<'_>, narrow: bool, findings: &mut Findings) -> Vec<AmlDevice> {
    let mut devices = Vec::new();
    let budget = Cell::new(MAX_VALUE_BYTES);
    let mut open = Vec::from([(ROOT, None)]);
    while let Some((index, enclosing)) = open.pop() {
        let node = tree.node(index);
        let mut inner = enclosing;
        if matches!(node.kind, Kind::Device) {
            let values = Values { tree, narrow, budget: &budget };
            let path = tree.path(index);
            let mut reader = Reader { values, index, path, findings, unread: Vec::new() };
            inner = Some(devices.len());
            devices.push(reader.device(enclosing));
        }
        open.extend(node.children.iter().rev().map(|&child| (child, inner)));
    }
    devices
}

/// Reads the objects of one device.
struct Reader<'r, 'a> {
    values: Values<'r, 'a>,
    index: usize,
    path: String,
    findings: &'r mut Findings,
    unread: Vec<&'static str>,
}

impl<'a> Reader<'_, 'a> {
    fn device(&mut self, parent: Option<usize>) -> AmlDevice {
        let node = self.values.tree.node(self.index);
        AmlDevice {
            name: node.name.to_string(),
            parent,
            hid: self.hid(),
            cids: self.cids(),
            uid: self.uid(),
            adr: self.number("_ADR"),
            bbn: self.number("_BBN"),
            seg: self.number("_SEG"),
            cca: self.number("_CCA"),
            sta: self.number("_STA"),
            crs: self.crs(),
            unread: core::mem::take(&mut self.unread),
            table: String::from(self.findings.table(node.table)),
            offset: node.at,
            path: core::mem::take(&mut self.path),
        }
    }

    /// One object of the device: its value, and where it is defined.
    fn object(&mut self, name: &'static str) -> Option<(Value<'a>, (usize, usize))> {
        let node = self.values.tree.child(self.index, Segment(segment(name)))?;
        let place = (self.values.tree.node(node).table, self.values.tree.node(node).at);
        match self.values.of(node) {
            Ok(value) => Some((value, place)),
            Err(none) => {
                self.unknown(name, Severity::Warning, none.place, &none.reason.to_string());
                None
            }
        }
    }

    fn unknown(&mut self, name: &'static str, severity: Severity, place: (usize, usize), reason: &str) {
        if self.unread.last() != Some(&name) {
            self.unread.push(name);
        }
        let sentence = format!("{name} is not read: {reason}");
        self.findings.add("aml-value", severity, &self.path, place, &sentence);
    }

    fn wrong(&mut self, name: &'static str, place: (usize, usize), found: &str, expected: &str) {
        self.unknown(name, Severity::Error, place, &format!("it is {found}, expected {expected}"));
    }

    fn number(&mut self, name: &'static str) -> Option<u64> {
        match self.object(name)? {
            (Value::Integer(number), _) => Some(number),
            (other, place) => {
                self.wrong(name, place, other.kind(), "a number");
                None
            }
        }
    }

    fn uid(&mut self) -> Option<Uid> {
        match self.object("_UID")? {
            (Value::Integer(number), _) => Some(Uid::Number(number)),
            (Value::Text(text), _) => Some(Uid::Text(String::from(text))),
            (other, place) => {
                self.wrong("_UID", place, other.kind(), "a number or a text");
                None
            }
        }
    }

    fn hid(&mut self) -> Option<String> {
        let (value, place) = self.object("_HID")?;
        self.id("_HID", &value, place)
    }

    fn id(&mut self, name: &'static str, value: &Value<'_>, place: (usize, usize)) -> Option<String> {
        let (id, found) = match *value {
            Value::Integer(number) => (id::eisa(number), format!("the number {number:#x}")),
            Value::Text(text) => (id::text(text), format!("the text {text:?}")),
            ref other => (None, String::from(other.kind())),
        };
        if id.is_none() {
            self.wrong(name, place, &found, "a hardware ID");
        }
        id
    }

    fn cids(&mut self) -> Vec<String> {
        let Some((value, place)) = self.object("_CID") else {
            return Vec::new();
        };
        let Value::Package { mut elements, count, scope } = value else {
            return self.id("_CID", &value, place).into_iter().collect();
        };
        let mut ids = Vec::new();
        for index in 0..count {
            let place = (elements.table, elements.at);
            if elements.is_empty() {
                break;
            }
            if index == MAX_CIDS {
                let reason = format!("it has {count} elements, of which {MAX_CIDS} are read");
                self.unknown("_CID", Severity::Error, place, &reason);
                break;
            }
            match self.values.next(&mut elements, scope) {
                Ok(value) => ids.extend(self.id("_CID", &value, place)),
                Err(none) => {
                    let reason = format!("element {index}: {}", none.reason);
                    self.unknown("_CID", Severity::Warning, none.place, &reason);
                    // Where the next element begins is not known.
                    if matches!(none.reason, Reason::Fault(_)) {
                        break;
                    }
                }
            }
        }
        ids
    }

    fn crs(&mut self) -> Vec<Resource> {
        let Some((value, place)) = self.object("_CRS") else {
            return Vec::new();
        };
        let Value::Buffer(bytes) = value else {
            self.wrong("_CRS", place, value.kind(), "a buffer");
            return Vec::new();
        };
        let path = &self.path;
        let findings = &mut *self.findings;
        template::read(bytes.rest(), |offset, remark| {
            let place = (bytes.table, bytes.at + offset);
            let severity = remark.severity();
            findings.add("aml-resource", severity, path, place, &format!("_CRS: {remark}"));
        })
    }
}

fn segment(name: &str) -> [u8; 4] {
    name.as_bytes().try_into().unwrap_or(*b"____")
}
