//! Devices of a complete namespace, in the order in which Linux would scan it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use probe::Severity;

use super::device::{AmlDevice, PRESENT_OR_FUNCTIONAL, Uid};
use super::found::Found;
use super::id;
use super::machine::Machine;
use super::name::Segment;
use super::resource::Resource;
use super::stop::Reason;
use super::template;
use super::tree::{Kind, ROOT};
use super::unknown::Unknowns;

/// Most compatible IDs of one device.
const MAX_CIDS: usize = 32;

/// What encloses a node, as far as it counts for devices in it.
#[derive(Clone, Copy)]
struct Around {
    device: Option<usize>,
    is_reached: bool,
    cca: Option<u64>,
}

/// All devices, depth first, children in order of definition.
pub(super) fn devices(machine: &mut Machine<'_>) -> Vec<AmlDevice> {
    initialise(machine);
    let mut devices = Vec::new();
    let mut unknowns = Unknowns::default();
    let mut open = Vec::from([(ROOT, Around { device: None, is_reached: true, cca: None })]);
    while let Some((index, around)) = open.pop() {
        let mut inner = around;
        let path = || machine.tree.path(index);
        if matches!(machine.tree.node(index).kind, Kind::Device) {
            let path = path();
            let mut reader = Reader { machine, unknowns: &mut unknowns, index, path, unread: Vec::new() };
            let device = reader.device(around);
            inner =
                Around { device: Some(devices.len()), is_reached: device.is_reached, cca: device.coherency };
            devices.push(device);
        } else if is_scanned(machine, index) {
            let path = path();
            let mut reader = Reader { machine, unknowns: &mut unknowns, index, path, unread: Vec::new() };
            let (is_present, cca) = reader.scope(around);
            inner = Around { is_reached: around.is_reached && is_present, cca, ..around };
        }
        open.extend(machine.tree.node(index).children.iter().rev().map(|&child| (child, inner)));
    }
    unknowns.report(machine);
    devices
}

/// Whether Linux scans an object like a device although it is not one in AML (`acpi_bus_check_add`).
fn is_scanned(machine: &Machine<'_>, index: usize) -> bool {
    let node = machine.tree.node(index);
    match node.kind {
        Kind::Container => true,
        // The root, and the predefined scopes that are devices to ACPICA.
        Kind::Scope => index == ROOT || matches!(&node.name.0, b"_SB_" | b"_TZ_"),
        _ => false,
    }
}

/// Runs `_INI` of what is there, before anything else is asked for (`acpi_ns_initialize_devices`).
fn initialise(machine: &mut Machine<'_>) {
    let is_init = |node: &usize| machine.tree.node(*node).name.0 == *b"_INI";
    let mut methods: Vec<usize> = (0..machine.tree.len()).filter(is_init).collect();
    // Those of the root and of \_SB come first.
    methods.sort_by_key(|method| {
        let parent = machine.tree.node(*method).parent;
        parent != ROOT && machine.tree.node(parent).parent != ROOT
    });
    for method in methods {
        if !is_there(machine, machine.tree.node(method).parent) {
            continue;
        }
        if let Err(stop) = machine.run_method(method) {
            let (place, why) = (machine.tree.path(method), machine.explain(&stop.reason));
            let sentence = format!("{why}; the method is not completed");
            machine.findings.add("aml-init", Severity::Info, &place, stop.place, &sentence);
        }
    }
}

/// Whether a node and all that encloses it are there.
fn is_there(machine: &mut Machine<'_>, mut node: usize) -> bool {
    loop {
        if let Some(status) = machine.tree.child(node, Segment(*b"_STA")) {
            match machine.evaluate(status) {
                Ok(Found::Integer(status)) if status & PRESENT_OR_FUNCTIONAL != 0 => {}
                Err(stop) if counts_as_missing("_STA", &stop.reason) => {}
                _ => return false,
            }
        }
        if node == ROOT {
            return true;
        }
        node = machine.tree.node(node).parent;
    }
}

/// Reads the objects of one device.
struct Reader<'r, 'a> {
    machine: &'r mut Machine<'a>,
    unknowns: &'r mut Unknowns,
    index: usize,
    path: String,
    unread: Vec<&'static str>,
}

