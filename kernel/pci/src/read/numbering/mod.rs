//! Bus numbers for every bridge of the machine, also behind root buses that firmware does not describe.
//!
//! A host bridge without a description still answers on its root bus (QEMU's `pxb-pcie` under a device
//! tree). Its bridges come out of reset with the secondary number 0, and an IOMMU that finds devices by
//! bus number may take their buses for bus 0. So all root buses are looked for first, and all bridges get
//! numbers, before anything is read that depends on them.

pub(crate) mod assign;
pub(crate) mod gap;
pub(crate) mod keep;
pub(crate) mod parking;
pub(crate) mod root;
pub(crate) mod tree;

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::policy::Numbering;
use crate::read::numbering::assign::number_root;
use crate::read::numbering::root::{Root, described_roots, find_hidden, gaps_of, root_address};
use crate::read::numbering::tree::{ROOT, Tree};
use crate::topology::bus::HiddenRoot;
use crate::topology::root_bus::RootBus;

/// All root buses with everything behind them, numbered.
pub(crate) struct Numbered {
    /// The described ones, in firmware's order, each with its index in firmware's list.
    pub(crate) trees: Vec<(usize, Tree)>,
    pub(crate) hidden: Vec<HiddenRoot>,
}

/// Finds all root buses and numbers all bridges.
pub(crate) fn number_all(
    config: &mut dyn ConfigAccess,
    described: &[RootBus],
    numbering: Numbering,
    findings: &mut Findings,
) -> Numbered {
    let mut roots = described_roots(config, described, numbering, findings);
    let mut segments: Vec<u16> = roots.iter().map(|root| root.segment).collect();
    segments.sort_unstable();
    segments.dedup();
    for segment in segments {
        find_hidden(config, segment, numbering, &mut roots, findings);
    }
    // Hidden roots first: what they take is next to their own number, and the rest is planned around it.
    for index in (0..roots.len()).rev() {
        if !roots[index].kept {
            let gaps = gaps_of(&roots, index);
            number_root(config, &mut roots[index].tree, gaps, findings);
        }
    }
    for index in 0..roots.len() {
        if !roots[index].kept && roots[index].tree.closed().next().is_some() {
            park_the_rest(config, &mut roots, index);
        }
    }
    let mut numbered = Numbered { trees: Vec::new(), hidden: Vec::new() };
    for root in roots {
        match root.described {
            Some(index) => numbered.trees.push((index, root.tree)),
            None => numbered.hidden.push(report_hidden(&root, findings)),
        }
    }
    numbered
}

/// Keeps bridges of root `index` that got no numbers from looking as if they led to bus 0.
///
/// The first round of numbering told that there are some. All behind the root bus is parked then, which
/// needs numbers itself, and numbered a second time, with the same result.
fn park_the_rest(config: &mut dyn ConfigAccess, roots: &mut [Root], index: usize) {
    let segment = roots[index].segment;
    let others = roots.iter().filter(|root| root.segment == segment);
    let parking = parking::number(others.map(|root| &root.tree));
    let gaps = gaps_of(roots, index);
    let root = &mut roots[index];
    if let Some(largest) = gaps.iter().copied().max_by_key(|gap| gap.room()) {
        root.tree.truncate(1);
        root.tree.close_bridges(config, ROOT);
        parking::park_all_below(config, &root.tree, largest, parking);
        number_root(config, &mut root.tree, gaps, &mut Findings::default());
    }
    parking::park_closed(config, &root.tree, parking);
}

fn report_hidden(root: &Root, findings: &mut Findings) -> HiddenRoot {
    let hidden = HiddenRoot {
        segment: root.segment,
        bus: root.number,
        last_bus: root.tree.last_bus().unwrap_or(root.number),
        functions: root.tree.functions.len() as u32,
    };
    findings.hidden_root(root_address(root.segment, root.number), hidden.last_bus, hidden.functions);
    hidden
}
