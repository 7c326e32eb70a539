//! CPUs and PSCI.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::CpuAffinity;
use probe::{Findings, Severity};

use super::address::{child_cells, number};
use super::tree::{NodeIndex, Tree};
use crate::PsciConduit;

const PSCI: [&str; 3] = ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"];

/// The instruction by which PSCI is called (Linux binding `arm/psci.yaml`).
pub(super) fn psci(tree: &Tree, findings: &mut Findings) -> Option<PsciConduit> {
    let node = tree.nodes().find(|node| tree.is_compatible(*node, &PSCI) && tree.is_available(*node))?;
    match tree.text(node, "method") {
        Some("hvc") => Some(PsciConduit::Hvc),
        Some("smc") => Some(PsciConduit::Smc),
        other => {
            let place = format!("{}:method", tree.path(node));
            let found = other.map_or(String::from("missing"), |method| format!("{method:?}"));
            let sentence = format!("{found}, expected \"hvc\" or \"smc\"; PSCI is not used");
            findings.add("psci-method", Severity::Warning, place, sentence);
            None
        }
    }
}

/// The number of usable CPUs, at least 1, and their affinities as far as `reg` has them.
///
/// A CPU that is "disabled" can be enabled through its `enable-method`; only one that has failed
/// cannot be used (section 3.8.1; Linux: `of_get_next_cpu_node`).
pub(super) fn cpus(tree: &Tree, findings: &mut Findings) -> (u32, Vec<CpuAffinity>) {
    let is_cpu = |node: &_| tree.text(*node, "device_type") == Some("cpu") || tree.base_name(*node) == "cpu";
    let has_failed = |node: &_| {
        tree.text(*node, "status").is_some_and(|status| status == "fail" || status.starts_with("fail-"))
    };
    let (mut count, mut affinities) = (0, Vec::new());
    if let Some(cpus) = tree.by_path("/cpus") {
        for node in tree.children(cpus).filter(|node| is_cpu(node) && !has_failed(node)) {
            count += 1;
            affinities.extend(affinity(tree, node));
        }
    }
    if count == 0 {
        let sentence = String::from("no usable child with device_type = \"cpu\"; one CPU is assumed");
        findings.add("no-cpu", Severity::Warning, String::from("/cpus"), sentence);
    }
    (count.max(1), affinities)
}

/// The CPU in `reg`: MPIDR_EL1's affinity fields in one cell or two, as the parent specifies (Linux binding
/// `arm/cpus.yaml`, `of_get_cpu_hwid`).
fn affinity(tree: &Tree, node: NodeIndex) -> Option<CpuAffinity> {
    let cells = child_cells(tree, tree.parent(node)?).address;
    let address = tree.property(node, "reg")?.get(..4 * cells)?;
    (1..=2).contains(&cells).then(|| CpuAffinity::of_mpidr(number(address) as u64))
}
