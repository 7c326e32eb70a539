//! Steps about the DMA of groups: claims, releases, changes of type. Each returns the word of its event; a step that the
//! core refuses is an event, too.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use probe::{Core, DeviceId, DmaState, OwnedGroup, Owner, TypeRequest};

use crate::model::Handle;

/// A claim that was made through a device, and not released.
struct Claim {
    place: usize,
    owner: String,
    owned: OwnedGroup,
}

/// The claims that were not released, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Claims(Vec<Claim>);

impl Claims {
    /// The owner claims the group of a device, unless the core refuses.
    pub(crate) fn claim(
        &mut self,
        core: &mut Core<Handle>,
        id: DeviceId,
        place: usize,
        owner: &str,
    ) -> &'static str {
        match core.claim_device(id, Owner(owner.to_string())) {
            Ok(owned) => {
                self.0.push(Claim { place, owner: owner.to_string(), owned });
                "claimed"
            }
            Err(_) => "claim-refused",
        }
    }

    /// Releases the last claim that was made through a device.
    pub(crate) fn release(&mut self, core: &mut Core<Handle>, place: usize) -> &'static str {
        let Some(last) = self.0.iter().rposition(|claim| claim.place == place) else {
            return "nothing-to-release";
        };
        let released = core.release(self.0.remove(last).owned);
        if released.is_ok() { "released" } else { "release-failed" }
    }

    /// The same claims in a copy of the machine.
    pub(crate) fn forked(&self, core: &Core<Handle>) -> Self {
        let forked = |claim: &Claim| Claim {
            place: claim.place,
            owner: claim.owner.clone(),
            owned: core.forked_claim(&claim.owned),
        };
        Self(self.0.iter().map(forked).collect())
    }

    /// Hashes what releases of them would change.
    pub(crate) fn hash(&self, core: &Core<Handle>, state: &mut impl Hasher) {
        for claim in &self.0 {
            (claim.place, &claim.owner, core.owned_groups(&claim.owned).is_empty()).hash(state);
        }
    }
}

/// Changes the type of the default domain of a device's group, unless the core refuses.
pub(crate) fn change_type(core: &mut Core<Handle>, id: DeviceId, request: TypeRequest) -> &'static str {
    let changed = match core.device(id).dma() {
        DmaState::Grouped(membership) => {
            let group = membership.group();
            core.change_type(group, request).is_ok()
        }
        DmaState::Ungrouped(_) => false,
    };
    if changed { "type-changed" } else { "type-refused" }
}
