//! What is odd in the tree as a whole: said once, whether or not a device comes across it.
//!
//! All of it follows from the rules of the properties, of any tree.

use alloc::format;
use alloc::string::String;

use addr::RequesterId;
use probe::{FwNode, Severity};

use super::findings::Findings;
use super::iommu_map::{Answer, Entry, IOMMU_CELLS, IOMMU_MAP, IOMMU_MAP_MASK, IOMMUS, IommuMap, Iommus};
use super::map::DeviceTreeMap;
use super::tree::{NodeIndex, Tree};
use crate::{FunctionBus, HostBridge};

/// Longest map whose entries are compared with each other.
const MAX_COMPARED: usize = 256;
/// Bits of a requester ID.
const REQUESTER_BITS: u32 = 0xffff;

/// Looks at everything.
pub(super) fn review(tree: &Tree, map: &DeviceTreeMap, bridges: &[HostBridge], findings: &mut Findings) {
    phandles(tree, findings);
    for (node, iommu_map) in map.maps.iter().filter(|(node, _)| tree.is_live(*node)) {
        let bridge = bridges.iter().find(|bridge| bridge.node == node.fw_node());
        Review { tree, map, node: *node, findings }.map(iommu_map, bridge);
    }
    for (node, list) in map.lists.iter().filter(|(node, _)| tree.is_live(*node)) {
        let mut review = Review { tree, map, node: *node, findings };
        if bridges.iter().any(|bridge| bridge.node == node.fw_node()) {
            review.bridge_list(list);
        }
        if list.entries.is_empty() && list.stop.is_none() {
            review.say(
                "iommus-malformed",
                Severity::Warning,
                IOMMUS,
                "it is empty; the device counts as untranslated",
            );
        }
        if let Some(stop) = &list.stop {
            review.findings.push(map.stopped(*node, IOMMUS, stop).finding);
        }
        if list.entries.iter().any(|(target, _)| target == node) {
            review.say(
                "map-covers-iommu",
                Severity::Warning,
                IOMMUS,
                "the IOMMU names itself as its own IOMMU",
            );
        }
    }
    iommus(tree, map, findings);
}

/// Phandles that several nodes have.
fn phandles(tree: &Tree, findings: &mut Findings) {
    for (phandle, first, second) in tree.shared_phandles() {
        let (first, path) = (tree.path(first), tree.path(second));
        let sentence =
            format!("phandle {phandle:#x} of {path} is that of {first} too; references lead to {first}");
        findings.add("phandle-shared", Severity::Warning, path, sentence);
    }
}

/// IOMMUs that cannot be used, or that are not used.
fn iommus(tree: &Tree, map: &DeviceTreeMap, findings: &mut Findings) {
    let mut is_used = alloc::vec![false; tree.len()];
    let mut is_referred_to = alloc::vec![false; tree.len()];
    for (at, target) in map.references() {
        is_referred_to[target.0 as usize] = true;
        is_used[target.0 as usize] |= tree.is_live(at);
    }
    // What a map would have led to behind the entry that ends it is not known.
    let is_partly_read = map.maps.iter().any(|(_, map)| map.stop.is_some())
        || map.lists.iter().any(|(_, list)| list.stop.is_some());
    for node in tree.nodes().filter(|node| map.is_iommu(FwNode(node.0))) {
        let path = tree.path(node);
        let is_used = is_used[node.0 as usize];
        if tree.property(node, IOMMU_CELLS).is_none() {
            if is_used {
                let sentence = format!(
                    "an {IOMMU_MAP} leads to it, but it has no {IOMMU_CELLS}; one cell is taken for an endpoint"
                );
                findings.add("target-not-iommu", Severity::Warning, path, sentence);
            }
        } else if !tree.is_available(node) {
            let (severity, effect) = if is_used {
                (Severity::Warning, "the devices that it would translate are left untranslated")
            } else {
                (Severity::Info, "and no device refers to it")
            };
            let status = tree.text(node, "status").unwrap_or_default();
            let sentence = format!("its status is {status:?}, {effect}");
            findings.add("iommu-disabled", severity, path, sentence);
        } else if !is_referred_to[node.0 as usize] && !is_partly_read && tree.is_live(node) {
            // On a bus that is disabled no device could refer to it.
            let sentence = format!("it is an IOMMU, but no {IOMMU_MAP} and no {IOMMUS} refers to it");
            findings.add("iommu-unreferenced", Severity::Warning, path, sentence);
        }
    }
}

/// The review of one node.
struct Review<'t, 'a> {
    tree: &'t Tree<'a>,
    map: &'t DeviceTreeMap,
    node: NodeIndex,
    findings: &'t mut Findings,
}

impl Review<'_, '_> {
    fn say(&mut self, id: &'static str, severity: Severity, property: &str, what: &str) {
        let path = self.tree.path(self.node);
        let sentence = format!("{property} of {path}: {what}");
        self.findings.add(id, severity, path, sentence);
    }

    fn map(&mut self, map: &IommuMap, bridge: Option<&HostBridge>) {
        if map.entries.is_empty() && map.missing.is_empty() && map.stop.is_none() {
            self.say(
                "iommu-map-empty",
                Severity::Warning,
                IOMMU_MAP,
                "it is empty; no requester ID is in it",
            );
        }
        for stop in map.missing.iter().map(|missing| &missing.stop).chain(&map.stop) {
            self.findings.push(self.map.stopped(self.node, IOMMU_MAP, stop).finding);
        }
        self.entries(map);
        self.mask(map, bridge);
        if let Some(bridge) = bridge {
            self.self_translation(map, bridge);
        }
    }

