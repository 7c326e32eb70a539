//! Every device transfers data, and then tries an access that must be refused.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::Iova;
use dma::{Direction, SpaceError};
use kernel::Probing;
use report::{DeviceDma, Finding, Refused, Report, Severity, Transfer};

use super::clients::{ClientError, blk, edu::EduTransfer, net, rng, test_device};
use super::devices::{DmaDevice, Engine, Spaces};
use super::drivers;
use super::engine::{self, BlkEngine, EduEngine, RngEngine, TestDeviceEngine};
use super::faults::{self, SeenFault, SeenFaults};
use super::memory::{Route, ShareError};
use super::mutation::Mutation;
use super::transport::offers_access_platform;

/// Why nothing translates a virtio device that does not offer `VIRTIO_F_ACCESS_PLATFORM`.
const BYPASSES: &str = "it does not offer VIRTIO_F_ACCESS_PLATFORM, so its DMA does not go through the IOMMU";

/// How often a device in a storm uses up all event buffers.
const STORMS: usize = 8;

/// The most writes of a device for each of these: some take long.
const STORM_WRITES: usize = 16;

/// Bytes of an access that must be refused.
const REFUSED_BYTES: usize = 64;

/// What devices do in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DmaRun {
    /// They transfer data, and are refused what they must not reach.
    Transfers,
    /// After that, they cause more faults than their IOMMU can report.
    Storm,
}

/// Runs all clients and adds what they did to the report.
///
/// # Errors
///
/// The domain of a group cannot be used.
pub(crate) fn run(
    probing: &Probing,
    dma: DmaRun,
    mutation: Option<Mutation>,
    report: &mut Report,
) -> Result<(), SpaceError> {
    let mut devices = Spaces::new(mutation).devices(probing)?;
    for device in &mut devices {
        if let Some(finding) = find_bypass(probing, device) {
            report.findings.push(finding);
        }
    }
    faults::expect(&probing.iommus);
    let clients = Clients { probing, dma, mutation };
    // `edu` needs 100 ms for each copy: all of them copy while the other devices work.
    let copies: Vec<_> = devices.iter().map(|device| clients.begin_copy(device)).collect();
    let others: Vec<_> = devices.iter().map(|device| clients.transfers(device)).collect();
    let copies: Vec<_> = copies.into_iter().map(|copy| copy.map(turn)).collect();
    for ((device, copy), transfers) in devices.iter().zip(copies).zip(others) {
        let outcome = match copy {
            Some(copy) => copy.and_then(EduTransfer::finish),
            None => transfers,
        };
        let result = clients.conclude(device, outcome);
        report.findings.extend(findings_of(&result));
        report.dma.push(result);
    }
    Ok(())
}

/// Begins the second half of a copy.
fn turn(copy: Result<EduTransfer, ClientError>) -> Result<EduTransfer, ClientError> {
    copy.and_then(|copy| copy.turn().map(|()| copy))
}

/// A virtio device whose DMA bypasses the IOMMU uses physical addresses, whatever the type of its group.
fn find_bypass(probing: &Probing, device: &mut DmaDevice) -> Option<Finding> {
    if !device.engine.is_virtio() || !device.is_translated() {
        return None;
    }
    // A device whose registers cannot be used is reported by its client.
    let mut registers = probing.hardware.virtio_transport(device.handle).ok()?;
    if offers_access_platform(&mut registers) {
        return None;
    }
    device.memory.route = Route::Direct;
    device.direct_because = Some(BYPASSES.to_string());
    Some(finding("dma-bypasses-iommu", device.name.clone(), format!("{BYPASSES}; it reaches all memory")))
}

struct Clients<'a> {
    probing: &'a Probing,
    dma: DmaRun,
    mutation: Option<Mutation>,
}

