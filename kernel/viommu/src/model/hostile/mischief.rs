//! What the device does unasked.

use std::vec::Vec;

use super::setup;
use super::world::{Moment, World};
use crate::model::{Ring, RingArea, fail_allocations, shared, write};

impl World {
    /// Does one thing that no driver expects.
    pub(super) fn misbehave(&mut self, moment: Moment) {
        match self.bytes.below(24) {
            0 | 1 => {
                let record = self.record();
                self.device.report(&record);
            }
            2 => self.storm = if self.storm.is_some() { None } else { Some(self.record()) },
            3 => {
                let record = self.bytes.list(48);
                self.device.report(&record);
            }
            4 => self.return_a_chain(1, moment),
            5 => self.return_a_chain(0, moment),
            6 => {
                let (queue, by) = (self.bytes.below(2), self.bytes.u16());
                self.lied |= queue == 0;
                if let Some(queue) = &mut self.device.queues[queue as usize] {
                    queue.move_used(by);
                }
            }
            7 | 8 => self.overwrite_queue(),
            9 => self.overwrite_buffer(moment),
            10 => {
                let reads = self.bytes.byte().max(1);
                self.false_status = Some((reads, u32::from(self.bytes.byte())));
            }
            11 => self.device.status |= 64,
            12 => self.gone = Some(self.bytes.byte()),
            13 | 14 => {
                setup::configuration(&mut self.bytes, &mut self.config);
                self.generation = self.generation.wrapping_add(1);
                self.configs.push(self.config.clone());
            }
            15 => self.false_config = self.bytes.byte(),
            16 => self.false_generation = !self.false_generation,
            17 => self.device.offered = setup::features(&mut self.bytes),
            18 => self.poll_for_requests(),
            19 => match self.bytes.below(4) {
                0 => self.device.resets_left = Some(0),
                polls => self.device.reset_polls = polls * 80,
            },
            20 => {
                // As after a reset that the driver did not ask for.
                self.lied = true;
                self.device.attached.clear();
                self.device.domains.clear();
            }
            21 => self.change_limits(),
            22 => self.config.truncate(usize::from(self.bytes.byte() % 41)),
            _ => self.lose_an_endpoint(),
        }
    }

    fn record(&mut self) -> [u8; 24] {
        let mut record = [0; 24];
        record[0] = self.bytes.byte() % 4;
        record[5] = 1;
        record[4] = self.bytes.byte();
        record[8] = self.bytes.byte() % 8;
        record[17] = self.bytes.byte();
        record
    }

    /// Returns a chain that may not be in flight, or was returned before.
    fn return_a_chain(&mut self, queue: usize, moment: Moment) {
        // A chain that is in flight is answered a second time later on, maybe in place of another. But a
        // driver that waits for nothing can tell.
        let is_idle =
            moment == Moment::Access && self.device.queues[queue].as_ref().is_none_or(Ring::is_idle);
        self.lied |= queue == 0 && !is_idle;
        let (byte, len) = (self.bytes.byte(), self.bytes.u16());
        let chain = match byte {
            0..224 => u32::from(byte) % 72,
            _ => self.bytes.u64() as u32,
        };
        if let Some(queue) = &mut self.device.queues[queue] {
            queue.give_back(chain, len.into());
        }
    }

    fn overwrite_queue(&mut self) {
        let (queue, area) = (self.bytes.below(2), self.bytes.below(3));
        let area = [RingArea::Descriptors, RingArea::Driver, RingArea::Device][area as usize];
        // The indices and the first entries most of all.
        let offset = match self.bytes.byte() {
            byte @ 0..192 => usize::from(byte % 32),
            byte => usize::from(byte) * 20,
        };
        let bytes = self.bytes.list(64);
        if queue == 0 {
            (self.lied, self.corrupt) = (true, true);
        }
        if let Some(queue) = &mut self.device.queues[queue as usize] {
            queue.overwrite(area, offset, &bytes);
        }
    }

    fn overwrite_buffer(&mut self, moment: Moment) {
        (self.lied, self.corrupt) = (true, true);
        let buffers: Vec<_> =
            shared().into_iter().filter(|(.., returned)| moment == Moment::Access || !returned).collect();
        let chosen = usize::from(self.bytes.byte());
        let bytes = self.bytes.list(64);
        if !buffers.is_empty() {
            let (paddr, len, _) = buffers[chosen % buffers.len()];
            write(paddr, &bytes[..bytes.len().min(len)]);
        }
    }

    /// Suppresses notifications and looks for requests itself, or the other way round.
    fn poll_for_requests(&mut self) {
        self.polls = !self.polls;
        if let Some(queue) = &self.device.queues[0] {
            queue.suppress_notifications(self.polls);
        }
    }

    fn change_limits(&mut self) {
        match self.bytes.below(4) {
            0 => self.device.queue_sizes[self.bytes.below(2) as usize] = self.bytes.u16().into(),
            1 => self.queue_in_use = true,
            2 => self.device.bypass_writable = false,
            _ => fail_allocations(true),
        }
    }

    fn lose_an_endpoint(&mut self) {
        let endpoint = self.bytes.below(setup::ENDPOINTS);
        self.lied = true;
        self.device.endpoints.remove(&endpoint);
    }
}
