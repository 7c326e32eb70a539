//! Continues the activities of a world, piece by piece.

use alloc::vec::Vec;

use probe::DeviceId;

use crate::choice::Choice;
use crate::world::World;

impl World {
    /// Choices that continue a device: activities in progress first, then queued ones.
    pub(crate) fn pieces_of(&self, id: DeviceId) -> Vec<Choice> {
        let is_its = |(place, device): (usize, Option<DeviceId>)| (device == Some(id)).then_some(place);
        let running = self.running.iter().map(|activity| self.core.device_of(activity)).enumerate();
        let queued = self.core.queued().map(Some).enumerate();
        running
            .filter_map(is_its)
            .map(Choice::Go)
            .chain(queued.filter_map(is_its).map(Choice::Begin))
            .collect()
    }

    /// Does the next piece of an activity; false if there is none at the place of the choice.
    pub(crate) fn go_on(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Go(place) if place < self.running.len() => {
                let activity = self.running.remove(place);
                if let Some(rest) = self.advance(activity) {
                    self.running.insert(place, rest);
                }
                true
            }
            Choice::Begin(place) => match self.core.take_at(place) {
                Some(activity) => {
                    let rest = self.advance(activity);
                    self.running.extend(rest);
                    true
                }
                None => false,
            },
            Choice::Go(_) | Choice::Step(_) => false,
        }
    }
}
