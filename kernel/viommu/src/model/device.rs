//! A virtio-iommu as specified (virtio 1.2, section 5.13.6), strict with the driver: a request that
//! a driver must not send fails the test.

use core::iter;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::vec;
use std::vec::Vec;

use virtio_drivers::transport::DeviceType;

use super::memory::write;
use super::ring::{Chain, Ring};

pub(crate) const OK: u8 = 0;
pub(crate) const UNSUPP: u8 = 2;
pub(crate) const INVAL: u8 = 4;
pub(crate) const RANGE: u8 = 5;
pub(crate) const NOENT: u8 = 6;

/// INPUT_RANGE, DOMAIN_RANGE, MAP_UNMAP, PROBE, MMIO, BYPASS_CONFIG, indirect, event index,
/// VERSION_1, RING_RESET: what QEMU 7.2 offers.
pub const QEMU_FEATURES: u64 = 0x101_3000_0077;
/// Bytes of properties in the answer to a PROBE, as in QEMU 7.2.
pub const PROBE_SIZE: usize = 512;

/// How one request is served. All but [`Serve::Well`] break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// As specified.
    Well,
    /// The request is not executed, and fails with this status.
    Status(u8),
    /// The request is not executed, and this is the used length.
    NotDone(u32),
    /// Nothing is executed or written, but the used length is that of a complete answer.
    Unwritten,
    /// The request is executed and answered, with this used length.
    Done(u32),
    /// The request is answered after this many polls.
    Late(u32),
    /// The request is not answered.
    Never,
    /// The request is not answered, and the device asks for a reset.
    NeedsReset,
    /// The request is executed, and the used ring names another chain.
    WrongChain(u32),
    /// The request is executed, and the used index advances by more than one.
    Twice,
    /// The request is executed, and then rings and buffers that the device may not write are
    /// overwritten.
    Scribble(u8),
}

/// A domain in the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainState {
    /// Whether it was created with the bypass flag.
    pub bypass: bool,
    /// By start: last address, physical start, flags.
    pub mappings: BTreeMap<u64, (u64, u64, u32)>,
}

/// The device: its registers, its state and the rules that it breaks.
pub struct Device {
    // Registers.
    /// The type in the transport's ID register.
    pub device_type: DeviceType,
    /// Whether the registers are those from before virtio 1.0.
    pub legacy_layout: bool,
    /// The device status.
    pub status: u32,
    /// Every value that was written to the status register.
    pub status_writes: Vec<u32>,
    /// The features that it offers.
    pub offered: u64,
    /// The features that the driver accepted.
    pub accepted: u64,
    /// The bytes of the configuration space.
    pub config: Vec<u8>,
    /// The maximum size of each queue; 0 if the queue does not exist.
    pub queue_sizes: [u32; 2],
    /// The queues that the driver has set up: requests and events.
    pub queues: [Option<Ring>; 2],
    // Rules to break.
    /// Does not keep FEATURES_OK.
    pub refuses_features: bool,
    /// Asks for a reset at DRIVER_OK.
    pub gives_up_at_start: bool,
    /// The number of further resets that are confirmed; `None`: all.
    pub resets_left: Option<u32>,
    /// Polls until a reset is confirmed.
    pub reset_polls: u32,
    /// The number of further reads of the generation that return a new value.
    pub config_changes: u32,
    generation: u32,
    /// Accepts a new value of the bypass byte.
    pub bypass_writable: bool,
    /// Answers UNSUPP to ATTACH of an endpoint that is attached elsewhere.
    pub does_not_move: bool,
    /// How the next requests are served; [`Serve::Well`] when it is empty.
    pub script: VecDeque<Serve>,
    /// Serves requests that are there at the same time in the reverse order.
    pub reverses: bool,
    /// A record that is reported again and again, as soon as there is a buffer for it.
    pub faults_without_end: Option<Vec<u8>>,
    /// How often the driver notified each queue.
    pub notifications: [u64; 2],
    /// Requests that were put off, and the number of polls until each is answered.
    pub(super) pending: Vec<(u32, Chain)>,
    /// How often the driver has waited.
    pub ticks: u64,
    /// The device is gone after this many further accesses to its registers; `None`: never.
    pub accesses_left: Option<u32>,
    /// The value of each register byte when the device is gone.
    pub gone_byte: u8,
    // State that the specification requires.
    /// The endpoints that exist.
    pub endpoints: BTreeSet<u32>,
    /// The property list of an endpoint; none if it is missing here.
    pub properties: BTreeMap<u32, Vec<u8>>,
    /// Ranges that must not be mapped for an endpoint.
    pub reserved: BTreeMap<u32, Vec<(u64, u64)>>,
    /// The domain of each attached endpoint.
    pub attached: BTreeMap<u32, u32>,
    /// The domains that exist: those with an endpoint.
    pub domains: BTreeMap<u32, DomainState>,
    /// Every request that arrived: its readable part.
    pub log: Vec<Vec<u8>>,
}

impl Device {
    /// QEMU 7.2's device with these endpoints.
    pub fn new(endpoints: &[u32]) -> Self {
        let mut device = Self {
            device_type: DeviceType::IOMMU,
            legacy_layout: false,
            status: 0,
            status_writes: Vec::new(),
            offered: QEMU_FEATURES,
            accepted: 0,
            config: vec![0; 40],
            queue_sizes: [256, 256],
            queues: [None, None],
            refuses_features: false,
            gives_up_at_start: false,
            resets_left: None,
            reset_polls: 0,
            config_changes: 0,
            generation: 0,
            bypass_writable: true,
            does_not_move: false,
            script: VecDeque::new(),
            reverses: false,
            faults_without_end: None,
            notifications: [0; 2],
            pending: Vec::new(),
            ticks: 0,
            accesses_left: None,
            gone_byte: 0xff,
            endpoints: endpoints.iter().copied().collect(),
            properties: BTreeMap::new(),
            reserved: BTreeMap::new(),
            attached: BTreeMap::new(),
            domains: BTreeMap::new(),
            log: Vec::new(),
        };
        device.set_u64(0, 0xffff_ffff_ffff_f000);
        device.set_u64(16, u64::MAX);
        device.set_u32(28, u32::MAX);
        device.set_u32(32, PROBE_SIZE as u32);
        device.config[36] = 1;
        device
    }

