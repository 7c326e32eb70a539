//! The driver of one instance: starting it, sending requests, what is known of it.

mod attach;
mod counters;
mod events;
mod map;
mod map_rules;
mod ops;
mod unmap;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, Range};
use probe::{DomainHandle, Refusal, RefusalCause, ReservedRegion};
use virtio_drivers::transport::Transport;
use virtio_drivers::{Hal, PAGE_SIZE};

use crate::by_endpoint::ByEndpoint;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::death::Death;
use crate::domain::Domains;
use crate::features::Features;
use crate::limits::{EVENT_BUFFERS, MAX_BATCH};
use crate::queue::Link;
use crate::request::{Failure, Request, judge};
use crate::start::{identify, negotiate};
use crate::start_error::StartError;
use crate::wire::{Map, Probe, TAIL_SIZE, config_offset};

pub use counters::Counters;

/// The driver of one virtio-iommu.
///
/// `H` shares memory with the device; it must return addresses that the instance itself can use,
/// that is, physical ones. `T` is the transport and `C` the clock.
///
/// Dropping it resets the device, which detaches every endpoint. Memory that the device may still
/// write to because it does not confirm the reset is leaked.
pub struct Viommu<H: Hal, T: Transport, C: Clock> {
    pub(crate) link: Link<H, T, C>,
    pub(crate) config: Config,
    features: Features,
    pub(crate) domains: Domains,
    /// The answer to PROBE, for each endpoint that was probed.
    pub(crate) reserved: ByEndpoint<Vec<ReservedRegion>>,
    /// The largest granule with which paging domains are made; `None`: any.
    largest_granule: Option<u64>,
    /// The number of event buffers that the device is given.
    event_buffers: usize,
    events_lost: bool,
    counters: Counters,
    remarks: Vec<String>,
}

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Resets the device, negotiates, sets up its queues and starts it.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; the device is then left reset.
    pub fn start(transport: T, clock: C) -> Result<Self, StartError> {
        Self::start_without(transport, clock, Features::empty())
    }

    /// The same, but does not accept the features `declined`, as if the device did not offer them.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_without(transport: T, clock: C, declined: Features) -> Result<Self, StartError> {
        if let Err(error) = identify(&transport) {
            // Its destructor would write to a device that this driver does not own.
            core::mem::forget(transport);
            return Err(error);
        }
        let mut link = Link::new(transport, clock);
        match Self::bring_up(&mut link, declined) {
            Ok((offered, features, config)) => Ok(Self {
                link,
                domains: Domains::new(config.domain_range, features.contains(Features::BYPASS_CONFIG)),
                remarks: start_remarks(offered),
                config,
                features,
                reserved: ByEndpoint::default(),
                largest_granule: None,
                event_buffers: EVENT_BUFFERS,
                events_lost: false,
                counters: Counters::default(),
            }),
            Err(error) => {
                link.set_failed();
                Err(error)
            }
        }
    }

    fn bring_up(link: &mut Link<H, T, C>, declined: Features) -> Result<(u64, Features, Config), StartError> {
        let (transport, clock) = link.parts();
        let (offered, features, config) = negotiate(transport, clock, declined)?;
        link.open(request_memory(config.probe_size))?;
        Ok((offered, features, config))
    }

    /// The configuration that was read at start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The features that driver and device agreed on.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Whether endpoints without a domain bypass, read from the device; `None` without
    /// `BYPASS_CONFIG`.
    ///
    /// The value survives a reset of the device and is the start value again after one of the machine.
    pub fn bypass(&self) -> Option<bool> {
        if !self.features.contains(Features::BYPASS_CONFIG) {
            return None;
        }
        config::read_bypass(self.link.transport()).ok().map(|value| value != 0)
    }

    /// Sets whether endpoints without a domain bypass, and reads the value back.
    ///
    /// # Errors
    ///
    /// The device lacks `BYPASS_CONFIG`, is dead, or did not take the value.
    pub fn set_bypass(&mut self, bypass: bool) -> Result<(), Refusal> {
        let refuse = |cause, why: &str| Refusal {
            cause,
            endpoint: None,
            detail: format!("setting bypass to {}: {why}", u8::from(bypass)),
        };
        if !self.features.contains(Features::BYPASS_CONFIG) {
            return Err(refuse(RefusalCause::Unsupported, "the device does not have BYPASS_CONFIG"));
        }
        if let Some(death) = self.link.death() {
            return Err(refuse(RefusalCause::Dead, &death.to_string()));
        }
        let (transport, _) = self.link.parts();
        let written = transport.write_config_space::<u8>(config_offset::BYPASS, u8::from(bypass));
        match written.map(|()| self.bypass()) {
            Ok(Some(now)) if now == bypass => Ok(()),
            Ok(_) => Err(refuse(RefusalCause::Io, "the device did not accept the value")),
            Err(error) => Err(refuse(RefusalCause::Io, &error.to_string())),
        }
    }

    /// Refuses paging domains from now on if the granule is larger than the CPU's page, as Linux does
    /// (`viommu_domain_alloc_paging`, 7.3).
    ///
    /// Nothing in the device requires it: mappings of larger granules only need larger buffers.
    pub fn refuse_granules_above_page(&mut self) {
        self.largest_granule = Some(PAGE_SIZE as u64);
    }

    /// Why the device has been given up, if it has.
    pub fn death(&self) -> Option<Death> {
        self.link.death()
    }

    /// Whether the device has been given up: every request fails with [`RefusalCause::Dead`].
    pub fn is_dead(&self) -> bool {
        self.link.death().is_some()
    }

    /// Counters of requests and events.
    pub fn counters(&self) -> Counters {
        Counters { notifications: self.link.notifications(), ..self.counters }
    }

    /// Deviations of the device that are harmless or were worked around.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The domain that an endpoint is attached to.
    pub fn domain_of(&self, endpoint: EndpointId) -> Option<DomainHandle> {
        self.domains.home(endpoint).map(DomainHandle)
    }

    /// The addresses of a mapping in a domain that shares an address with `range`, among them those that the driver makes
    /// for an identity domain.
    pub fn mapping_in(&self, domain: DomainHandle, range: Range<Iova>) -> Option<Range<Iova>> {
        self.domains.get(domain.0)?.overlapping(range).map(|mapping| mapping.iova)
    }

    /// Sends a request whose answer is only a status.
    pub(crate) fn send(&mut self, request: Request) -> Result<(), Failure> {
        self.send_for(request, &mut [0; TAIL_SIZE])
    }

    /// Sends a request; `answer` is as long as the device-writable part.
    fn send_for(&mut self, request: Request, answer: &mut [u8]) -> Result<(), Failure> {
        if self.link.death().is_none() {
            self.counters.requests += 1;
        }
        let used = request.with_bytes(|bytes| self.link.exchange(bytes, answer)).map_err(Failure::Dead)?;
        let outcome = judge(used, answer);
        self.counters.count(outcome);
        outcome
    }

    /// Sends requests whose answers are only a status, with as few notifications as possible; the result
    /// of each, in order.
    pub(crate) fn send_all(
        &mut self,
        requests: impl ExactSizeIterator<Item = Request>,
    ) -> Vec<Result<(), Failure>> {
        let count = requests.len();
        let mut outcomes = vec![None; count];
        let counters = &mut self.counters;
        if self.link.death().is_none() {
            counters.requests += count as u64;
        }
        let exchanged = self.link.exchange_all(requests, |index, used, answer| {
            let outcome = judge(used, answer);
            counters.count(outcome);
            outcomes[index] = Some(outcome);
        });
        let unanswered = exchanged.map_err(Failure::Dead);
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(unanswered)).collect()
    }
}

/// Bytes for the largest request, or for as many MAPs as the queue holds, and their answers.
fn request_memory(probe_size: u32) -> usize {
    let probe = size_of::<Probe>() + probe_size as usize + TAIL_SIZE;
    let maps = MAX_BATCH * (size_of::<Map>() + TAIL_SIZE).next_multiple_of(16);
    probe.next_multiple_of(16).max(maps)
}

/// Violations of the specification that do not stop the driver.
fn start_remarks(offered: u64) -> Vec<String> {
    let offered = Features::from_bits_truncate(offered);
    let mut remarks = Vec::new();
    if offered.contains(Features::BYPASS | Features::BYPASS_CONFIG) {
        remarks.push(
            "offers both BYPASS and BYPASS_CONFIG, expected at most one; BYPASS is not used".to_string(),
        );
    }
    remarks
}
