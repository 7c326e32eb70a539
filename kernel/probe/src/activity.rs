//! Pending and running work, divided into pieces.
//!
//! A piece is the work that one thread does without releasing the core: on Linux, the work under
//! `iommu_probe_device_lock` or under a device's lock. Other work may run between two pieces. A
//! caller with several CPUs, or one that tries every interleaving, holds activities and decides
//! which of them continues.

use crate::data::dma::{DmaState, Ungrouped};
use crate::data::id::DeviceId;
use crate::fixed::{self, Replay};
use crate::linux::activity::LinuxActivity;
use crate::linux::state::Linux;
use crate::table::Tables;
use crate::table::bind::Task;

/// An activity that is in progress or can begin: a replay, a bind, a device's arrival.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Activity(pub(crate) Work);

/// One unit of pending work.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Work {
    /// Queued work that has not begun.
    Task(Task),
    /// `fixed`: the next device, or the next group, of a replay.
    Replay(Replay),
    /// Linux's paths: an activity in progress.
    Linux(LinuxActivity),
}

impl Activity {
    /// Whether it goes from device to device: an IOMMU's replay, or its registration.
    #[must_use]
    pub fn is_walk(&self) -> bool {
        matches!(self.0, Work::Replay(_) | Work::Linux(LinuxActivity::Register(_)))
    }

    /// Description of the next piece.
    #[must_use]
    pub fn next_piece(&self) -> &'static str {
        match &self.0 {
            Work::Replay(_) => "replay: next device",
            Work::Task(Task::Probe(_)) => "probe",
            Work::Task(Task::Bind(_)) => "bind",
            Work::Linux(activity) => activity.next_piece(),
        }
    }
}

impl Work {
    /// The device of the activity: the one that is added or bound, or the IOMMU whose replay it is.
    pub(crate) fn device<D>(&self, tables: &Tables<D>) -> Option<DeviceId> {
        match self {
            Self::Task(task) => Some(task.device()),
            Self::Replay(replay) => Some(tables.instances.find(replay.published().id())?.device()),
            Self::Linux(activity) => Some(activity.device()),
        }
    }

    /// Does one piece; returns the remaining activity, if any.
    pub(crate) fn advance<D>(self, linux: Option<&mut Linux>, tables: &mut Tables<D>) -> Option<Self> {
        match (self, linux) {
            // The device was removed after this was queued.
            (Self::Task(task), _) if !tables.devices.contains(task.device()) => None,
            (Self::Task(Task::Probe(device)), _) => {
                fixed::iommus_ready(tables, device);
                None
            }
            (Self::Task(Task::Bind(device)), linux) => {
                tables.devices.clear_queued(device);
                match linux {
                    None => fixed::bind(tables, device).map(Self::Replay),
                    Some(linux) => LinuxActivity::bind(linux, tables, device).map(Self::Linux),
                }
            }
            (Self::Replay(replay), _) => fixed::replay_step(tables, replay).map(Self::Replay),
            (Self::Linux(activity), linux) => activity.advance(linux?, tables).map(Self::Linux),
        }
    }

    /// Whether the next piece of a walk visits a device that is not behind an IOMMU or that already
    /// has its group. Such a piece has no effect, whatever happens before it, as long as no device,
    /// driver or IOMMU is removed.
    pub(crate) fn next_is_idle<D>(&self, tables: &Tables<D>) -> bool {
        let walk = match self {
            Self::Replay(replay) => replay.walk(),
            Self::Linux(LinuxActivity::Register(registration)) if !registration.is_probing() => {
                registration.walk()
            }
            _ => return false,
        };
        walk.peek(&tables.buses).is_some_and(|next| {
            matches!(
                tables.devices[next].dma(),
                DmaState::Ungrouped(Ungrouped::Untranslated(_)) | DmaState::Grouped(_)
            )
        })
    }
}
