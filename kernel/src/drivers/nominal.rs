//! Drivers in name and ownership alone: whom Linux would let bind, and nothing done to the device.
//!
//! Who drives a device decides whether it is grouped at all, and when, on the paths that group where a driver
//! binds. For that, a driver has to match as Linux's does, to bind, and to own the group's default domain. These
//! do no more: they touch no register, so their devices do no DMA.
//!
//! The rules are data: those of the ID tables (module aliases) of Debian's arm64 kernels 6.12.95 and 7.3.4 that match
//! a PCI device of QEMU 7.2 to 11.1. A device that is not here has no driver in these kernels, because Linux has
//! none (`edu`, `pci-testdev`, `acpi-erst`, PCI host bridges) or because Debian does not build it for arm64 (UHCI,
//! `AC97`, `ES1370`, `tpci200`, `rocker`, `pvpanic-pci`, `am53c974`, `pvscsi`, CAN cards other than Kvaser's).

use alloc::rc::Rc;
use alloc::string::ToString;

use pci::Function;
use probe::{BindError, DmaClaim, Driver, Path, Provides};

use crate::hardware::{Handle, Hardware};

/// Which functions a driver is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Those with one of these device IDs of one vendor (Linux: `PCI_DEVICE`).
    Ids(u16, &'static [u16]),
    /// Those whose class, under a mask, is this one (Linux: `PCI_DEVICE_CLASS`).
    Class { class: u32, mask: u32 },
    /// Those of one vendor with this class.
    VendorClass { vendor: u16, class: u32 },
}

/// A mask for which every bit of the class counts.
const WHOLE: u32 = 0xff_ffff;

const INTEL: u16 = 0x8086;
const LSI_LOGIC: u16 = 0x1000;
const ATI: u16 = 0x1002;
const AMD: u16 = 0x1022;
const REALTEK: u16 = 0x10ec;
const VMWARE: u16 = 0x15ad;
const RED_HAT: u16 = 0x1b36;

/// A driver's name in Linux, and whom it matches.
pub(crate) type Entry = (&'static str, Rule);

/// A name that a driver has on one path alone: the path, the name there, the name on the others.
const OTHER_NAMES: [(Path, &str, &str); 1] = [(Path::Legacy, "cirrus", "cirrus-qemu")];

/// The driver of serial ports, which is built into the kernels that were asked (`8250_pci`).
pub(crate) const SERIAL: Entry = ("serial", Rule::Ids(RED_HAT, &[0x0002, 0x0003, 0x0004]));

/// Drivers that are modules, in the order in which they are loaded.
pub(crate) const MODULES: [Entry; 27] = [
    ("nvme", Rule::Class { class: 0x01_0802, mask: WHOLE }),
    ("e1000", Rule::Ids(INTEL, &[0x100c, 0x100e, 0x100f])),
    ("e1000e", Rule::Ids(INTEL, &[0x10d3])),
    ("igb", Rule::Ids(INTEL, &[0x10c9])),
    ("igbvf", Rule::Ids(INTEL, &[0x10ca])),
    ("xhci_hcd", Rule::Class { class: 0x0c_0330, mask: WHOLE }),
    ("ehci-pci", Rule::Class { class: 0x0c_0320, mask: WHOLE }),
    ("ohci-pci", Rule::Class { class: 0x0c_0310, mask: WHOLE }),
    ("ahci", Rule::Class { class: 0x01_0601, mask: WHOLE }),
    // QEMU's is a C+ chip by its revision, which 8139too leaves to this one.
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
    // The programming interface says how DMA is done, and the driver does not look at it.
    ("sdhci-pci", Rule::Class { class: 0x08_0500, mask: 0xff_ff00 }),
    ("cxl_pci", Rule::Class { class: 0x05_0210, mask: WHOLE }),
    ("snd_hda_intel", Rule::Ids(INTEL, &[0x2668, 0x293e])),
    ("bochs-drm", Rule::Ids(0x1234, &[0x1111])),
    ("cirrus-qemu", Rule::Ids(0x1013, &[0x00b8])),
    ("i6300ESB timer", Rule::Ids(INTEL, &[0x25ab])),
    ("vmwgfx", Rule::Ids(VMWARE, &[0x0405])),
];
/// Modules whose ID tables match devices that their probe then refuses: `ati-vga` is older than amdgpu's chips.
///
/// The bus has set up the device's DMA by then, so that it is grouped also where groups come with drivers.
pub(crate) const REFUSING: [Entry; 1] = [("amdgpu", Rule::VendorClass { vendor: ATI, class: 0x03_0000 })];

/// Modules whose probe refuses a virtual function as it is when it is new. A controller of nvme has no queues then:
/// an administrator would have to give it some, by commands to its physical function.
const REFUSING_VIRTUAL: [&str; 1] = ["nvme"];

/// Drivers that are for no device unless one is given to them (`driver_override=`), and that leave its DMA to others.
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

/// A driver that binds and leaves its device alone.
pub(crate) struct Nominal {
    hardware: Rc<Hardware>,
    name: &'static str,
    rule: Rule,
    refuses: bool,
}

impl Nominal {
    pub(crate) fn new(hardware: Rc<Hardware>, (name, rule): Entry, path: Path) -> Self {
        let other = OTHER_NAMES.iter().find(|(on, _, usual)| *on == path && *usual == name);
        let name = other.map_or(name, |(_, other, _)| other);
        Self { hardware, name, rule, refuses: false }
    }

    /// A driver whose own probe refuses every device that it matches.
    pub(crate) fn refusing(hardware: Rc<Hardware>, (name, rule): Entry) -> Self {
        Self { hardware, name, rule, refuses: true }
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
        if self.refuses {
            return Err(BindError::Declined(
                "the ID table contains the device, but the probe rejects it".to_string(),
            ));
        }
        Ok(Provides::Nothing)
    }
}
