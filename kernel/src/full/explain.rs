//! Explanations of single devices (`explain=`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use kernel::{Handle, Probing};
use pci::{FunctionIndex, Topology};
use report::{AcsOf, Explained, Reference, Report, RequesterOf};

/// The facts about the devices with these names that do not depend on groups; a name that no device has is added to
/// `warnings`.
pub(crate) fn facts(probing: &Probing, names: &[String], warnings: &mut Vec<String>) -> Vec<Explained> {
    let mut explained = Vec::new();
    for name in names {
        let Some(device) = probing.core.devices().find(|device| device.name() == *name) else {
            warnings.push(format!("command line: explain={name}: there is no device with this name"));
            continue;
        };
        let references = probing.core.references(device.id()).into_iter().map(|reference| Reference {
            requester_id: reference.input.map(|id| format!("{:#06x}", id.0)),
            iommu: probing.core.node_name(reference.iommu),
            endpoint: format!("{:#x}", reference.endpoint.0),
            source: reference.source.to_string(),
            in_use: false,
        });
        let mut one =
            Explained { device: name.clone(), references: references.collect(), ..Explained::default() };
        if let Handle::Function(index) = *device.handle() {
            add_function(&mut one, &probing.hardware.topology, index);
        }
        explained.push(one);
    }
    explained
}

/// Adds the explanations to the report, with the groups that the report has.
pub(crate) fn add(report: &mut Report, explained: Vec<Explained>) {
    for mut one in explained {
        if let Some(device) = report.devices.iter().find(|device| device.name == one.device) {
            (one.group, one.why) = (device.group, device.why.clone());
            for reference in &mut one.references {
                reference.in_use = device.endpoints.contains(&reference.endpoint);
            }
        }
        let group = report.groups.iter().find(|group| Some(group.id) == one.group);
        let members = group.into_iter().flat_map(|group| &group.devices);
        one.shares_with = members.filter(|member| **member != one.device).cloned().collect();
        report.explained.push(one);
    }
}

fn add_function(one: &mut Explained, topology: &Topology, index: FunctionIndex) {
    let name = |index: FunctionIndex| topology[index].address.to_string();
    let acs = |index: FunctionIndex| acs_of(topology, index);
    let explanation = topology.explain(index);
    let requesters = explanation.requesters.iter();
    one.requester_ids = requesters
        .map(|alias| RequesterOf { id: format!("{:#06x}", alias.id.0), owner: name(alias.owner) })
        .collect();
    one.bridges = explanation.bridges.iter().copied().map(acs).collect();
    let mut slot = explanation.siblings;
    slot.push(index);
    slot.sort_unstable();
    one.slot = slot.into_iter().map(acs).collect();
    one.alone_if = explanation.alone_if.map(|functions| functions.into_iter().map(name).collect());
}

fn acs_of(topology: &Topology, index: FunctionIndex) -> AcsOf {
    let function = &topology[index];
    AcsOf {
        name: function.address.to_string(),
        kind: function.kind.to_string(),
        has: function.acs.map(|acs| acs.capability.to_string()),
        on: function.acs.map(|acs| acs.control.to_string()),
        verdict: function.acs_verdict().to_string(),
    }
}
