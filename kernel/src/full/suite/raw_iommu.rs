//! A virtio-iommu without its driver, as the protocol cases need it.

use alloc::string::ToString;
use alloc::vec::Vec;

use conformance::{CONFIG_SIZE, Device, DeviceAnswer, NoAnswer, Request, RestartError};
use kernel::machine::clock::MachineClock;
use kernel::machine::dma::IdentityHal;
use kernel::{Handle, Hardware, Transport};
use viommu::{Death, QUEUE_SIZE, RawDevice};

type Started = RawDevice<IdentityHal, Transport, MachineClock>;

/// Offset of the field `bypass`.
const BYPASS: usize = 36;
/// `DEVICE_NEEDS_RESET` (virtio 1.2, section 2.1).
const NEEDS_RESET: u32 = 64;

/// A virtio-iommu that is started again and again.
pub(super) struct RawIommu {
    /// None while the device is not started.
    started: Option<Started>,
    /// None while the device is started, and after it has not confirmed a reset.
    transport: Option<Transport>,
    offered: u64,
}

impl RawIommu {
    /// The device, whose driver must have been unbound.
    ///
    /// # Errors
    ///
    /// Its registers cannot be used, or it does not start.
    pub(super) fn new(hardware: &Hardware, handle: Handle) -> Result<Self, RestartError> {
        let transport = hardware.virtio_transport(handle).map_err(|error| RestartError(error.to_string()))?;
        let mut iommu = Self { started: None, transport: Some(transport), offered: 0 };
        // What it offers is known after a start.
        iommu.restart(conformance::feature::VERSION_1)?;
        iommu.offered = iommu.started.as_ref().map_or(0, Started::offered);
        Ok(iommu)
    }
}

impl Device for RawIommu {
    /// Only the features of the IOMMU and `VERSION_1`: others change how queues work.
    fn offered(&self) -> u64 {
        self.offered & (conformance::feature::VERSION_1 | 0xff_ffff)
    }

    fn queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn restart(&mut self, features: u64) -> Result<(), RestartError> {
        if let Some(started) = self.started.take() {
            self.transport = Some(started.reset().map_err(|error| RestartError(error.to_string()))?);
        }
        let lost = || RestartError("the device did not confirm a reset".to_string());
        let transport = self.transport.take().ok_or_else(lost)?;
        match Started::start(transport, MachineClock, features) {
            Ok(started) => {
                self.started = Some(started);
                Ok(())
            }
            Err(refused) => {
                self.transport = refused.transport;
                Err(RestartError(refused.error.to_string()))
            }
        }
    }

    fn exchange(&mut self, batch: &[Request]) -> Result<Vec<DeviceAnswer>, NoAnswer> {
        let started = self.started.as_mut().ok_or(NoAnswer { needs_reset: false })?;
        let readable: Vec<Vec<&[u8]>> =
            batch.iter().map(|request| request.readable.iter().map(Vec::as_slice).collect()).collect();
        let parts: Vec<(&[&[u8]], &[usize])> = readable
            .iter()
            .zip(batch)
            .map(|(readable, request)| (readable.as_slice(), request.writable.as_slice()))
            .collect();
        let answers = started.exchange_batch(&parts).map_err(|death| NoAnswer {
            needs_reset: matches!(death, Death::Silent { status } if status & NEEDS_RESET != 0),
        })?;
        Ok(answers.into_iter().map(|(used, parts)| DeviceAnswer { used, bytes: parts.concat() }).collect())
    }

    fn config(&mut self) -> [u8; CONFIG_SIZE] {
        let mut bytes = [0; CONFIG_SIZE];
        let Some(started) = &self.started else { return bytes };
        for at in (0..BYPASS).step_by(4) {
            // A field beyond the end of the space reads as 0, as if it were there and not set.
            let word: u32 = started.config(at).unwrap_or(0);
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        bytes[BYPASS] = started.config(BYPASS).unwrap_or(0);
        bytes
    }

    fn write_bypass(&mut self, value: u8) {
        if let Some(started) = &mut self.started {
            // A space that ends before the field has none to write.
            let _ = started.write_bypass(value);
        }
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        match self.started.as_mut()?.next_event() {
            Ok(event) => event.map(|event| event.bytes.to_vec()),
            // A queue that cannot be followed has moved, so the device has written something.
            Err(_) => Some(Vec::new()),
        }
    }
}
