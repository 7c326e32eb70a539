//! Which functions must share an IOMMU group.
//!
//! There is one algorithm, Linux's `pci_device_group`; a callback tells it which group a function is in. A path that
//! follows Linux step by step calls [`Topology::group`] for each device when it is probed. The isolation class of a
//! function must not depend on what was probed before: it is the result of the same algorithm with all functions in
//! topology order.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PciAddress;

use crate::function::alias_mask::AliasMask;
use crate::function::index::FunctionIndex;
use crate::topology::Topology;

/// The group that a function joins, and the rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join<G> {
    /// The group of a function that it cannot be isolated from.
    Existing {
        /// That group.
        group: G,
        /// The rule, in the words of the report.
        why: String,
    },
    /// A new group.
    New {
        /// The rule, in the words of the report.
        why: String,
    },
}

/// The isolation class of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationClass {
    /// The first function of the class in topology order.
    pub leader: FunctionIndex,
    /// The rule that put the function there, in the words of the report.
    pub why: String,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The function is in that group already, or in a new one.
    Own,
    /// A bridge replaces the requester IDs of its requests by one that it owns.
    AliasOf(FunctionIndex),
    /// The first bridge does not isolate it, because of the second one: the same bridge, or one above it.
    Behind(FunctionIndex, FunctionIndex),
    /// A function of the same bus does DMA under its ID, or it under that function's.
    SharesIds(FunctionIndex),
    /// A function of the same slot.
    Sibling(FunctionIndex),
}

impl Topology {
    /// The group that `function` joins, if `group_of` returns the current group of each function.
    ///
    /// Linux 7.2: `pci_device_group`.
    pub fn group<G>(
        &self,
        function: FunctionIndex,
        group_of: &dyn Fn(FunctionIndex) -> Option<G>,
    ) -> Join<G> {
        match self.find_group(function, group_of) {
            (Some(group), rule) => Join::Existing { group, why: self.words(function, rule) },
            (None, _) => Join::New { why: String::from("own group") },
        }
    }

    /// The isolation class of every function, by index. It depends only on the topology, including the ACS control
    /// registers.
    #[must_use]
    pub fn isolation_classes(&self) -> Vec<IsolationClass> {
        let mut classes: Vec<IsolationClass> = Vec::with_capacity(self.functions().len());
        for index in self.indices() {
            // Later functions have no class yet, so that the order is that of the topology.
            let join = self.group(index, &|other| classes.get(other.place()).map(|class| class.leader));
            classes.push(match join {
                Join::Existing { group: leader, why } => IsolationClass { leader, why },
                Join::New { why } => IsolationClass { leader: index, why },
            });
        }
        classes
    }

    fn find_group<G>(
        &self,
        function: FunctionIndex,
        group_of: &dyn Fn(FunctionIndex) -> Option<G>,
    ) -> (Option<G>, Rule) {
        let mut top = function;
        let mut rule = Rule::Own;
        let found = self.aliases(function, |alias| {
            top = alias.owner;
            group_of(alias.owner)
        });
        if top != function {
            rule = Rule::AliasOf(top);
        }
        if found.is_some() {
            return (found, rule);
        }
        let mut leak = None;
        for bridge in self.bridges_above(top) {
            // The first bridge above that does not isolate is the same for all bridges below it.
            leak = leak.or_else(|| self.first_leak(bridge));
            let Some(leaking) = leak else { break };
            if leaking == bridge {
                leak = None;
            }
            top = bridge;
            rule = Rule::Behind(bridge, leaking);
            if let Some(group) = group_of(bridge) {
                return (Some(group), rule);
            }
        }
        let mut visited = AliasMask::default();
        let mut search = Search { topology: self, group_of, visited: &mut visited };
        let found = search.by_alias(top).or_else(|| search.by_slot(top));
        match found {
            Some((group, found_at)) => (Some(group), found_at.unwrap_or(rule)),
            None => (None, rule),
        }
    }

    fn words(&self, function: FunctionIndex, rule: Rule) -> String {
        let name = |index: FunctionIndex| self[index].address;
        match rule {
            Rule::Own => String::from("own group"),
            Rule::AliasOf(owner) => {
                // The ID under which the owner forwards requests of this function.
                let alias = self.aliases(function, |alias| (alias.owner == owner).then_some(alias.id));
                let place = alias.map_or(name(owner), |id| PciAddress {
                    segment: name(owner).segment,
                    bus: id.bus(),
                    devfn: id.devfn(),
                });
                format!("DMA alias {place} of {}", name(owner))
            }
            Rule::Behind(bridge, leaking) if bridge == leaking => {
                format!("behind {}, which does not isolate ({})", name(bridge), self[bridge].acs_verdict())
            }
            Rule::Behind(bridge, leaking) => format!(
                "behind {}, below {}, which does not isolate ({})",
                name(bridge),
                name(leaking),
                self[leaking].acs_verdict()
            ),
            Rule::SharesIds(other) => format!("shares requester IDs with {}", name(other)),
            Rule::Sibling(other) => match self[other].acs_verdict() {
                crate::AcsVerdict::Off(_) => format!("function sibling {} with ACS off", name(other)),
                _ => format!("function sibling {} without ACS", name(other)),
            },
        }
    }
}

/// The search among the functions of one bus (Linux: `get_pci_alias_group`, `get_pci_function_alias_group`).
struct Search<'a, G> {
    topology: &'a Topology,
    group_of: &'a dyn Fn(FunctionIndex) -> Option<G>,
    /// Every function is visited once, so the depth of the recursion is at most 256.
    visited: &'a mut AliasMask,
}

type Found<G> = Option<(G, Option<Rule>)>;

impl<G> Search<'_, G> {
    /// The group of `function`, or of a function that shares requester IDs with it.
    fn by_alias(&mut self, function: FunctionIndex) -> Found<G> {
        let topology = self.topology;
        let this = &topology[function];
        if !self.visited.insert(this.address.devfn) {
            return None;
        }
        if let Some(group) = (self.group_of)(function) {
            return Some((group, None));
        }
        let bus = topology.bus_of(this);
        if !bus.has_aliases {
            return None;
        }
        topology
            .functions_of(bus)
            .filter(|other| *other != function && topology.are_aliases(function, *other))
            .find_map(|other| {
                let (group, rule) = self.by_alias(other).or_else(|| self.by_slot(other))?;
                Some((group, Some(rule.unwrap_or(Rule::SharesIds(other)))))
            })
    }

    /// The group of another function in the same slot, if neither of the two isolates.
    fn by_slot(&mut self, function: FunctionIndex) -> Found<G> {
        let topology = self.topology;
        let this = &topology[function];
        if !this.multifunction || this.isolates() {
            return None;
        }
        let bus = topology.bus_of(this);
        (0..8u8).find_map(|number| {
            let devfn = addr::DeviceFunction::new(this.address.devfn.device(), number)?;
            let other = topology.on_bus(bus, devfn)?;
            if other == function || topology[other].isolates() {
                return None;
            }
            let (group, rule) = self.by_alias(other)?;
            Some((group, Some(rule.unwrap_or(Rule::Sibling(other)))))
        })
    }
}
