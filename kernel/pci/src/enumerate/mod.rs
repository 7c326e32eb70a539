//! From host bridges to topology, in the order that the hardware demands.

use alloc::vec::Vec;

use addr::PciWindow;

use crate::config::access::ConfigAccess;
use crate::findings::Reports;
use crate::place::assign;
use crate::read::number::number_all;
use crate::read::{function, sriov};
use crate::rules::quirks::Quirks;
use crate::topology::Topology;

/// One host bridge as firmware describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootBus {
    /// PCI segment group.
    pub segment: u16,
    /// The root bus, and the first number that it may give out.
    pub first_bus: u8,
    /// The last number that it may give out.
    pub last_bus: u8,
    /// What it forwards to its bus.
    pub windows: Vec<PciWindow>,
}

/// Where bus numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// Every bridge is numbered here: no firmware ran.
    #[default]
    Assign,
    /// What firmware left in the bridges is kept where a whole root bus is consistent.
    Keep,
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resources {
    /// BARs and bridge windows are placed here: no firmware ran.
    #[default]
    Assign,
    /// BARs and bridge windows that firmware placed stay; what it left without an address is placed here.
    Keep,
}

/// How to go about it.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Where bus numbers come from.
    pub numbering: Numbering,
    /// Where addresses come from.
    pub resources: Resources,
    /// Virtual functions that every physical function gets; with 0, none is switched on.
    pub virtual_functions: u16,
    /// What is known about single functions beyond their config space.
    pub quirks: Quirks,
}

/// Enumerates a machine on which no firmware ran: numbers and addresses are all assigned here.
///
/// `roots` are in firmware's order, which is the order of the topology.
pub fn enumerate(config: &mut dyn ConfigAccess, roots: &[RootBus]) -> Topology {
    enumerate_with(config, roots, &Policy::default())
}

/// Enumerates as `policy` says.
pub fn enumerate_with(config: &mut dyn ConfigAccess, roots: &[RootBus], policy: &Policy) -> Topology {
    let mut reports = Reports::default();
    let numbered = number_all(config, roots, policy.numbering, &mut reports);
    let mut topology = function::functions(config, numbered, policy, &mut reports);
    assign::assign(config, roots, &mut topology, policy.resources, &mut reports);
    if policy.virtual_functions > 0 {
        let last_bus = |root: usize| roots[root].last_bus;
        sriov::enable(config, &mut topology, &last_bus, policy.virtual_functions, &mut reports);
    }
    topology.findings = reports.finish();
    topology
}