    /// Sets a field of the configuration space.
    pub fn set_u64(&mut self, offset: usize, value: u64) {
        self.config[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Sets a field of the configuration space.
    pub fn set_u32(&mut self, offset: usize, value: u32) {
        self.config[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64_at(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.config[offset..offset + 8].try_into().unwrap())
    }

    /// The generation of the configuration, as the driver reads it.
    pub fn config_generation(&mut self) -> u32 {
        if self.config_changes > 0 {
            self.config_changes -= 1;
            self.generation += 1;
        }
        self.generation
    }

    /// Counts an access to a register; returns the value of each byte if the device is gone.
    pub fn touch(&mut self) -> Option<u8> {
        let left = self.accesses_left.as_mut()?;
        *left = left.saturating_sub(1);
        (*left == 0).then_some(self.gone_byte)
    }

    /// The driver writes the device status.
    pub fn set_status(&mut self, status: u32) {
        self.status_writes.push(status);
        if status == 0 {
            if self.resets_left == Some(0) {
                return;
            }
            self.resets_left = self.resets_left.map(|left| left - 1);
            if self.reset_polls == 0 {
                self.reset();
            }
        } else if status & 8 != 0 && self.refuses_features {
            self.status = status & !8;
        } else {
            self.status = status;
            if status & 4 != 0 && self.gives_up_at_start {
                self.status |= 64;
            }
        }
    }

    pub(super) fn reset(&mut self) {
        self.status = 0;
        self.accepted = 0;
        self.queues = [None, None];
        self.pending.clear();
        self.attached.clear();
        self.domains.clear();
    }

    /// Time passes.
    pub fn tick(&mut self) {
        self.ticks += 1;
        if self.status_writes.last() == Some(&0) && self.status != 0 && self.reset_polls > 0 {
            self.reset_polls -= 1;
            if self.reset_polls == 0 {
                self.reset();
            }
        }
        for (polls, chain) in core::mem::take(&mut self.pending) {
            match polls {
                0 => self.complete(chain, Serve::Well),
                polls => self.pending.push((polls - 1, chain)),
            }
        }
    }

    /// The driver notifies a queue; requests are served, or put off, at once.
    ///
    /// # Panics
    ///
    /// If the driver breaks a rule.
    pub fn notified(&mut self, queue: u16) {
        assert_eq!(self.status & 0x4f, 0xf, "a queue is notified only while the device runs");
        self.notifications[usize::from(queue)] += 1;
        if queue == 1
            && let Some(record) = self.faults_without_end.clone()
        {
            while self.report(&record) {}
        }
        if queue == 0 {
            // All of them first: serving one may overwrite the rings.
            let mut chains: Vec<_> = iter::from_fn(|| self.queues[0].as_mut().and_then(Ring::take)).collect();
            if self.reverses {
                chains.reverse();
            }
            for chain in chains {
                match self.script.pop_front().unwrap_or(Serve::Well) {
                    Serve::Never => self.log.push(chain.readable),
                    Serve::NeedsReset => self.status |= 64,
                    Serve::Late(polls) => self.pending.push((polls, chain)),
                    serve => self.complete(chain, serve),
                }
            }
        }
    }

    pub(super) fn complete(&mut self, chain: Chain, serve: Serve) {
        self.log.push(chain.readable.clone());
        let room: u32 = chain.writable.iter().map(|(_, len)| len).sum();
        let mut answer = vec![0; room as usize];
        let tail = answer.len() - 4;
        let done = !matches!(serve, Serve::Status(_) | Serve::NotDone(_) | Serve::Unwritten);
        answer[tail] = match serve {
            Serve::Status(status) => status,
            _ if done => self.execute(&chain.readable, &mut answer[..tail]),
            _ => OK,
        };
        let (id, used) = match serve {
            Serve::Done(used) | Serve::NotDone(used) => (u32::from(chain.head), used),
            Serve::WrongChain(id) => (id, room),
            _ => (u32::from(chain.head), room),
        };
        // The device writes as many bytes as its used length, but not beyond the buffer.
        if serve != Serve::Unwritten {
            let mut rest = &answer[..(used as usize).min(answer.len())];
            for (address, len) in chain.writable {
                let (here, after) = rest.split_at(rest.len().min(len as usize));
                write(address, here);
                rest = after;
            }
        }
        let queue = self.queues[0].as_mut().unwrap();
        if let Serve::Scribble(byte) = serve {
            queue.scribble(byte);
        }
        queue.give_back(id, used);
        if serve == Serve::Twice {
            queue.move_used(1);
        }
    }

    /// Puts a record into the next event buffer; returns whether there was one.
    pub fn report(&mut self, record: &[u8]) -> bool {
        let Some(queue) = &mut self.queues[1] else { return false };
        let Some(chain) = queue.take() else { return false };
        let [(address, 24)] = chain.writable[..] else {
            assert!(queue.is_forged(), "an event buffer holds one record");
            return false;
        };
        write(address, &record[..record.len().min(24)]);
        queue.give_back(u32::from(chain.head), record.len() as u32);
        true
    }

    /// The types of the requests so far.
    pub fn kinds(&self) -> Vec<u8> {
        self.log.iter().map(|request| request[0]).collect()
    }
}
