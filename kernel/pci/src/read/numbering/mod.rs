//! Bus numbers for every bridge, including those behind root buses that firmware does not describe.
//!
//! A host bridge that firmware does not describe answers on its root bus all the same (QEMU's `pxb-pcie` with a
//! device tree). After reset its bridges have the secondary number 0, and an IOMMU that finds devices by bus number
//! may confuse their buses with bus 0. So all root buses are found and all bridges are numbered before anything is
//! read that depends on the numbers.

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

/// All root buses with everything behind them, after numbering.
pub(crate) struct Numbered {
    /// Those that firmware describes, in its order, each with its index in firmware's list.
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
    // Each segment of a described root bus once, in ascending order.
    let above = |roots: &[Root], last: Option<u16>| {
        let segments = roots.iter().map(|root| root.segment);
        segments.filter(|segment| last.is_none_or(|last| last < *segment)).min()
    };
    let mut last = None;
    while let Some(segment) = above(&roots, last) {
        find_hidden(config, segment, numbering, &mut roots, findings);
        last = Some(segment);
    }
    // Hidden root buses first: their numbers follow their own, and the others are planned around these.
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

/// Makes sure that bridges of root `index` without a number do not look as if they led to bus 0.
///
/// The first round of numbering has found such bridges. Now all bridges behind the root bus are parked, which needs
/// numbers itself, and numbered a second time, with the same result.
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
        functions: root.tree.functions().len() as u32,
    };
    findings.hidden_root(root_address(root.segment, root.number), hidden.last_bus, hidden.functions);
    hidden
}
