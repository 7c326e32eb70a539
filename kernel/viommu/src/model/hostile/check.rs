//! What must hold after each call.

use std::string::ToString;

use addr::{EndpointId, Iova, Range};
use probe::Refusal;

use super::registers::{HostileClock, HostileHal, HostileTransport};
use super::setup::ENDPOINTS;
use super::world::{World, with};
use crate::clock::{REQUEST_DEADLINE_US, RESET_DEADLINE_US};
use crate::config::Config;
use crate::domain::Translation;
use crate::limits::QUEUE_SIZE;
use crate::model::{STEP_US, live_pages};
use crate::{Death, Features, Viommu};

/// The driver under test.
pub(super) type Driver = Viommu<HostileHal, HostileTransport, HostileClock>;

/// Steps of the clock until a wait must end: those of the deadline, and one to notice.
pub(super) const STEPS: u64 = {
    assert!(REQUEST_DEADLINE_US == RESET_DEADLINE_US);
    REQUEST_DEADLINE_US / STEP_US + 1
};

/// What happened in one execution, so that a test can see that much does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Starts that succeeded.
    pub starts: u32,
    /// Starts that failed.
    pub refused_starts: u32,
    /// Calls of the driver.
    pub calls: u32,
    /// Requests that were sent.
    pub requests: u64,
    /// Calls that the driver or the device refused.
    pub refusals: u32,
    /// How often the record was compared with the device's state.
    pub comparisons: u32,
    /// Event buffers that the driver took.
    pub events: u64,
    /// Why the last device was given up, if it was.
    pub death: Option<Death>,
    /// Pages that could not be freed.
    pub leaked_pages: usize,
}

/// What is known before a call.
pub(super) struct Before {
    death: Option<Death>,
    requests: u64,
    notifications: u64,
    events: u64,
    mappings: usize,
}

impl Before {
    /// Begins a call.
    pub(super) fn call(driver: &Driver) -> Self {
        with(World::begin_call);
        Self {
            death: driver.death(),
            requests: driver.counters().requests,
            notifications: with(|world| world.request_notifications),
            events: events(driver),
            mappings: mappings(driver),
        }
    }

    /// Checks what holds after a call about `count` mappings.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub(super) fn check(self, driver: &Driver, count: usize, summary: &mut Summary) {
        let requests = driver.counters().requests - self.requests;
        let notifications = with(|world| world.request_notifications) - self.notifications;
        if self.death.is_some() {
            assert_eq!(
                (driver.death(), requests, notifications),
                (self.death, 0, 0),
                "a dead device is left alone"
            );
        }
        // Each mapping may be removed, made, and undone, and each of these repeated.
        let most = 16 + 6 * (self.mappings + mappings(driver) + count) as u64;
        assert!(requests <= most, "{requests} requests, expected at most {most}");
        let waits = with(|world| world.waits);
        assert!(waits <= STEPS * (requests + 1), "{waits} steps of waiting for {requests} requests");
        let taken = events(driver) - self.events;
        assert!(taken <= QUEUE_SIZE as u64, "{taken} events at once");
        if driver.death().is_none() && !with(|world| world.lied) {
            with(|world| compare(driver, world));
            summary.comparisons += 1;
        }
        summary.calls += 1;
        summary.requests += requests;
        summary.events += taken;
        summary.death = driver.death();
    }
}

fn events(driver: &Driver) -> u64 {
    driver.counters().faults + driver.counters().events_ignored
}

fn mappings(driver: &Driver) -> usize {
    driver.domains.iter().map(|(_, domain)| domain.mappings().count()).sum()
}

/// The record is the device's state.
fn compare(driver: &Driver, world: &World) {
    let device = &world.device;
    for endpoint in 0..=ENDPOINTS {
        let recorded = driver.domains.home(EndpointId(endpoint));
        assert_eq!(recorded, device.attached.get(&endpoint).copied(), "the domain of endpoint {endpoint}");
    }
    for (id, state) in &device.domains {
        let domain = driver.domains.get(*id).expect("the device has no domain that the driver has not");
        assert_eq!(
            matches!(domain.translation, Translation::Bypass { .. }),
            state.bypass,
            "bypass of domain {id}"
        );
        let recorded = domain
            .mappings()
            .map(|mapping| (mapping.iova.start().0, (mapping.iova.end().0, mapping.phys.0, mapping.flags)));
        assert!(
            recorded.eq(state.mappings.iter().map(|(start, mapping)| (*start, *mapping))),
            "mappings of domain {id}: the device has {:x?}",
            state.mappings
        );
    }
    for (id, domain) in driver.domains.iter().filter(|_| !world.reserved_late) {
        for mapping in domain.mappings() {
            for region in domain.members().flat_map(|member| driver.device_regions(member)) {
                assert!(
                    !region.range.overlaps(&mapping.iova),
                    "domain {id} maps {}, which is reserved",
                    region.range
                );
            }
        }
    }
}

/// A refusal contains a reason, and its endpoint if it is about one.
pub(super) fn refused(refusal: &Refusal, endpoint: Option<EndpointId>) {
    assert!(!refusal.detail.is_empty() && !refusal.to_string().is_empty());
    if endpoint.is_some() {
        assert_eq!(refusal.endpoint, endpoint, "{refusal}");
    }
}

/// The driver's copy of the configuration is one that the device had.
pub(super) fn configuration(driver: &Driver) {
    with(|world| {
        if !world.lied_about_config {
            let known = world
                .configs
                .iter()
                .any(|bytes| decode(bytes, driver.features()).as_ref() == Some(driver.config()));
            assert!(known, "{:?} is not a state of the configuration", driver.config());
        }
        // From here on, the device checks requests against what the driver has read.
        let config = driver.config();
        world.device.config = std::vec![0; 40];
        world.device.set_u64(0, config.page_size_mask);
        world.device.set_u64(8, config.input_range.start().0);
        world.device.set_u64(16, config.input_range.end().0);
        world.device.set_u32(24, config.domain_range.0);
        world.device.set_u32(28, config.domain_range.1);
        world.device.set_u32(32, config.probe_size);
    });
}

fn decode(bytes: &[u8], features: Features) -> Option<Config> {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let double = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let when = |feature| features.contains(feature);
    let input = if when(Features::INPUT_RANGE) { (double(8)?, double(16)?) } else { (0, u64::MAX) };
    Some(Config {
        page_size_mask: double(0)?,
        input_range: Range::new(Iova(input.0), Iova(input.1))?,
        domain_range: if when(Features::DOMAIN_RANGE) { (word(24)?, word(28)?) } else { (0, u32::MAX) },
        probe_size: if when(Features::PROBE) { word(32)? } else { 0 },
        bypass: if when(Features::BYPASS_CONFIG) { Some(*bytes.get(36)? != 0) } else { None },
    })
}

/// What holds after a device was let go, which began with `pages` of memory.
pub(super) fn after_reset(pages: usize, summary: &mut Summary) {
    with(|world| {
        assert!(world.waits <= 2 * STEPS, "{} steps of waiting for resets", world.waits);
        let leaked = live_pages() - pages;
        assert!(leaked == 0 || !world.confirmed_reset, "{leaked} pages are leaked after a confirmed reset");
        summary.leaked_pages += leaked;
        // A device that was not reset goes on.
        for _ in 0..4 {
            world.wait();
        }
    });
}