impl<'a> Reader<'_, 'a> {
    fn device(&mut self, around: Around) -> AmlDevice {
        let (hid, cids, uid, adr) = (self.hid(), self.cids(), self.uid(), self.number("_ADR", true));
        let mut ids = hid.iter().chain(&cids);
        let is_host_bridge = ids.any(|id| id == "PNP0A03");
        let has_ids = hid.is_some() || !cids.is_empty();

        let sta = self.number("_STA", around.is_reached);
        let is_reached = around.is_reached && self.is_present(sta);
        let cca = self.number("_CCA", around.is_reached && around.cca.is_none());
        let is_asked = is_reached && is_host_bridge;
        let bbn = self.number("_BBN", is_asked);
        let seg = self.number("_SEG", is_asked);
        let cba = self.number("_CBA", is_asked);
        let crs = self.crs(is_reached && has_ids);

        let coherency = around.cca.or(cca);
        let severity = match (is_host_bridge, coherency) {
            (true, _) => Severity::Error,
            // Without `_CCA` a device does no DMA on Arm.
            (false, Some(_)) => Severity::Warning,
            (false, None) => Severity::Info,
        };
        self.unknowns.end_device(severity);
        let node = self.machine.tree.node(self.index);
        AmlDevice {
            name: node.name.to_string(),
            parent: around.device,
            hid,
            cids,
            uid,
            adr,
            bbn,
            seg,
            cba,
            cca,
            coherency,
            sta,
            is_reached,
            crs,
            unread: core::mem::take(&mut self.unread),
            table: String::from(self.machine.findings.table(node.table)),
            offset: node.at,
            path: core::mem::take(&mut self.path),
        }
    }

    /// Whether a scope is there, and the `_CCA` that counts in it.
    fn scope(&mut self, around: Around) -> (bool, Option<u64>) {
        let status = self.number("_STA", around.is_reached);
        let is_present = self.is_present(status);
        let cca = around.cca.or_else(|| self.number("_CCA", true));
        self.unknowns.end_device(Severity::Error);
        (is_present, cca)
    }

    /// What is not known is not there (`acpi_scan_init_status`).
    fn is_present(&self, status: Option<u64>) -> bool {
        !self.unread.contains(&"_STA") && status.is_none_or(|status| status & PRESENT_OR_FUNCTIONAL != 0)
    }

    /// One object of the device: its value, and where it is defined. One that Linux does not ask for is only read if
    /// it is data.
    fn object(&mut self, name: &'static str, is_asked: bool) -> Option<(Found<'a>, (usize, usize))> {
        let node = self.machine.tree.child(self.index, Segment(segment(name)))?;
        let is_data = matches!(self.machine.tree.node(node).kind, Kind::Data(_));
        if !is_asked && !is_data {
            return None;
        }
        let place = self.machine.place(node);
        match self.machine.evaluate(node) {
            Ok(value) => Some((value, place)),
            Err(stop) if counts_as_missing(name, &stop.reason) => {
                let reason = self.machine.explain(&stop.reason);
                let reason = format!("{reason}; it is treated as missing, as in Linux");
                self.find(name, Severity::Warning, stop.place, &reason);
                None
            }
            Err(stop) => {
                self.note(name);
                let reason = self.machine.explain(&stop.reason);
                if matches!(stop.reason, Reason::Unknown(_)) {
                    self.unknowns.add(name, &self.path, stop.place, reason);
                } else {
                    self.find(name, Severity::Warning, stop.place, &format!("{reason}; it is ignored"));
                }
                None
            }
        }
    }

    fn note(&mut self, name: &'static str) {
        if self.unread.last() != Some(&name) {
            self.unread.push(name);
        }
    }

    fn find(&mut self, name: &'static str, severity: Severity, place: (usize, usize), sentence: &str) {
        let object = format_args!("{}.{name}", self.path);
        self.machine.findings.add("aml-value", severity, &object, place, &sentence);
    }

    fn unknown(&mut self, name: &'static str, severity: Severity, place: (usize, usize), reason: &str) {
        self.note(name);
        self.find(name, severity, place, reason);
    }

    fn wrong(&mut self, name: &'static str, place: (usize, usize), found: &str, expected: &str) {
        self.unknown(name, Severity::Warning, place, &format!("{found}, expected {expected}; it is ignored"));
    }

    fn number(&mut self, name: &'static str, is_asked: bool) -> Option<u64> {
        match self.object(name, is_asked)? {
            (Found::Integer(number), _) => Some(number),
            (other, place) => {
                self.wrong(name, place, other.kind(), "an integer");
                None
            }
        }
    }

    fn uid(&mut self) -> Option<Uid> {
        match self.object("_UID", true)? {
            (Found::Integer(number), _) => Some(Uid::Number(number)),
            (Found::Text(text), _) => Some(Uid::Text(readable(&text).into_owned())),
            (other, place) => {
                self.wrong("_UID", place, other.kind(), "an integer or a string");
                None
            }
        }
    }

    fn hid(&mut self) -> Option<String> {
        let (value, place) = self.object("_HID", true)?;
        self.id("_HID", &value, place)
    }

    fn id(&mut self, name: &'static str, value: &Found<'_>, place: (usize, usize)) -> Option<String> {
        let (id, found) = match value {
            Found::Integer(number) => (id::eisa(*number), format!("the integer {number:#x}")),
            Found::Text(text) => {
                let text = readable(text);
                (id::text(&text), format!("the string {text:?}"))
            }
            other => (None, String::from(other.kind())),
        };
        if id.is_none() {
            self.wrong(name, place, &found, "a hardware ID");
        }
        id
    }

    fn cids(&mut self) -> Vec<String> {
        let Some((value, place)) = self.object("_CID", true) else {
            return Vec::new();
        };
        let Found::Package(elements) = value else {
            return self.id("_CID", &value, place).into_iter().collect();
        };
        if elements.len() > MAX_CIDS {
            let reason =
                format!("{} elements, expected at most {MAX_CIDS}; the rest is ignored", elements.len());
            self.unknown("_CID", Severity::Warning, place, &reason);
        }
        let mut ids = Vec::new();
        for (index, element) in elements.into_iter().take(MAX_CIDS).enumerate() {
            match element {
                Ok(value) => ids.extend(self.id("_CID", &value, place)),
                Err(reason) => {
                    let reason = format!("element {index}: {}; it is ignored", self.machine.explain(&reason));
                    self.unknown("_CID", Severity::Warning, place, &reason);
                }
            }
        }
        ids
    }

    fn crs(&mut self, is_asked: bool) -> Vec<Resource> {
        let Some((value, place)) = self.object("_CRS", is_asked) else {
            return Vec::new();
        };
        let Found::Buffer(bytes, (table, start)) = value else {
            self.wrong("_CRS", place, value.kind(), "a buffer");
            return Vec::new();
        };
        // A byte of a computed template has no place in a table.
        let step = usize::from(matches!(bytes, Cow::Borrowed(_)));
        let (path, findings) = (&self.path, &mut self.machine.findings);
        template::read(&bytes, |offset, remark| {
            let place = (table, start + step * offset);
            let severity = remark.severity();
            findings.add("aml-resource", severity, &format_args!("{path}._CRS"), place, &remark);
        })
    }
}

/// Whether Linux treats an object whose method ended early like one that the device does not have. `AE_NOT_FOUND` is the
/// status of both, and where Linux looks at the status, it goes on after this one (`acpi_pci_root_add` for `_SEG`,
/// `try_get_root_bridge_busnr` for `_BBN`, `acpi_bus_get_status_handle` for `_STA`; tried with Linux 7.3.4).
fn counts_as_missing(name: &str, reason: &Reason) -> bool {
    matches!(name, "_SEG" | "_BBN" | "_STA") && matches!(reason, Reason::Undefined(_))
}

fn segment(name: &str) -> [u8; 4] {
    name.as_bytes().try_into().unwrap_or(*b"____")
}

/// A text of firmware; bytes that are not ASCII are shown as Latin-1.
fn readable(text: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(text) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(text.iter().map(|byte| char::from(*byte)).collect()),
    }
}
