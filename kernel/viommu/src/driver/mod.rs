//! The driver of one instance: starting it, asking it, listening to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{
    Accepted, DomainHandle, DomainKind, IommuOps, Prot, Refusal, RefusalCause, ReservedKind, ReservedRegion,
};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::by_endpoint::ByEndpoint;
use crate::clock::Clock;
use crate::config::{self, CPU_PAGE_SIZE, Config};
use crate::domain::{Domains, Translation};
use crate::fault::{self, Fault};
use crate::features::Features;
use crate::limits::EVENT_QUEUE_SIZE;
use crate::property;
use crate::queue::{Death, Event, Link};
use crate::request::{Failure, Request, judge};
use crate::start::{identify, negotiate};
use crate::start_error::StartError;
use crate::wire::{TAIL_SIZE, config_offset};

/// How many event buffers one poll takes, so that a device that never stops cannot hold the driver.
const MAX_EVENTS_PER_POLL: usize = 4 * EVENT_QUEUE_SIZE;

/// Where message signalled interrupts are mapped if the device names no region for them.
///
/// The choice of Linux's drivers: `MSI_IOVA_BASE` and `MSI_IOVA_LENGTH`.
const SOFTWARE_MSI: (Iova, Iova) = (Iova(0x0800_0000), Iova(0x080f_ffff));

/// What the driver has seen, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests sent.
    pub requests: u64,
    /// Requests that the device refused with a status.
    pub refused: u64,
    /// Requests whose answer was missing or of the wrong length.
    pub unreadable: u64,
    /// Fault records taken.
    pub faults: u64,
    /// Event buffers that were not a record: wrong length, or a reserved field set.
    pub events_ignored: u64,
}

