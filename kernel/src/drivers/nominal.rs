//! Drivers that only bind: they match as in Linux and own their device, but do not touch it.
//!
//! On the paths that group a device when a driver binds it, the device's driver decides whether and
//! when the device is grouped. For that, a driver has to match as Linux's does, to bind, and to own
//! the group's default domain. These drivers do nothing else: they do not access registers, so
//! their devices do no DMA.
//!
//! The rules are data, from the ID tables (module aliases) of Debian's arm64 kernels 6.12.95 and
//! 7.3.4 that match a PCI device of QEMU 7.2 to 11.1. A device that is not here has no driver in
//! these kernels, because Linux has none (`edu`, `pci-testdev`, `acpi-erst`, PCI host bridges) or
//! because Debian does not build it for arm64 (UHCI, `AC97`, `ES1370`, `tpci200`, `rocker`,
//! `pvpanic-pci`, `am53c974`, `pvscsi`, CAN cards other than Kvaser's).

use alloc::rc::Rc;
use alloc::string::ToString;

use pci::Function;
use probe::{BindError, DmaClaim, Driver, Path, Provides};

use crate::hardware::{Handle, Hardware};

/// The functions that a driver matches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Functions of one vendor with one of these device IDs (Linux: `PCI_DEVICE`).
    Ids(u16, &'static [u16]),
    /// Functions with this class under a mask (Linux: `PCI_DEVICE_CLASS`).
    Class { class: u32, mask: u32 },
    /// Functions of one vendor with this class.
    VendorClass { vendor: u16, class: u32 },
}

/// A mask that compares every bit of the class.
const WHOLE: u32 = 0xff_ffff;

const INTEL: u16 = 0x8086;
const LSI_LOGIC: u16 = 0x1000;
const ATI: u16 = 0x1002;
const AMD: u16 = 0x1022;
const REALTEK: u16 = 0x10ec;
const VMWARE: u16 = 0x15ad;
const RED_HAT: u16 = 0x1b36;

