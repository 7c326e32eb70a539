//! From a transport to a device that has agreed on its features (virtio 1.2, section 3.1.1).
//!
//! The sequence is written out here because `Transport::begin_init` neither waits for the reset nor
//! reads FEATURES_OK back: it would go on with a device that rejected the features.

use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};

use crate::clock::{Clock, RESET_DEADLINE_US, wait_until};
use crate::config::{self, Config};
use crate::features::Features;
use crate::start_error::StartError;

/// Resets the device and waits until it confirms.
///
/// # Errors
///
/// [`StartError::ResetTimeout`] and [`StartError::Gone`]; then the device may still write to memory that it was given.
pub(crate) fn reset<T: Transport, C: Clock>(transport: &mut T, clock: &C) -> Result<(), StartError> {
    transport.set_status(DeviceStatus::empty());
    let is_gone = |status: DeviceStatus| status.contains(DeviceStatus::all());
    let mut status = DeviceStatus::empty();
    wait_until(clock, RESET_DEADLINE_US, || {
        status = transport.get_status();
        status.is_empty() || is_gone(status)
    });
    match status.bits() {
        0 => Ok(()),
        status if is_gone(DeviceStatus::from_bits_retain(status)) => Err(StartError::Gone { status }),
        status => Err(StartError::ResetTimeout { status }),
    }
}

/// Refuses a device that is not a modern virtio-iommu, without writing to it.
pub(crate) fn identify<T: Transport>(transport: &T) -> Result<(), StartError> {
    match transport.device_type() {
        DeviceType::IOMMU if transport.requires_legacy_layout() => Err(StartError::LegacyTransport),
        DeviceType::IOMMU => Ok(()),
        found => Err(StartError::NotAnIommu { found }),
    }
}

/// Resets the device, agrees on features with it, of which `declined` are not accepted, and reads its configuration.
///
/// On success, the device is ready for its queues and DRIVER_OK.
pub(crate) fn negotiate<T: Transport, C: Clock>(
    transport: &mut T,
    clock: &C,
    declined: Features,
) -> Result<(u64, Features, Config), StartError> {
    let (offered, accepted) = agree(transport, clock, |offered| {
        let features = Features::from_bits_truncate(offered) & Features::ACCEPTED.difference(declined);
        if !features.contains(Features::VERSION_1) {
            return Err(StartError::NoVersion1 { offered });
        }
        if !features.contains(Features::MAP_UNMAP) {
            return Err(StartError::NoMapUnmap { offered });
        }
        Ok(features.bits())
    })?;
    let features = Features::from_bits_truncate(accepted);
    let config = config::read(transport, features)?;
    Ok((offered, features, config))
}

/// Resets the device and accepts the features that `choose` selects from those that it offers.
///
/// Returns what the device offers and what was accepted.
pub(crate) fn agree<T: Transport, C: Clock>(
    transport: &mut T,
    clock: &C,
    choose: impl FnOnce(u64) -> Result<u64, StartError>,
) -> Result<(u64, u64), StartError> {
    reset(transport, clock)?;
    transport.set_status(DeviceStatus::ACKNOWLEDGE);
    transport.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER);
    let offered = transport.read_device_features();
    let asked = choose(offered)?;
    transport.write_driver_features(asked);
    transport.set_status(FEATURES_AGREED);
    if !transport.get_status().contains(DeviceStatus::FEATURES_OK) {
        return Err(StartError::FeaturesRefused { offered, asked });
    }
    Ok((offered, asked))
}

/// The status of a device that has agreed on its features.
pub(crate) const FEATURES_AGREED: DeviceStatus =
    DeviceStatus::ACKNOWLEDGE.union(DeviceStatus::DRIVER).union(DeviceStatus::FEATURES_OK);
