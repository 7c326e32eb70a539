//! The requester IDs of a function's requests.

use alloc::vec::Vec;

use addr::{DeviceFunction, RequesterId};

use crate::function::Function;
use crate::function::index::FunctionIndex;
use crate::function::kind::FunctionKind;
use crate::topology::Topology;

/// A requester ID that requests of a function can have, and the function that causes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The function itself, or a bridge above it that replaces the ID.
    pub owner: FunctionIndex,
    /// The ID.
    pub id: RequesterId,
}

impl Topology {
    /// Calls `visit` for every alias of `function` in Linux's order: its own ID, those in its alias mask, then those
    /// that bridges towards the root replace it by. Stops at the first value that `visit` returns.
    ///
    /// Linux: `pci_for_each_dma_alias`.
    pub fn aliases<T>(
        &self,
        function: FunctionIndex,
        mut visit: impl FnMut(Alias) -> Option<T>,
    ) -> Option<T> {
        let start = &self[function];
        let own = start.address.requester_id();
        visit(Alias { owner: function, id: own })
            .or_else(|| {
                start.aliases.iter().find_map(|devfn| {
                    visit(Alias { owner: function, id: RequesterId::new(own.bus(), devfn) })
                })
            })
            .or_else(|| {
                self.bridges_above(function).find_map(|bridge| {
                    let id = taken_over_as(&self[bridge])?;
                    visit(Alias { owner: bridge, id })
                })
            })
    }

    /// The requester IDs of `function`: its own, then its aliases in Linux's order, each once.
    #[must_use]
    pub fn requesters(&self, function: FunctionIndex) -> Vec<RequesterId> {
        let mut ids = Vec::new();
        self.aliases(function, |alias| {
            if !ids.contains(&alias.id) {
                ids.push(alias.id);
            }
            None::<()>
        });
        ids
    }

    /// Whether one of two functions on the same bus does DMA under the other's ID.
    ///
    /// Linux: `pci_devs_are_dma_aliases`.
    pub(crate) fn are_aliases(&self, one: FunctionIndex, other: FunctionIndex) -> bool {
        let (one, other) = (&self[one], &self[other]);
        one.aliases.contains(other.address.devfn) || other.aliases.contains(one.address.devfn)
    }
}

/// The ID by which `bridge` replaces those of requests from behind it; none if it does not.
fn taken_over_as(bridge: &Function) -> Option<RequesterId> {
    let own = bridge.address.requester_id();
    let behind = || {
        let secondary = bridge.bridge.as_ref()?.buses?.secondary;
        Some(RequesterId::new(secondary, DeviceFunction::from_bits(0)))
    };
    match bridge.kind {
        FunctionKind::PcieToPciBridge if bridge.keeps_requester_ids => None,
        FunctionKind::PcieToPciBridge => behind(),
        FunctionKind::PciToPcieBridge => Some(own),
        FunctionKind::Conventional if bridge.hides_pcie => behind(),
        FunctionKind::Conventional => Some(own),
        _ => None,
    }
}
