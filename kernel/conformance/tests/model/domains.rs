//! Domains, endpoints and mappings of the model.

use std::collections::BTreeMap;

/// A first and a last address, both included.
pub(crate) type Interval = (u64, u64);

#[derive(Clone, Debug, Default)]
pub(super) struct Domain {
    pub(super) bypass: bool,
    pub(super) mappings: Vec<Interval>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Domains {
    pub(super) by_id: BTreeMap<u32, Domain>,
    /// The domain of each attached endpoint.
    pub(super) of_endpoint: BTreeMap<u32, u32>,
}

impl Domains {
    pub(super) fn keep_bypass_domains(&mut self, before: Self) {
        self.by_id = before.by_id.into_iter().filter(|(_, domain)| domain.bypass).collect();
    }

    /// The number of endpoints in a domain.
    pub(super) fn members(&self, domain: u32) -> usize {
        self.of_endpoint.values().filter(|other| **other == domain).count()
    }

    /// Takes an endpoint out of its domain, which ends with its last endpoint.
    pub(super) fn take_out(&mut self, endpoint: u32) {
        let Some(domain) = self.of_endpoint.remove(&endpoint) else { return };
        if self.members(domain) == 0 {
            self.by_id.remove(&domain);
        }
    }
}

pub(super) fn overlap(one: Interval, other: Interval) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

pub(super) fn covers(outer: Interval, inner: Interval) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}