    /// A host bridge that firmware puts behind an IOMMU which is a function behind that bridge.
    fn bridge_list(&mut self, list: &Iommus) {
        let Some((iommu, _)) = list.entries.iter().find(|(target, _)| self.map.is_below(*target, self.node))
        else {
            return;
        };
        let iommu = self.tree.path(*iommu);
        let (severity, effect) = match self.tree.property(self.node, IOMMU_MAP) {
            Some(_) => (Severity::Warning, "the bridge itself is not translated"),
            None => (Severity::Error, "neither the bridge nor its functions are translated"),
        };
        let what = format!(
            "it leads to {iommu}, which is behind this host bridge and cannot be there before it; {effect}, expected \
             {IOMMU_MAP}, which is for the functions"
        );
        self.say("iommus-behind-bridge", severity, IOMMUS, &what);
    }

    /// Each entry by itself, and against those before it.
    fn entries(&mut self, map: &IommuMap) {
        for (number, entry) in map.entries.iter().enumerate() {
            if entry.is_wide_range {
                self.findings.push(self.map.wide_range(self.node, number).finding);
            }
            if u64::from(entry.output) + entry.last().map_or(0, |last| last - u64::from(entry.base))
                > u64::from(u32::MAX)
            {
                let what = format!(
                    "entry {number}: endpoint {:#x} and {:#x} IDs from there go beyond 32 bits; they wrap around to 0",
                    entry.output, entry.length
                );
                self.say("iommu-map-wraps", Severity::Warning, IOMMU_MAP, &what);
            }
            if number < MAX_COMPARED {
                self.order(number, entry, &map.entries[..number]);
            }
        }
        if map.entries.len() > MAX_COMPARED {
            let what = format!("only the first {MAX_COMPARED} entries were compared with each other");
            self.say("iommu-map-long", Severity::Info, IOMMU_MAP, &what);
        }
    }

    /// Whether `entry` is reached at all, and whether it shares IDs with one before it.
    fn order(&mut self, number: usize, entry: &Entry, before: &[Entry]) {
        let Some(last) = entry.last().filter(|_| entry.base <= REQUESTER_BITS) else {
            let what = format!(
                "entry {number} (base {:#x}, length {:#x}) holds no requester ID, which is at most {REQUESTER_BITS:#x}",
                entry.base, entry.length
            );
            return self.say("iommu-map-unreached", Severity::Warning, IOMMU_MAP, &what);
        };
        let first_shared = before.iter().position(|other| {
            other.last().is_some_and(|end| u64::from(entry.base) <= end && u64::from(other.base) <= last)
        });
        let Some(other) = first_shared else { return };
        if is_covered(entry, last.min(u64::from(REQUESTER_BITS)), before) {
            let what =
                format!("entry {number} is never reached: entries before it have all its requester IDs");
            self.say("iommu-map-unreached", Severity::Warning, IOMMU_MAP, &what);
        } else {
            let what = format!("entries {other} and {number} overlap; the first one decides");
            self.say("iommu-map-overlap", Severity::Warning, IOMMU_MAP, &what);
        }
    }

    /// A mask under which several requester IDs become one endpoint.
    fn mask(&mut self, map: &IommuMap, bridge: Option<&HostBridge>) {
        if let Some(mask) = self.tree.property(self.node, IOMMU_MAP_MASK)
            && mask.len() != 4
        {
            let what = format!("it has {} bytes, expected 4; {:#x} is taken", mask.len(), map.mask);
            self.say("iommu-map-mask-malformed", Severity::Warning, IOMMU_MAP_MASK, &what);
        }
        let dropped = !map.mask & REQUESTER_BITS;
        let (first, last) = bridge.map_or((0, u8::MAX), |bridge| (bridge.first_bus, bridge.last_bus));
        let bus_bits = (dropped >> 8) as u8;
        let buses_fold =
            (first..=last).any(|bus| (bus..=last).skip(1).any(|other| (bus ^ other) & !bus_bits == 0));
        let folds = dropped & 0xff != 0 || buses_fold;
        let has_answers = map.entries.iter().any(|entry| entry.length > 0 && entry.base <= REQUESTER_BITS);
        if folds && has_answers {
            let what = format!(
                "{:#x} leaves out bits {dropped:#x} of a requester ID: functions that differ only there get the same \
                 endpoint",
                map.mask
            );
            self.say("map-mask-folds", Severity::Warning, IOMMU_MAP_MASK, &what);
        }
    }

    /// An IOMMU on the bus itself whose own requests the map leads to it.
    fn self_translation(&mut self, map: &IommuMap, bridge: &HostBridge) {
        for function in &bridge.functions {
            let FunctionBus::Number(bus) = function.bus else { continue };
            let requester = RequesterId::new(bus, function.place);
            let covers = matches!(
                map.look_up(u32::from(requester.0)),
                Answer::Endpoint { target, .. } if target.fw_node() == function.node
            );
            if covers {
                let iommu: String = self.tree.path(NodeIndex(function.node.0));
                let what = format!(
                    "it leads requester ID {requester}, which is {iommu} itself, to {iommu}; expected a map without it"
                );
                self.say("map-covers-iommu", Severity::Warning, IOMMU_MAP, &what);
            }
        }
    }
}

/// Whether the entries `before` have all IDs from the base of `entry` to `last`.
fn is_covered(entry: &Entry, last: u64, before: &[Entry]) -> bool {
    let mut next = u64::from(entry.base);
    // Each round leaves at least one entry behind.
    for _ in 0..before.len() {
        let ends = before.iter().filter(|other| u64::from(other.base) <= next).filter_map(Entry::last);
        match ends.max() {
            Some(end) if end >= next => next = end + 1,
            _ => return false,
        }
        if next > last {
            return true;
        }
    }
    false
}
