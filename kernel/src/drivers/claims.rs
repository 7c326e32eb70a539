//! The proofs of bound drivers that the DMA of their devices is set up.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use probe::DmaClaim;

use crate::hardware::Handle;

/// The claims of drivers that have queues or a DMA engine, in the order of their binds. Each driver keeps its own claim
/// while it is bound.
#[derive(Clone, Debug, Default)]
pub struct Claims(Rc<RefCell<Vec<(Handle, DmaClaim)>>>);

impl Claims {
    /// Keeps the claim with which a driver has bound a device.
    pub fn keep(&self, device: Handle, claim: DmaClaim) {
        self.0.borrow_mut().push((device, claim));
    }

    /// Drops the claim of a device whose driver unbinds.
    pub fn drop_of(&self, device: Handle) {
        self.0.borrow_mut().retain(|(owner, _)| *owner != device);
    }

    /// The devices that have a claim.
    #[must_use]
    pub fn devices(&self) -> Vec<Handle> {
        self.0.borrow().iter().map(|(device, _)| *device).collect()
    }

    /// What `use_claim` makes of the claim of a device; none if it does not have one.
    pub fn with<T>(&self, device: Handle, use_claim: impl FnOnce(&DmaClaim) -> T) -> Option<T> {
        let claims = self.0.borrow();
        claims.iter().find(|(owner, _)| *owner == device).map(|(_, claim)| use_claim(claim))
    }
}