/// One virtio-iommu, driven.
///
/// `H` says how memory is shared with the device; it must hand out addresses that the instance
/// itself can use, that is physical ones. `T` is the transport and `C` the clock.
///
/// Dropping it resets the device, which detaches every endpoint. Memory that the device may still
/// write to because it does not confirm the reset is leaked.
pub struct Viommu<H: Hal, T: Transport, C: Clock> {
    pub(crate) link: Link<H, T, C>,
    pub(crate) config: Config,
    features: Features,
    pub(crate) domains: Domains,
    /// What PROBE said, for each endpoint that was asked about.
    pub(crate) reserved: ByEndpoint<Vec<ReservedRegion>>,
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
        if let Err(error) = identify(&transport) {
            // Its destructor would write to a device that is not ours.
            core::mem::forget(transport);
            return Err(error);
        }
        let mut link = Link::new(transport, clock);
        match Self::bring_up(&mut link) {
            Ok((offered, features, config)) => Ok(Self {
                link,
                domains: Domains::new(config.domain_range, features.contains(Features::BYPASS_CONFIG)),
                remarks: start_remarks(offered, &config),
                config,
                features,
                reserved: ByEndpoint::default(),
                events_lost: false,
                counters: Counters::default(),
            }),
            Err(error) => {
                link.set_failed();
                Err(error)
            }
        }
    }

    fn bring_up(link: &mut Link<H, T, C>) -> Result<(u64, Features, Config), StartError> {
        let (transport, clock) = link.parts();
        let (offered, features, config) = negotiate(transport, clock)?;
        link.open(config.probe_size)?;
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

    /// Whether endpoints without a domain bypass, as the device says now; `None` without `BYPASS_CONFIG`.
    ///
    /// The value survives a reset of the device and is the start value again after one of the machine.
    pub fn bypass(&self) -> Option<bool> {
        if !self.features.contains(Features::BYPASS_CONFIG) {
            return None;
        }
        config::read_bypass(self.link.transport()).ok().map(|value| value != 0)
    }

    /// Says whether endpoints without a domain shall bypass, and reads back that the device does so.
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

    /// The faults that the device reported since the last call, those of one kind and granule as one.
    ///
    /// Takes at most as many as one poll may; what is left comes with the next call. Faults that
    /// the device had no buffer for are lost: their number is not known.
    pub fn poll_faults(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut taken = 0;
        while !self.events_lost && taken < MAX_EVENTS_PER_POLL {
            match self.link.next_event() {
                Ok(Some(event)) => self.take_event(event, &mut faults),
                Ok(None) => break,
                Err(error) => {
                    self.events_lost = true;
                    self.remarks.push(format!("{error}; faults are no longer reported"));
                }
            }
            taken += 1;
        }
        if taken > 0 && !self.events_lost {
            self.link.notify_events();
        }
        faults
    }

    fn take_event(&mut self, event: Event, faults: &mut Vec<Fault>) {
        let fault = match event {
            Event::Record(record) => fault::decode(&record),
            Event::WrongLength => None,
        };
        match fault {
            Some(fault) => {
                self.counters.faults += 1;
                fault::gather(faults, fault, self.config.granule());
            }
            None => self.counters.events_ignored += 1,
        }
    }

    /// Whether the device has been given up, and then why.
    pub fn death(&self) -> Option<Death> {
        self.link.death()
    }

    /// Whether the device has been given up: every request fails with [`RefusalCause::Dead`].
    pub fn is_dead(&self) -> bool {
        self.link.death().is_some()
    }

    /// What the driver has seen, in numbers.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What is odd about the device and costs nothing, or was worked around.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The domain that an endpoint is attached to.
    pub fn domain_of(&self, endpoint: EndpointId) -> Option<DomainHandle> {
        self.domains.home(endpoint).map(DomainHandle)
    }

    /// Sends a request whose answer is nothing but a status.
    pub(crate) fn send(&mut self, request: Request) -> Result<(), Failure> {
        self.send_for(request, &mut [0; TAIL_SIZE])
    }

    /// Sends a request; `answer` is as long as the device-writable part.
    fn send_for(&mut self, request: Request, answer: &mut [u8]) -> Result<(), Failure> {
        if self.link.death().is_none() {
            self.counters.requests += 1;
        }
        let used = self.link.exchange(&request.bytes(), answer).map_err(Failure::Dead)?;
        let outcome = judge(used, answer);
        match outcome {
            Err(Failure::Refused(_)) => self.counters.refused += 1,
            Err(_) => self.counters.unreadable += 1,
            Ok(()) => {}
        }
        outcome
    }

    /// Asks about one endpoint; adds what is odd to `remarks`.
    fn probe_endpoint(&mut self, endpoint: EndpointId, remarks: &mut Vec<String>) -> Result<(), Refusal> {
        let request = Request::Probe { endpoint };
        let size = self.config.probe_size as usize;
        let mut answer = vec![0; size + TAIL_SIZE];
        // What an earlier PROBE said does not hold for an endpoint that is refused now.
        self.reserved.remove(endpoint);
        self.send_for(request, &mut answer).map_err(|failure| request.refused(failure))?;
        let properties = property::parse(answer.get(..size).unwrap_or_default());
        remarks.extend(properties.remarks.into_iter().map(|remark| format!("endpoint {endpoint}: {remark}")));
        self.reserved.insert(endpoint, properties.reserved);
        Ok(())
    }

    /// Why the device cannot do paging domains, if so. Linux fails `viommu_domain_alloc_paging` likewise.
    fn cannot_page(&self) -> Option<String> {
        let granule = self.config.granule();
        (granule > CPU_PAGE_SIZE).then(|| {
            format!("the granule is {granule:#x} bytes, larger than the CPU page of {CPU_PAGE_SIZE:#x}")
        })
    }

    fn dead_refusal(&self, what: &str) -> Option<Refusal> {
        let death = self.link.death()?;
        Some(Refusal { cause: RefusalCause::Dead, endpoint: None, detail: format!("{what}: {death}") })
    }
}

