//! A device on which one case runs, and what the case can do with it.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::config::Config;
use crate::deviation::{Check, Deviation, deviates, ensure};
use crate::device::{Device, DeviceAnswer, Request};
use crate::machine::Machine;
use crate::message::{Interval, MAP_READ, Message};
use crate::need::Need;
use crate::property::{self, Region};
use crate::wanted::{OK, Wanted, answer_words};

/// The page that a case's page 0 is: for every granule up to 64 KiB, below 4 GiB and clear of QEMU's MSI windows.
const FIRST_PAGE: u64 = 0x1000;
/// The physical page that page 0 is mapped to. Nothing accesses it.
const FIRST_PHYSICAL_PAGE: u64 = 0x5_0000;

/// First and last page, both included.
pub(crate) type Pages = (u64, u64);

/// Limit of polls of the event queue in one case.
const MAX_EVENTS: usize = 64;

/// A device that was just started, and the machine around it.
pub(crate) struct Bench<'a> {
    device: &'a mut dyn Device,
    machine: &'a Machine,
    pub(crate) config: Config,
    /// Endpoints that an ATTACH was sent for.
    attached: Vec<EndpointId>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(device: &'a mut dyn Device, machine: &'a Machine) -> Self {
        let config = Config::of_device(device);
        Self { device, machine, config, attached: Vec::new() }
    }

    /// The endpoints that may be in a domain now.
    pub(crate) fn into_attached(self) -> Vec<EndpointId> {
        self.attached
    }

    /// Whether the machine has what a case needs; if not, what it lacks.
    pub(crate) fn provides(&mut self, need: Need) -> Result<(), &'static str> {
        let (is_there, lacking) = match need {
            Need::TwoEndpoints => (self.machine.endpoints.len() >= 2, "a second endpoint"),
            Need::Feature(bit, name) => (self.offered() & bit != 0, name),
            Need::Granule => (self.granule() > 1, "a granule above one byte"),
            Need::NarrowInputRange => (self.config.input_range.1 != u64::MAX, "an input range below 2^64"),
            Need::ReservedRegion => (self.first_region().is_some(), "a reserved region"),
            Need::NoReservedRegion => {
                (self.first_region().is_none(), "an endpoint without a reserved region")
            }
        };
        if is_there { Ok(()) } else { Err(lacking) }
    }

    pub(crate) fn offered(&self) -> u64 {
        self.device.offered()
    }

    pub(crate) fn queue_size(&self) -> usize {
        self.device.queue_size()
    }

    /// The first endpoint, which every machine has.
    pub(crate) fn endpoint(&self) -> EndpointId {
        self.machine.endpoints[0]
    }

    /// The second endpoint; the case needs [`Need::TwoEndpoints`].
    pub(crate) fn second_endpoint(&self) -> EndpointId {
        self.machine.endpoints[1]
    }

    pub(crate) fn endpoints(&self) -> &'a [EndpointId] {
        &self.machine.endpoints
    }

    /// An endpoint that does not exist.
    pub(crate) fn unknown_endpoint(&self) -> EndpointId {
        self.machine.unknown_endpoint
    }

    /// The ID of a domain, counted from the first one that the device supports.
    pub(crate) fn domain(&self, index: u32) -> u32 {
        self.config.domain_range.0.saturating_add(index)
    }

    pub(crate) fn granule(&self) -> u64 {
        self.config.granule()
    }

    /// `count` pages of the granule, from page `first` on; page 0 is [`FIRST_PAGE`].
    pub(crate) fn pages(&self, first: u64, count: u64) -> Interval {
        let start = (FIRST_PAGE + first) * self.granule();
        (start, start + (count * self.granule() - 1))
    }

    /// Physical address that page `page` is mapped to.
    pub(crate) fn physical(&self, page: u64) -> u64 {
        (FIRST_PHYSICAL_PAGE + page) * self.granule()
    }

    /// A well-formed MAP of `count` pages for reading.
    pub(crate) fn map(&self, domain: u32, first: u64, count: u64) -> Message {
        Message::map(domain, self.pages(first, count), self.physical(first), MAP_READ)
    }

    /// A well-formed UNMAP of `count` pages.
    pub(crate) fn unmap(&self, domain: u32, first: u64, count: u64) -> Message {
        Message::unmap(domain, self.pages(first, count))
    }

    /// Sends `message` and compares the answer.
    pub(crate) fn expect(&mut self, message: &Message, wanted: Wanted) -> Check {
        self.expect_framed(message, &message.request(), wanted)
    }

    /// As [`expect`](Self::expect), and names the pages in what it says about the answer.
    pub(crate) fn expect_at(&mut self, pages: Pages, message: &Message, wanted: Wanted) -> Check {
        let (first, last) = pages;
        self.expect(message, wanted).map_err(|Deviation { expected, answer }| Deviation {
            expected: format!("{expected} (pages {first}-{last})"),
            answer: format!("{answer} (pages {first}-{last})"),
        })
    }

    /// As [`expect`](Self::expect), with other descriptors.
    pub(crate) fn expect_framed(&mut self, message: &Message, request: &Request, wanted: Wanted) -> Check {
        let answer = self.send(message, request, &wanted.words())?;
        judge(message, &answer, wanted)
    }

    /// Sends `message` and returns an answer with status OK.
    pub(crate) fn answer(&mut self, message: &Message) -> Check<DeviceAnswer> {
        let answer = self.send(message, &message.request(), "OK")?;
        judge(message, &answer, OK)?;
        Ok(answer)
    }

    /// Sends a request and returns whatever the device answers.
    pub(crate) fn send(&mut self, message: &Message, request: &Request, wanted: &str) -> Check<DeviceAnswer> {
        self.attached.extend(message.attached_endpoint().filter(|one| !self.attached.contains(one)));
        let answers = self.device.exchange(core::slice::from_ref(request));
        let only = |answers: Vec<DeviceAnswer>| answers.into_iter().next();
        match answers.map(only) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(deviates(message.name, wanted, "no answer")),
            Err(no_answer) => Err(deviates(message.name, wanted, &no_answer.to_string())),
        }
    }

    /// Sends all messages with one notification and compares the answers.
    pub(crate) fn expect_batch(&mut self, batch: &[(Message, Wanted)]) -> Check {
        let attached = batch.iter().filter_map(|(message, _)| message.attached_endpoint());
        self.attached.extend(attached);
        let requests: Vec<Request> = batch.iter().map(|(message, _)| message.request()).collect();
        let answers = match self.device.exchange(&requests) {
            Ok(answers) if answers.len() == batch.len() => answers,
            Ok(answers) => {
                let what = format!("{} answers", answers.len());
                return Err(deviates("batch", "an answer to every request", &what));
            }
            Err(no_answer) => {
                return Err(deviates("batch", "an answer to every request", &no_answer.to_string()));
            }
        };
        for (index, ((message, wanted), answer)) in batch.iter().zip(&answers).enumerate() {
            judge(message, answer, *wanted).map_err(|Deviation { expected, answer }| Deviation {
                expected,
                answer: format!("request {}, {answer}", index + 1),
            })?;
        }
        Ok(())
    }

    /// Attaches the first endpoint to the first domain.
    pub(crate) fn attached(&mut self) -> Check<u32> {
        let domain = self.domain(0);
        self.expect(&Message::attach(domain, self.endpoint()), OK)?;
        Ok(domain)
    }

    /// Resets the device and starts it with these features; those it does not offer are left out.
    pub(crate) fn restart(&mut self, features: u64) -> Check {
        let features = features & self.offered();
        self.device
            .restart(features)
            .map_err(|error| deviates("reset", "a device that starts again", &error.0))?;
        self.config = Config::of_device(self.device);
        Ok(())
    }

    /// Reads the configuration again.
    pub(crate) fn read_config(&mut self) -> Config {
        Config::of_device(self.device)
    }

    pub(crate) fn write_bypass(&mut self, value: u8) {
        self.device.write_bypass(value);
    }

    /// The number of events that wait, up to a limit.
    pub(crate) fn events(&mut self) -> usize {
        (0..MAX_EVENTS).take_while(|_| self.device.next_event().is_some()).count()
    }

    /// The reserved regions of an endpoint; none without PROBE, or if its answer cannot be read.
    pub(crate) fn regions(&mut self, endpoint: EndpointId) -> Vec<Region> {
        let message = Message::probe(endpoint, self.config.probe_size);
        let answer = self.device.exchange(&[message.request()]).ok();
        let bytes = answer.as_ref().and_then(|answers| answers.first()).map(|answer| answer.bytes.as_slice());
        let bytes = bytes.and_then(|bytes| bytes.get(..message.properties));
        let properties = bytes.and_then(property::list).map(|(properties, _)| properties).unwrap_or_default();
        properties.iter().filter_map(property::Property::region).collect()
    }

    /// The first reserved region of the first endpoint.
    pub(crate) fn first_region(&mut self) -> Option<Interval> {
        if self.offered() & crate::device::feature::PROBE == 0 {
            return None;
        }
        self.regions(self.endpoint()).first().map(|region| region.interval)
    }
}

fn judge(message: &Message, answer: &DeviceAnswer, wanted: Wanted) -> Check {
    ensure(
        wanted.is_met(answer, message.properties),
        message.name,
        &wanted.words(),
        &answer_words(answer, message.properties),
    )
}
