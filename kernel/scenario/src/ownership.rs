//! Steps about the DMA of groups: claims, releases, changes of type. A step that the core refuses is an event.

use alloc::format;
use alloc::string::{String, ToString};
use core::hash::{Hash, Hasher};

use probe::{Core, DeviceId, DmaState, OwnedGroup, Owner, TypeRequest};

use crate::model::Handle;
use crate::world::World;

/// A claim that was made through a device, and not released.
pub(crate) struct Claim {
    place: usize,
    owner: String,
    owned: OwnedGroup,
}

impl Claim {
    /// The same claim in a copy of the machine.
    pub(crate) fn forked(&self, core: &Core<Handle>) -> Self {
        let owned = core.forked_claim(&self.owned);
        Self { place: self.place, owner: self.owner.clone(), owned }
    }

    /// Hashes what a release of it would change.
    pub(crate) fn hash(&self, core: &Core<Handle>, state: &mut impl Hasher) {
        (self.place, &self.owner, core.owned_groups(&self.owned).is_empty()).hash(state);
    }
}

impl World {
    /// The owner claims the group of a device, unless the core refuses.
    pub(crate) fn claim(&mut self, id: DeviceId, place: usize, owner: &str) {
        match self.core.claim_device(id, Owner(owner.to_string())) {
            Ok(owned) => {
                self.owned.push(Claim { place, owner: owner.to_string(), owned });
                self.note("claimed", place);
            }
            Err(_) => self.note("claim-refused", place),
        }
    }

    /// Releases the last claim that was made through a device.
    pub(crate) fn release(&mut self, place: usize) {
        let Some(last) = self.owned.iter().rposition(|claim| claim.place == place) else {
            return self.note("nothing-to-release", place);
        };
        let released = self.core.release(self.owned.remove(last).owned);
        self.note(if released.is_ok() { "released" } else { "release-failed" }, place);
    }

    /// Changes the type of the default domain of a device's group, unless the core refuses.
    pub(crate) fn change_type(&mut self, id: DeviceId, place: usize, request: TypeRequest) {
        let changed = match self.core.device(id).dma() {
            DmaState::Grouped(membership) => {
                let group = membership.group();
                self.core.change_type(group, request).is_ok()
            }
            DmaState::Ungrouped(_) => false,
        };
        self.note(if changed { "type-changed" } else { "type-refused" }, place);
    }

    /// Adds an event that the core does not have, behind those of the core so far.
    fn note(&mut self, word: &str, place: usize) {
        self.read_events();
        self.happened.push(format!("{word} {}", self.plan.scenario.devices[place].name));
    }
}