impl Clients<'_> {
    /// The first half of what an `edu` does; none for other devices.
    fn begin_copy(&self, device: &DmaDevice) -> Option<Result<EduTransfer, ClientError>> {
        (device.engine == Engine::Edu).then(|| {
            let registers = drivers::edu(&self.probing.hardware, device.handle)?;
            EduTransfer::begin(registers, device.memory.clone())
        })
    }

    /// What a device other than `edu` transfers.
    fn transfers(&self, device: &DmaDevice) -> Result<Vec<Transfer>, ClientError> {
        let hardware = &self.probing.hardware;
        let accepts = self.mutation != Some(Mutation::LeaveOutAccessPlatform);
        let registers = || hardware.virtio_transport(device.handle);
        let memory = device.memory.clone();
        match device.engine {
            Engine::Block => blk::transfers(registers()?, memory, accepts),
            Engine::Net => net::transfers(registers()?, memory, accepts),
            Engine::Entropy => rng::transfers(registers()?, memory, accepts),
            Engine::TestDevice => {
                test_device::transfers(drivers::test_device(hardware, device.handle)?, &memory)
            }
            Engine::Edu => Ok(Vec::new()),
        }
    }

    /// What a device did, and what it was refused after that.
    fn conclude(&self, device: &DmaDevice, outcome: Result<Vec<Transfer>, ClientError>) -> DeviceDma {
        let translation = device.domain_type.filter(|_| device.is_translated());
        let mut result = DeviceDma {
            device: device.name.clone(),
            engine: device.engine.name().to_string(),
            translation: translation.map_or("none", |kind| kind.word()).to_string(),
            untranslated_because: device.direct_because.clone(),
            ..DeviceDma::default()
        };
        match outcome {
            Ok(transfers) => {
                result.transfers = transfers;
                let mut refused = || {
                    result.refused.extend(self.refused(device)?);
                    if self.dma == DmaRun::Storm {
                        result.refused.extend(self.storm(device)?);
                    }
                    Ok::<(), ClientError>(())
                };
                result.error = refused().err().map(|error| error.to_string());
            }
            // Not a failure: without translation such a device has nowhere to write to.
            Err(ClientError::Share(error @ ShareError::OutOfReach { phys, .. })) => {
                result.refused.push(Refused {
                    what: error.to_string(),
                    iova: phys.to_string(),
                    ..Refused::default()
                });
            }
            Err(error) => result.error = Some(error.to_string()),
        }
        result
    }

    /// Has a translated device write to a buffer that was unmapped before.
    fn refused(&self, device: &DmaDevice) -> Result<Option<Refused>, ClientError> {
        if !device.is_translated() {
            return Ok(None);
        }
        let Some(mut engine) = self.engine(device)? else { return Ok(None) };
        let buffer = device.memory.share(REFUSED_BYTES, Direction::FromDevice)?;
        let address = buffer.address();
        let pages = device.memory.unmap(buffer)?;
        device.memory.flush()?;
        faults::take(&self.probing.iommus);
        engine.store(address, REFUSED_BYTES)?;
        let seen = faults::take(&self.probing.iommus);
        let mut bytes = [0; REFUSED_BYTES];
        pages.read(0, &mut bytes);
        engine.stop()?;
        let what = "write after the buffer was unmapped";
        super::clients::compare(what, &bytes, &[0; REFUSED_BYTES])?;
        Ok(Some(Refused {
            what: what.to_string(),
            iova: address.to_string(),
            bytes: REFUSED_BYTES as u64,
            fault: first_fault(&seen.faults, device, address),
            faults: seen.count(),
            faults_lost: seen.overflow,
        }))
    }

    /// Has a translated device write where nothing is mapped, and takes no fault before the IOMMU has no event buffer
    /// left; then again, for a number of times. Every write has its deadline, and every record is counted.
    fn storm(&self, device: &DmaDevice) -> Result<Option<Refused>, ClientError> {
        if !device.is_translated() {
            return Ok(None);
        }
        let Some(mut engine) = self.engine(device)? else { return Ok(None) };
        let address = Iova(device.memory.unit());
        let (mut seen, mut bytes) = (SeenFaults::default(), 0);
        faults::take(&self.probing.iommus);
        for _ in 0..STORMS {
            // QEMU reports each four bytes.
            for _ in 0..(viommu::QUEUE_SIZE * 4).div_ceil(engine.limit()).min(STORM_WRITES) + 1 {
                engine.store(address, engine.limit())?;
                bytes += engine.limit() as u64;
            }
            seen.add(faults::take(&self.probing.iommus));
        }
        engine.stop()?;
        let device_faults = seen.faults.iter().filter(|seen| is_of(seen, device));
        let faults = device_faults.map(|seen| seen.fault.count).sum();
        Ok(Some(Refused {
            what: format!("{STORMS} times more writes than the IOMMU can report"),
            iova: address.to_string(),
            bytes,
            fault: first_fault(&seen.faults, device, address),
            faults,
            faults_lost: seen.overflow,
        }))
    }

    /// The device as an engine, if it can write to any address.
    fn engine(
        &self,
        device: &DmaDevice,
    ) -> Result<Option<alloc::boxed::Box<dyn engine::Engine>>, ClientError> {
        use alloc::boxed::Box;
        let hardware = &self.probing.hardware;
        let memory = &device.memory;
        Ok(Some(match device.engine {
            Engine::Block => Box::new(BlkEngine::start(hardware, device.handle, memory, true)?),
            Engine::Entropy => Box::new(RngEngine::start(hardware, device.handle, memory, true)?),
            Engine::Edu => Box::new(EduEngine::new(drivers::edu(hardware, device.handle)?, memory)),
            Engine::TestDevice => Box::new(TestDeviceEngine(drivers::test_device(hardware, device.handle)?)),
            Engine::Net => return Ok(None),
        }))
    }
}

/// The first fault of one of the device's endpoints at `address`.
fn first_fault(seen: &[SeenFault], device: &DmaDevice, address: Iova) -> Option<String> {
    let is_it = |seen: &&SeenFault| is_of(seen, device) && seen.fault.address == Some(address);
    seen.iter().find(is_it).map(|seen| seen.fault.to_string())
}

fn is_of(seen: &SeenFault, device: &DmaDevice) -> bool {
    device.endpoints.contains(&(seen.iommu, seen.fault.endpoint))
}

/// Failures, refusals without a fault, and missing faults that were not counted, as findings. QEMU (7.2 to
/// 11.1) reports each four bytes.
fn findings_of(result: &DeviceDma) -> Vec<Finding> {
    let failed =
        result.error.as_ref().map(|error| finding("dma-failed", result.device.clone(), error.clone()));
    let silent = result.refused.iter().filter(|refused| refused.bytes > 0 && refused.fault.is_none());
    let silent = silent.map(|refused| {
        let sentence = format!("{} at {}: the IOMMU reports no fault", refused.what, refused.iova);
        finding("dma-fault-missing", result.device.clone(), sentence)
    });
    let uncounted =
        result.refused.iter().filter(|refused| !refused.faults_lost && refused.faults * 4 < refused.bytes);
    let uncounted = uncounted.map(|refused| {
        let Refused { what, bytes, faults, .. } = refused;
        let sentence =
            format!("{what}: {bytes} bytes, but only {faults} faults, and none is reported as lost");
        finding("dma-faults-uncounted", result.device.clone(), sentence)
    });
    failed.into_iter().chain(silent).chain(uncounted).collect()
}

fn finding(id: &str, device: String, sentence: String) -> Finding {
    Finding { id: id.to_string(), severity: Severity::Error, device, sentence }
}
