//! Activities in progress on Linux's paths, divided into pieces.

use crate::data::id::DeviceId;
use crate::linux::bind::{Bind, Rest};
use crate::linux::probe::Arrival;
use crate::linux::register::Registration;
use crate::linux::state::Linux;
use crate::table::Tables;

/// Something that has begun.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum LinuxActivity {
    /// The notification that a device was added.
    Arrive(Arrival),
    /// A bind.
    Bind(Bind),
    /// An IOMMU registers, and walks the buses.
    Register(Registration),
}

impl LinuxActivity {
    /// A device is on its bus.
    pub(crate) fn arrive<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) -> Self {
        Self::Arrive(Arrival::begin(linux, tables, device))
    }

    /// A bind that was queued.
    pub(crate) fn bind<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) -> Option<Self> {
        Bind::begin(linux, tables, device).map(Self::Bind)
    }

    /// The device of the activity.
    pub(crate) fn device(&self) -> DeviceId {
        match self {
            Self::Arrive(arrival) => arrival.device(),
            Self::Bind(bind) => bind.device(),
            Self::Register(registration) => registration.device(),
        }
    }

    /// Description of the next piece.
    pub(crate) fn next_piece(&self) -> &'static str {
        match self {
            Self::Arrive(arrival) => arrival.next_piece(),
            Self::Bind(bind) => bind.next_piece(),
            Self::Register(registration) => registration.next_piece(),
        }
    }

    /// Does one piece; returns the remaining activity, if any.
    pub(crate) fn advance<D>(self, linux: &mut Linux, tables: &mut Tables<D>) -> Option<Self> {
        // The kernel has crashed with its probe lock held: no activity can continue.
        if linux.oops().is_some() {
            return None;
        }
        match self {
            Self::Arrive(arrival) => arrival.advance(linux, tables).map(Self::Arrive),
            Self::Register(registration) => registration.advance(linux, tables).map(Self::Register),
            Self::Bind(bind) => match bind.advance(linux, tables) {
                Rest::Nothing => None,
                Rest::Bind(bind) => Some(Self::Bind(bind)),
                Rest::Register(registration) => Some(Self::Register(registration)),
            },
        }
    }
}
