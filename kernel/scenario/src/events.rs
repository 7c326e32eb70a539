//! The events of a world, as text.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use probe::{DeviceId, Event, LinuxEvent};

use crate::world::World;

impl World {
    /// Takes the events since the last call: a word and, mostly, a device.
    pub fn take_events(&mut self) -> Vec<String> {
        self.read_events();
        mem::take(&mut self.happened)
    }

    /// Reads the events of the core since the last call.
    fn read_events(&mut self) {
        let events = self.core.take_events();
        let words: Vec<String> = events.iter().filter_map(|event| self.word(event)).collect();
        self.happened.extend(words);
    }

    /// Adds an event that the core does not have, behind those of the core so far.
    pub(crate) fn note(&mut self, word: &str, place: usize) {
        self.read_events();
        self.happened.push(format!("{word} {}", self.plan.scenario.devices[place].name));
    }

    fn word(&self, event: &Event) -> Option<String> {
        let instance = |id| Some(self.core.instances().find(|instance| instance.id() == id)?.device());
        let (word, device) = match event {
            Event::DeviceAdded(device) => ("added", Some(*device)),
            Event::DeviceRemoved(device) => ("removed", Some(*device)),
            Event::Untranslated { device, .. } => ("untranslated", Some(*device)),
            Event::Waiting { device, .. } => ("waiting", Some(*device)),
            Event::Refused { device, .. } => ("refused", Some(*device)),
            Event::Joined { device, .. } => ("grouped", Some(*device)),
            Event::Left { device, .. } => ("left", Some(*device)),
            Event::Published(id) => ("published", instance(*id)),
            Event::Ready(id) => ("ready", instance(*id)),
            Event::Unpublished(_) => return Some("unpublished".into()),
            Event::Linux(LinuxEvent::Late(device)) => ("late", Some(*device)),
            Event::Linux(LinuxEvent::RegistrationFailed { instance: id, .. }) => {
                ("registration-failed", instance(*id))
            }
            Event::Linux(LinuxEvent::Oops { device, .. }) => ("oops", Some(*device)),
            Event::Bound { device, .. } => ("bound", Some(*device)),
            Event::Unbound { device, .. } => ("unbound", Some(*device)),
            Event::BindFailed { device, .. } => ("bind-failed", Some(*device)),
            Event::Declined { device, .. } => ("declined", Some(*device)),
            Event::Deferred { device, .. } => ("deferred", Some(*device)),
            Event::DependencyIgnored { device, .. } => ("gave-up-waiting", Some(*device)),
            // The world has events of its own for these, with the device of the step.
            Event::Claimed { .. } | Event::Released { .. } | Event::TypeChanged { .. } => return None,
            Event::Merged { .. }
            | Event::Split { .. }
            | Event::DefaultDomain { .. }
            | Event::DomainFallback { .. } => return None,
        };
        let name = device.and_then(|device| {
            let is_it = |id: &Option<DeviceId>| *id == Some(device);
            let gone = self.gone.filter(|(id, _)| *id == device).map(|(_, place)| place);
            let place = self.present.iter().position(is_it).or(gone)?;
            Some(&*self.plan.scenario.devices[place].name)
        });
        let name = name.unwrap_or("a device that is gone");
        Some(format!("{word} {name}"))
    }
}
