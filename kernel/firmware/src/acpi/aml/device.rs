//! A device as the namespace has it, before anybody asks what it is for.

use alloc::string::String;
use alloc::vec::Vec;

use super::resource::Resource;

/// A `Device` of the namespace with the objects by which devices are found and configured.
///
/// `None` is an object that is not there or that cannot be read. The latter has a finding, and is in
/// [`unread`](Self::unread) unless Linux treats it as missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmlDevice {
    /// Its full path, without the underscores that only pad: `\_SB.PCI0`.
    pub path: String,
    /// The last part of the path.
    pub name: String,
    /// The nearest device that encloses it, as an index into [`devices`](super::Namespace::devices).
    pub parent: Option<usize>,
    /// `_HID`: `PNP0A08`, `LNRO0005`; numbers are decoded.
    pub hid: Option<String>,
    /// `_CID`: compatible IDs, in firmware's order.
    pub cids: Vec<String>,
    /// `_UID`.
    pub uid: Option<Uid>,
    /// `_ADR`: its place on its parent's bus.
    pub adr: Option<u64>,
    /// `_BBN`: first bus number of a host bridge.
    pub bbn: Option<u64>,
    /// `_SEG`: PCI segment group.
    pub seg: Option<u64>,
    /// `_CBA`: where the configuration space of a host bridge begins, at bus 0.
    pub cba: Option<u64>,
    /// `_CCA`: whether its DMA is coherent.
    pub cca: Option<u64>,
    /// The `_CCA` that counts: that of the outermost object around it that has one, or else its own
    /// (`acpi_init_coherency`).
    pub coherency: Option<u64>,
    /// `_STA`.
    pub sta: Option<u64>,
    /// Whether it and all that encloses it is there: `_STA` is missing, or known to have one of
    /// the bits "present" and "functional" (`acpi_device_is_present`). Of a device that is not there only data is read.
    pub is_reached: bool,
    /// `_CRS`.
    pub crs: Vec<Resource>,
    /// Names of the objects above that exist, but of which nothing is known.
    pub unread: Vec<&'static str>,
    /// Which table defines it: `DSDT`, `SSDT 1`.
    pub table: String,
    /// Where in that table its definition begins, counted from the table's first byte.
    pub offset: usize,
}

impl AmlDevice {
    /// Whether `id` is its `_HID` or one of its `_CID`s.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        self.ids().any(|own| own == id)
    }

    /// `_HID`, then the `_CID`s.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.hid.as_deref().into_iter().chain(self.cids.iter().map(String::as_str))
    }
}

/// Bits of `_STA` of which one is enough (ACPI 6.5, section 6.3.7).
pub(super) const PRESENT_OR_FUNCTIONAL: u64 = 1 << 0 | 1 << 3;

/// A `_UID`, which distinguishes devices with the same `_HID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Uid {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}
