//! Whether a domain still exists, for values that may outlive it: the ID of a freed domain is given to another one.

use alloc::rc::{Rc, Weak};

/// Held by the record of a domain; its leases end with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lessor(Rc<()>);

/// A proof that a domain existed, and a way to ask whether it still does.
#[derive(Clone, Debug)]
pub(crate) struct Lease(Weak<()>);

impl Lessor {
    /// A lease on the domain.
    pub(crate) fn lease(&self) -> Lease {
        Lease(Rc::downgrade(&self.0))
    }
}

impl Lease {
    /// Whether the domain does not exist any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}
