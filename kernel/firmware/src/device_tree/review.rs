//! Findings about the tree as a whole: each once, whether or not a device depends on it.
//!
//! They follow from the rules of the bindings and hold for any tree.

use alloc::format;
use alloc::string::String;

use addr::RequesterId;
use probe::{Findings, FwNode, Severity};

use super::iommu_map::{
    IOMMU_CELLS, IOMMU_MAP, IOMMU_MAP_MASK, IOMMUS, IommuMap, Iommus, MapEntry, MapLookup,
};
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
                "the list is empty; the device is treated as untranslated",
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
                "the IOMMU refers to itself; an IOMMU never translates itself",
            );
        }
    }
    iommus(tree, map, findings);
}

/// Phandles that several nodes have.
fn phandles(tree: &Tree, findings: &mut Findings) {
    for (phandle, first, second) in tree.shared_phandles() {
        let (first, path) = (tree.path(first), tree.path(second));
        let sentence = format!("phandle {phandle:#x} is also that of {first}; references lead to {first}");
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
                    "no {IOMMU_CELLS} although an {IOMMU_MAP} refers to this node; one cell per endpoint is assumed"
                );
                findings.add("target-not-iommu", Severity::Warning, path, sentence);
            }
        } else if !tree.is_available(node) {
            let (severity, effect) = if is_used {
                (Severity::Warning, "the devices behind it are not translated")
            } else {
                (Severity::Info, "no device refers to it")
            };
            let status = tree.text(node, "status").unwrap_or_default();
            let sentence = format!("the IOMMU has status {status:?}; {effect}");
            findings.add("iommu-disabled", severity, path, sentence);
        } else if !is_referred_to[node.0 as usize] && !is_partly_read && tree.is_live(node) {
            // On a bus that is disabled no device could refer to it.
            let sentence =
                format!("no {IOMMU_MAP} or {IOMMUS} refers to this IOMMU; it translates no device");
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
        let place = format!("{}:{property}", self.tree.path(self.node));
        self.findings.add(id, severity, place, String::from(what));
    }

    fn map(&mut self, map: &IommuMap, bridge: Option<&HostBridge>) {
        if map.entries.is_empty() && map.missing.is_empty() && map.stop.is_none() {
            self.say(
                "iommu-map-empty",
                Severity::Warning,
                IOMMU_MAP,
                "the map is empty; no requester ID is translated",
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
            "refers to {iommu}, an IOMMU behind this host bridge; {effect} (use {IOMMU_MAP} for the functions)"
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
                    "{:#x} endpoint IDs from {:#x} on exceed 32 bits; they wrap around to 0",
                    entry.length, entry.output
                );
                self.say("iommu-map-wraps", Severity::Warning, &entry_place(number), &what);
            }
            if number < MAX_COMPARED {
                self.order(number, entry, &map.entries[..number]);
            }
        }
        if map.entries.len() > MAX_COMPARED {
            let what = format!("more than {MAX_COMPARED} entries; only these are compared with each other");
            self.say("iommu-map-long", Severity::Info, IOMMU_MAP, &what);
        }
    }

    /// Whether `entry` is reached at all, and whether it shares IDs with one before it.
    fn order(&mut self, number: usize, entry: &MapEntry, before: &[MapEntry]) {
        let Some(last) = entry.last().filter(|_| entry.base <= REQUESTER_BITS) else {
            let what = format!(
                "base {:#x} with length {:#x} contains no requester ID (at most {REQUESTER_BITS:#x}); the entry is \
                 never used",
                entry.base, entry.length
            );
            return self.say("iommu-map-unreached", Severity::Warning, &entry_place(number), &what);
        };
        let first_shared = before.iter().position(|other| {
            other.last().is_some_and(|end| u64::from(entry.base) <= end && u64::from(other.base) <= last)
        });
        let Some(other) = first_shared else { return };
        if is_covered(entry, last.min(u64::from(REQUESTER_BITS)), before) {
            let what = "earlier entries cover all its requester IDs; the entry is never used";
            self.say("iommu-map-unreached", Severity::Warning, &entry_place(number), what);
        } else {
            let what = format!("overlaps entry {other}; the earlier entry is used");
            self.say("iommu-map-overlap", Severity::Warning, &entry_place(number), &what);
        }
    }

    /// A mask under which several requester IDs become one endpoint.
    fn mask(&mut self, map: &IommuMap, bridge: Option<&HostBridge>) {
        if let Some(mask) = self.tree.property(self.node, IOMMU_MAP_MASK)
            && mask.len() != 4
        {
            let what = format!("{} bytes long, expected 4; {:#x} is used", mask.len(), map.mask);
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
                "{:#x} drops bits {dropped:#x} of the requester ID; functions that differ only in these bits share an \
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
                MapLookup::Endpoint { target, .. } if target.fw_node() == function.node
            );
            if covers {
                let iommu: String = self.tree.path(NodeIndex(function.node.0));
                let what = format!(
                    "maps the IOMMU's own requester ID {requester} to {iommu}; an IOMMU never translates itself"
                );
                self.say("map-covers-iommu", Severity::Warning, IOMMU_MAP, &what);
            }
        }
    }
}

/// The place of an entry of an `iommu-map`, below its node's path.
fn entry_place(number: usize) -> String {
    format!("{IOMMU_MAP}[{number}]")
}

/// Whether the entries `before` have all IDs from the base of `entry` to `last`.
fn is_covered(entry: &MapEntry, last: u64, before: &[MapEntry]) -> bool {
    let mut next = u64::from(entry.base);
    // Each round leaves at least one entry behind.
    for _ in 0..before.len() {
        let ends = before.iter().filter(|other| u64::from(other.base) <= next).filter_map(MapEntry::last);
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
