//! The firmware of a scenario.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{EndpointId, RequesterId};
use probe::{
    FirmwareMap, FwNode, InputIds, LinuxFirmware, LinuxQuirks, MapError, Reference, Translation, Untranslated,
};

use crate::config;
use crate::error::ScenarioError;
use crate::spec::{Firmware, Scenario};

/// The node of a device is its index in the scenario; these are followed by one node per segment
/// for its host bridges.
#[derive(Debug)]
pub(crate) struct ScenarioFirmware {
    names: Vec<String>,
    disabled: Vec<bool>,
    /// For each device, the segment whose host bridge it is, and the segment of the function.
    segments: Vec<(Option<u16>, Option<u16>)>,
    /// For each device, its IOMMUs and endpoints in firmware's description.
    named: Vec<Vec<(usize, u32)>>,
    maps: Vec<Entry>,
    quirks: LinuxQuirks,
    has_iommu: bool,
}

/// One entry of the map.
#[derive(Clone, Copy, Debug)]
struct Entry {
    segment: u16,
    first: u16,
    last: u16,
    iommu: usize,
    base: u32,
}

/// The map in the core's form.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioMap(pub(crate) Rc<ScenarioFirmware>);

impl ScenarioFirmware {
    pub(crate) fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let iommu = |name: &String| {
            let unknown = || ScenarioError::UnknownDevice(name.clone());
            let at = scenario.devices.iter().position(|device| device.name == *name).ok_or_else(unknown)?;
            match scenario.devices[at].iommu {
                Some(_) => Ok(at),
                None => Err(ScenarioError::NotAnIommu(name.clone())),
            }
        };
        let mut named = Vec::new();
        for device in &scenario.devices {
            let ids = device.iommus.iter().map(|(name, endpoint)| Ok((iommu(name)?, *endpoint)));
            named.push(ids.collect::<Result<Vec<_>, ScenarioError>>()?);
        }
        let maps = scenario.maps.iter().map(|map| {
            let (iommu, (first, last)) = (iommu(&map.iommu)?, map.ids);
            Ok(Entry { segment: map.segment, first, last, iommu, base: map.base })
        });
        let maps = maps.collect::<Result<Vec<_>, ScenarioError>>()?;
        let has_iommu = !maps.is_empty() || named.iter().any(|named| !named.is_empty());
        Ok(Self {
            names: scenario.devices.iter().map(|device| device.name.clone()).collect(),
            disabled: scenario
                .devices
                .iter()
                .map(|device| device.iommu.as_ref().is_some_and(|iommu| iommu.disabled))
                .collect(),
            segments: scenario
                .devices
                .iter()
                .map(|device| (device.host_bridge, config::address(device).map(|at| at.segment)))
                .collect(),
            named,
            maps,
            quirks: match scenario.firmware {
                Firmware::Dt => LinuxQuirks::DEVICE_TREE,
                Firmware::Acpi => LinuxQuirks::acpi(has_iommu),
            },
            has_iommu,
        })
    }

    /// The node of all host bridges of a segment.
    pub(crate) fn host_bridge(&self, segment: u16) -> FwNode {
        node(self.names.len() + usize::from(segment))
    }

    fn reference(&self, iommu: usize, endpoint: u32, input: Option<RequesterId>) -> Reference {
        let source = match (input, self.quirks == LinuxQuirks::DEVICE_TREE) {
            (Some(_), true) => "iommu-map",
            (None, true) => "iommus",
            (_, false) => "viot",
        };
        Reference { iommu: node(iommu), endpoint: EndpointId(endpoint), input, source }
    }

    /// The first entry that has the ID (a device tree), or the last one (VIOT).
    fn by_map(&self, bridge: FwNode, id: RequesterId) -> Option<Reference> {
        let has = |entry: &&Entry| {
            self.host_bridge(entry.segment) == bridge && (entry.first..=entry.last).contains(&id.0)
        };
        let mut entries = self.maps.iter().filter(has);
        let found =
            if self.quirks == LinuxQuirks::DEVICE_TREE { entries.next() } else { entries.next_back() };
        let Entry { first, iommu, base, .. } = *found?;
        Some(self.reference(iommu, base.wrapping_add(u32::from(id.0 - first)), Some(id)))
    }
}

pub(crate) fn node(place: usize) -> FwNode {
    FwNode(u32::try_from(place).expect("a scenario has few devices"))
}

impl FirmwareMap for ScenarioMap {
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError> {
        let firmware = &*self.0;
        if !firmware.has_iommu {
            return Ok(Translation::Nowhere(Untranslated::NoIommu));
        }
        let references: Vec<Reference> = match ids {
            InputIds::Node => {
                let named = firmware.named.get(at.0 as usize).into_iter().flatten();
                named.map(|(iommu, endpoint)| firmware.reference(*iommu, *endpoint, None)).collect()
            }
            InputIds::Requesters(ids) => ids.iter().filter_map(|id| firmware.by_map(at, *id)).collect(),
        };
        let is_disabled = |reference: &&Reference| firmware.disabled[reference.iommu.0 as usize];
        if let Some(disabled) = references.iter().find(is_disabled) {
            return Ok(Translation::Nowhere(Untranslated::Disabled(disabled.iommu)));
        }
        Ok(match references.is_empty() {
            true => Translation::Nowhere(Untranslated::NotInMap),
            false => Translation::Endpoints(references),
        })
    }

    fn is_behind(&self, iommu: FwNode, device: FwNode) -> bool {
        let of = |node: FwNode| self.0.segments.get(node.0 as usize);
        match (of(iommu), of(device)) {
            (Some((_, Some(of_function))), Some((Some(of_bridge), _))) => of_function == of_bridge,
            _ => false,
        }
    }

    fn is_iommu(&self, _: FwNode) -> bool {
        false
    }

    fn name(&self, node: FwNode) -> String {
        self.0.names.get(node.0 as usize).cloned().unwrap_or_else(|| "the host bridge".into())
    }
}

impl LinuxFirmware for ScenarioMap {
    fn linux_quirks(&self) -> LinuxQuirks {
        self.0.quirks.clone()
    }
}
