//! What devices transferred by DMA, and what they were refused (`dma=on`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The transfers of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceDma {
    /// Name of the device.
    pub device: String,
    /// The device's kind, as QEMU names it: `virtio-blk`, `edu`.
    pub engine: String,
    /// Type of the domain that translates the device, as of a group; `none` if nothing does.
    pub translation: String,
    /// Why nothing translates the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untranslated_because: Option<String>,
    /// Transfers that succeeded, and whose data was right.
    pub transfers: Vec<Transfer>,
    /// Accesses that were refused.
    pub refused: Vec<Refused>,
    /// What went wrong first, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A buffer that a device read or wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// What it was: `write sector 8`, `send a packet`.
    pub what: String,
    /// `to-device` or `from-device`.
    pub direction: String,
    /// The address that the device used.
    pub iova: String,
    /// The address in RAM that it led to.
    pub physical: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// An access that did not get through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What it was: `write after the buffer was unmapped`.
    pub what: String,
    /// The address that the device used.
    pub iova: String,
    /// Size in bytes.
    pub bytes: u64,
    /// The first fault that the IOMMU reported for it; none if it reported nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many faults it reported.
    pub faults: u64,
    /// Whether the IOMMU had no buffer left to report more of them.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub faults_lost: bool,
}

impl fmt::Display for DeviceDma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, engine, translation, .. } = self;
        write!(f, "DMA of {device} ({engine}): ")?;
        match &self.untranslated_because {
            Some(why) => writeln!(f, "not translated, nothing is isolated: {why}")?,
            None => writeln!(f, "through its group's domain, {translation}")?,
        }
        for Transfer { what, direction, iova, physical, bytes } in &self.transfers {
            let arrow = if direction == "to-device" { "<-" } else { "->" };
            writeln!(f, "\t{what}: {bytes} bytes, {iova} {arrow} RAM at {physical}")?;
        }
        for Refused { what, iova, bytes, fault, faults, faults_lost } in &self.refused {
            let fault = fault.as_deref().unwrap_or("no fault reported");
            let lost = if *faults_lost { ", more were lost" } else { "" };
            writeln!(f, "\trefused: {what}: {bytes} bytes at {iova}: {fault} ({faults} in all{lost})")?;
        }
        match &self.error {
            Some(error) => writeln!(f, "\tfailed: {error}"),
            None => Ok(()),
        }
    }
}