impl<H: Hal, T: Transport, C: Clock> IommuOps for Viommu<H, T, C> {
    /// Sends a PROBE for every endpoint.
    ///
    /// Without the PROBE feature every endpoint is accepted and has no regions of its own: such a
    /// device says only at ATTACH, with NOENT, that it does not know an endpoint.
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        if let Some(refusal) = self.dead_refusal("PROBE") {
            return Err(Refusal { endpoint: endpoints.first().copied(), ..refusal });
        }
        let mut accepted = Accepted::default();
        for &endpoint in endpoints {
            if self.features.contains(Features::PROBE)
                && let Err(refusal) = self.probe_endpoint(endpoint, &mut accepted.remarks)
            {
                if refusal.cause == RefusalCause::Dead {
                    return Err(refusal);
                }
                accepted.refused.push(refusal);
                continue;
            }
            accepted.endpoints.push(endpoint);
            for region in self.reserved.get(endpoint).into_iter().flatten() {
                if !accepted.reserved.contains(region) {
                    accepted.reserved.push(*region);
                }
            }
        }
        if accepted.endpoints.is_empty() {
            return Err(accepted.refused.into_iter().next().unwrap_or_else(|| Refusal {
                cause: RefusalCause::Invalid,
                endpoint: None,
                detail: "PROBE: the device has no endpoint".to_string(),
            }));
        }
        if !accepted.reserved.iter().any(|region| region.kind == ReservedKind::Msi)
            && let Some(range) = Range::new(SOFTWARE_MSI.0, SOFTWARE_MSI.1)
        {
            accepted.reserved.push(ReservedRegion { range, kind: ReservedKind::Msi });
        }
        Ok(accepted)
    }

    fn alloc_domain(&mut self, kind: DomainKind) -> Result<DomainHandle, Refusal> {
        let what = match kind {
            DomainKind::Paging => "a paging domain",
            DomainKind::Identity => "an identity domain",
        };
        if let Some(refusal) = self.dead_refusal(what) {
            return Err(refusal);
        }
        let refuse = |cause, detail| Refusal { cause, endpoint: None, detail };
        if kind == DomainKind::Identity
            && let Some(id) = self.domains.share_bypass()
        {
            return Ok(DomainHandle(id));
        }
        if let Some(why) = self.cannot_page() {
            return Err(refuse(RefusalCause::Unsupported, format!("{what}: {why}")));
        }
        let translation = match kind {
            DomainKind::Paging => Translation::Paging,
            DomainKind::Identity => Translation::MappedIdentity,
        };
        let (first, last) = self.config.domain_range;
        self.domains.create(translation).map(DomainHandle).ok_or_else(|| {
            let count = self.domains.len();
            let detail = format!("{what}: no domain ID is left in {first}..={last} ({count} domains)");
            refuse(RefusalCause::NoMemory, detail)
        })
    }

    fn free_domain(&mut self, domain: DomainHandle) {
        if let Err(why) = self.domains.release(domain.0) {
            self.remarks.push(format!("domain {} was not freed: {why}", domain.0));
        }
    }

    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.attach_endpoint(domain.0, endpoint)
    }

    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.detach_endpoint(domain.0, endpoint)
    }

    fn map(
        &mut self,
        domain: DomainHandle,
        iova: Range<Iova>,
        phys: PhysAddr,
        prot: Prot,
    ) -> Result<(), Refusal> {
        self.map_range(domain.0, iova, phys, prot)
    }

    fn unmap(&mut self, domain: DomainHandle, iova: Range<Iova>) -> Result<(), Refusal> {
        self.unmap_range(domain.0, iova)
    }

    /// Linux's driver has it since it implements `flush_iotlb_all`.
    fn granule(&self) -> u64 {
        self.config.granule()
    }

    fn deferred_flush(&self) -> bool {
        true
    }
}

/// What the specification does not want of a device, and that does not stop the driver.
fn start_remarks(offered: u64, config: &Config) -> Vec<String> {
    let offered = Features::from_bits_truncate(offered);
    let mut remarks = Vec::new();
    if offered.contains(Features::BYPASS | Features::BYPASS_CONFIG) {
        remarks.push(
            "offers both BYPASS and BYPASS_CONFIG, expected at most one; BYPASS is not used".to_string(),
        );
    }
    if config.granule() > CPU_PAGE_SIZE {
        let granule = config.granule();
        remarks
            .push(format!("granule {granule:#x} exceeds the CPU page size; paging domains are not possible"));
    }
    remarks
}
