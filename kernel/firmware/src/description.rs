//! The machine as firmware describes it, in one form for every firmware language.

use alloc::string::String;
use alloc::vec::Vec;

use addr::{CpuAffinity, DeviceFunction, PciWindow, PhysAddr, Range};
use probe::{Finding, FwNode};

/// The machine as firmware describes it.
///
/// The rest of the kernel knows only this; it does not contain whether it came from a device tree or from ACPI.
#[derive(Clone, Debug)]
pub struct Description {
    /// RAM, sorted, without overlaps, not empty.
    pub memory: Vec<Range<PhysAddr>>,
    /// Parts of RAM that firmware keeps for itself.
    pub reserved: Vec<Range<PhysAddr>>,
    /// Kernel command line that firmware hands over; empty if none.
    pub command_line: String,
    /// The console in firmware's description.
    pub console: Option<Console>,
    /// How to call the firmware for power management.
    pub psci: Option<PsciConduit>,
    /// CPUs that may be used.
    pub cpus: u32,
    /// Which CPUs those are, in firmware's order, as far as it names them.
    pub affinities: Vec<CpuAffinity>,
    /// PCI host bridges in firmware's order.
    pub host_bridges: Vec<HostBridge>,
    /// Whether ACS is to be switched on. Linux is asked to by a device tree with PCI (`of_iommu_configure`), by
    /// a VIOT (`acpi_viot_early_init`), and by an IORT that leads a host bridge to an SMMU (`iort_enable_acs`).
    pub requests_acs: bool,
    /// Devices that Linux would add without asking a bus, in Linux's order.
    pub platform_devices: Vec<PlatformDevice>,
    /// What is malformed or unusual, and was worked around.
    pub findings: Vec<Finding>,
}

/// The serial port that firmware describes as the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// An ARM PL011 with these registers.
    Pl011(Range<PhysAddr>),
}

/// The instruction that reaches PSCI firmware (Arm DEN 0022, section 5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PsciConduit {
    /// `hvc`
    Hvc,
    /// `smc`
    Smc,
}

/// A PCI host bridge with ECAM.
#[derive(Clone, Debug)]
pub struct HostBridge {
    /// Its node, whose map applies to the requests of its functions.
    pub node: FwNode,
    /// Linux's name of the platform device: `4010000000.pcie`.
    pub name: String,
    /// PCI segment group (Linux: domain).
    pub segment: u16,
    /// First and last bus number, both included.
    pub first_bus: u8,
    /// See `first_bus`.
    pub last_bus: u8,
    /// Configuration space; its first byte belongs to `first_bus`, 1 MiB a bus, long enough for all of them.
    pub ecam: Range<PhysAddr>,
    /// What the CPU can reach of the bus's memory and I/O space.
    pub windows: Vec<PciWindow>,
    /// Nodes that firmware has for functions on the bridge's buses.
    pub functions: Vec<FunctionNode>,
    /// Linux's view of it, if that differs; a finding has the reason.
    pub in_linux: LinuxView,
}

/// Linux's view of a [`HostBridge`] whose description is malformed in a way that affects more than the entry there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinuxView {
    /// As it is described here.
    Same,
    /// Not at all.
    Absent,
    /// With these windows instead.
    Windows(Vec<PciWindow>),
}

/// Firmware's node for one PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionNode {
    /// Its bus.
    pub bus: FunctionBus,
    /// Where on its bus the function sits.
    pub place: DeviceFunction,
    /// The node.
    pub node: FwNode,
    /// False if firmware disables the function (`status`).
    pub enabled: bool,
    /// Whether firmware describes the function as an IOMMU.
    pub is_iommu: bool,
    /// Whether firmware describes this port as leading out of the machine (`external-facing`).
    pub external_facing: bool,
}

/// How firmware identifies the bus of a [`FunctionNode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionBus {
    /// By its number.
    Number(u8),
    /// It is behind the bridge with this node; the enumeration determines its number.
    Behind(FwNode),
}

/// A device that firmware describes by itself.
#[derive(Clone, Debug)]
pub struct PlatformDevice {
    /// Its node.
    pub node: FwNode,
    /// Linux's name: `a000000.virtio_mmio`.
    pub name: String,
    /// Linux's bus for it: AMBA for PrimeCells, platform for all else.
    pub bus: PlatformBus,
    /// `compatible`, or the ACPI hardware IDs; most specific first.
    pub compatible: Vec<String>,
    /// Its registers, as the CPU sees them.
    pub registers: Vec<Range<PhysAddr>>,
}

/// The bus on which Linux puts a device that firmware describes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformBus {
    /// `platform`
    Platform,
    /// `amba`
    Amba,
}