/// A driver's name in Linux, and the functions that it matches.
pub(crate) type Entry = (&'static str, Rule);

/// A driver with another name on one path: the path, the name there, the name on the other paths.
const OTHER_NAMES: [(Path, &str, &str); 1] = [(Path::Legacy, "cirrus", "cirrus-qemu")];

/// The driver of serial ports, which is built into Debian's kernels (`8250_pci`).
pub(crate) const SERIAL: Entry = ("serial", Rule::Ids(RED_HAT, &[0x0002, 0x0003, 0x0004]));

/// Drivers that are modules, in the order in which they are loaded.
pub(crate) const MODULES: [Entry; 28] = [
    ("nvme", Rule::Class { class: 0x01_0802, mask: WHOLE }),
    ("e1000", Rule::Ids(INTEL, &[0x100c, 0x100e, 0x100f])),
    ("e1000e", Rule::Ids(INTEL, &[0x10d3])),
    ("igb", Rule::Ids(INTEL, &[0x10c9])),
    ("igbvf", Rule::Ids(INTEL, &[0x10ca])),
    ("xhci_hcd", Rule::Class { class: 0x0c_0330, mask: WHOLE }),
    ("ehci-pci", Rule::Class { class: 0x0c_0320, mask: WHOLE }),
    ("ohci-pci", Rule::Class { class: 0x0c_0310, mask: WHOLE }),
    ("ahci", Rule::Class { class: 0x01_0601, mask: WHOLE }),
    // By its revision, QEMU's device is a C+ chip, which 8139too leaves to this driver.
    ("8139cp", Rule::Ids(REALTEK, &[0x8139])),
    ("ne2k-pci", Rule::Ids(REALTEK, &[0x8029])),
    ("pcnet32", Rule::Ids(AMD, &[0x2000])),
    ("tulip", Rule::Ids(0x1011, &[0x0019])),
    ("e100", Rule::Ids(INTEL, &[0x1209, 0x1229, 0x2449])),
    ("vmxnet3", Rule::Ids(VMWARE, &[0x07b0])),
    ("kvaser_pci", Rule::Ids(0x10e8, &[0x8406])),
    ("sym53c8xx", Rule::Ids(LSI_LOGIC, &[0x0001, 0x0012])),
    ("megaraid_sas", Rule::Ids(LSI_LOGIC, &[0x0060, 0x0079])),
    ("mptsas", Rule::Ids(LSI_LOGIC, &[0x0054])),
    ("ufshcd", Rule::Ids(RED_HAT, &[0x0013])),
    // The programming interface describes the DMA mode, which the driver ignores.
    ("sdhci-pci", Rule::Class { class: 0x08_0500, mask: 0xff_ff00 }),
    ("cxl_pci", Rule::Class { class: 0x05_0210, mask: WHOLE }),
    ("snd_hda_intel", Rule::Ids(INTEL, &[0x2668, 0x293e])),
    ("bochs-drm", Rule::Ids(0x1234, &[0x1111])),
    ("cirrus-qemu", Rule::Ids(0x1013, &[0x00b8])),
    ("i6300ESB timer", Rule::Ids(INTEL, &[0x25ab])),
    ("vmwgfx", Rule::Ids(VMWARE, &[0x0405])),
    ("amdgpu", Rule::VendorClass { vendor: ATI, class: 0x03_0000 }),
];

/// Modules whose ID tables match devices that their probe then refuses: `ati-vga` is older than amdgpu's chips.
///
/// The bus has set up the device's DMA by then, so the device is grouped also on paths that group
/// devices when drivers bind.
const REFUSING: [&str; 1] = ["amdgpu"];

/// Modules whose probe refuses a new virtual function. A new nvme controller does not have queues:
/// an administrator would have to assign some by commands to its physical function.
const REFUSING_VIRTUAL: [&str; 1] = ["nvme"];

/// Drivers that match a device only through `driver_override=`, and do not own its DMA.
pub(crate) const ON_REQUEST: [&str; 2] = ["vfio-pci", "pci-stub"];

impl Rule {
    fn matches(self, function: &Function) -> bool {
        match self {
            Self::Ids(vendor, devices) => function.vendor == vendor && devices.contains(&function.device),
            Self::Class { class, mask } => function.class & mask == class,
            Self::VendorClass { vendor, class } => function.vendor == vendor && function.class == class,
        }
    }
}

/// One of [`ON_REQUEST`].
pub(crate) struct OnRequest(pub(crate) &'static str);

impl Driver<Handle> for OnRequest {
    fn name(&self) -> &'static str {
        self.0
    }

    fn matches(&self, _: &Handle) -> bool {
        false
    }

    fn manages_dma(&self) -> bool {
        true
    }

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        match device {
            Handle::Function(_) => Ok(Provides::Nothing),
            Handle::Platform(_) => Err(BindError::Declined("not a PCI function".to_string())),
        }
    }
}

/// A driver that binds and does not touch its device.
pub(crate) struct Nominal {
    hardware: Rc<Hardware>,
    name: &'static str,
    rule: Rule,
}

impl Nominal {
    pub(crate) fn new(hardware: Rc<Hardware>, (name, rule): Entry, path: Path) -> Self {
        let other = OTHER_NAMES.iter().find(|(on, _, usual)| *on == path && *usual == name);
        let name = other.map_or(name, |(_, other, _)| other);
        Self { hardware, name, rule }
    }
}

impl Driver<Handle> for Nominal {
    fn name(&self) -> &'static str {
        self.name
    }

    fn matches(&self, device: &Handle) -> bool {
        match *device {
            Handle::Function(index) => self.rule.matches(&self.hardware.topology[index]),
            Handle::Platform(_) => false,
        }
    }

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        if let Handle::Function(index) = *device
            && self.hardware.topology[index].physical.is_some()
            && REFUSING_VIRTUAL.contains(&self.name)
        {
            return Err(BindError::Declined("the virtual function has no queues".to_string()));
        }
        if REFUSING.contains(&self.name) {
            return Err(BindError::Declined(
                "the ID table contains the device, but the probe rejects it".to_string(),
            ));
        }
        Ok(Provides::Nothing)
    }
}
