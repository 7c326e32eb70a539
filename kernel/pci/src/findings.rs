//! The findings of this crate and their texts.

use alloc::format;
use alloc::string::{String, ToString};

use addr::{PciAddress, Range};
use probe::{Finding, FindingSource, Mark, Severity};

use crate::function::acs::AcsFlags;
use crate::function::bar::{BarKind, BarRegister};
use crate::function::bridge::WindowKind;
use crate::function::kind::FunctionKind;
use crate::function::sriov::Refusal;

/// The maximum number of findings of one topology.
pub(crate) const MAX_FINDINGS: usize = 512;

static PCI: FindingSource = FindingSource { place: "pci", name: "PCI", limit: MAX_FINDINGS };

/// The findings about one topology.
#[derive(Clone, Debug)]
pub(crate) struct Findings(probe::Findings);

impl Default for Findings {
    fn default() -> Self {
        Self(probe::Findings::about(&PCI))
    }
}

impl Findings {
    /// The findings so far.
    pub(crate) fn list(&self) -> &[Finding] {
        self.0.list()
    }

    /// The current state, for [`Self::roll_back`].
    pub(crate) fn mark(&self) -> Mark {
        self.0.mark()
    }

    /// Removes the findings since `mark`: those of an attempt that is going to be repeated.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        self.0.roll_back(mark);
    }

    fn add(&mut self, id: &'static str, severity: Severity, at: PciAddress, sentence: String) {
        self.0.push(Finding { id, severity, place: at.to_string(), sentence });
    }

    /// Adds a finding about a BAR.
    fn add_register(&mut self, id: &'static str, at: PciAddress, register: BarRegister, sentence: String) {
        let place = format!("{at} {register}");
        self.0.push(Finding { id, severity: Severity::Warning, place, sentence });
    }

    pub(crate) fn acs_refused(&mut self, at: PciAddress, refused: AcsFlags) {
        let sentence = format!(
            "ACS {refused} is supported but does not stay enabled; the function is treated as not isolating"
        );
        self.add("acs-not-enabled", Severity::Warning, at, sentence);
    }

    pub(crate) fn hidden_root(&mut self, at: PciAddress, last_bus: u8, functions: u32) {
        let sentence = format!(
            "firmware does not describe this root bus; its bridges got bus numbers up to {last_bus:#04x}, functions left \
             out: {functions}"
        );
        self.add("hidden-host-bridge", Severity::Warning, at, sentence);
    }

    pub(crate) fn buses_exhausted(&mut self, bridge: PciAddress, last_bus: u8) {
        let sentence = format!(
            "no bus number up to {last_bus:#04x} is left for the bus behind it; devices there cannot be reached"
        );
        self.add("bus-numbers-exhausted", Severity::Warning, bridge, sentence);
    }

    pub(crate) fn buses_renumbered(&mut self, bridge: PciAddress, register: u32) {
        let sentence = format!(
            "bus numbers {:#04x}, {:#04x}, {:#04x} contradict those of other bridges; all bridges of the root bus are \
             renumbered",
            register & 0xff,
            register >> 8 & 0xff,
            register >> 16 & 0xff
        );
        self.add("bus-numbers-inconsistent", Severity::Warning, bridge, sentence);
    }

    pub(crate) fn root_twice(&mut self, at: PciAddress) {
        let sentence =
            String::from("the root bus is in the bus range of another host bridge too; it is scanned once");
        self.add("host-bridges-overlap", Severity::Error, at, sentence);
    }

    pub(crate) fn root_range_empty(&mut self, at: PciAddress, last_bus: u8) {
        let sentence = format!(
            "the bus range ends at {last_bus:#04x}, before it begins; the host bridge is not scanned"
        );
        self.add("bus-range-empty", Severity::Error, at, sentence);
    }

    pub(crate) fn not_ready(&mut self, at: PciAddress) {
        let sentence = String::from("the function is not ready (vendor ID 0x0001); it is left out");
        self.add("function-not-ready", Severity::Warning, at, sentence);
    }

    pub(crate) fn unknown_header(&mut self, at: PciAddress, header_type: u8) {
        let sentence = format!("unknown header type {header_type:#04x}; the function is left out");
        self.add("unknown-header-type", Severity::Warning, at, sentence);
    }

    pub(crate) fn reserved_kind(&mut self, at: PciAddress, value: u8) {
        let sentence = format!("the PCIe capability has the reserved device/port type {value}");
        self.add("reserved-port-type", Severity::Warning, at, sentence);
    }

    pub(crate) fn class_without_header(&mut self, at: PciAddress, class: u32, header_type: u8) {
        let sentence =
            format!("class {class:#08x} contradicts header type {header_type}; the header type is used");
        self.add("class-contradicts-header", Severity::Warning, at, sentence);
    }

    pub(crate) fn cardbus(&mut self, at: PciAddress) {
        let sentence = String::from("CardBus bridge; devices behind it are not scanned");
        self.add("cardbus-bridge", Severity::Info, at, sentence);
    }

    pub(crate) fn capability_list(&mut self, at: PciAddress, list: &str, offset: u16, wrong: &str) {
        let sentence =
            format!("the {list} {wrong} at offset {offset:#05x}; only the entries before it are used");
        self.add("capability-list-broken", Severity::Warning, at, sentence);
    }

    pub(crate) fn ari(&mut self, at: PciAddress, next: u8) {
        let sentence = format!(
            "the next function is {next}, but no port above forwards ARI; functions above 7 are not scanned"
        );
        self.add("ari-functions-not-scanned", Severity::Info, at, sentence);
    }

    pub(crate) fn not_in_ari_chain(&mut self, at: PciAddress) {
        let sentence =
            String::from("the device's chain of ARI function numbers does not lead to it; it is left out");
        self.add("function-not-in-ari-chain", Severity::Warning, at, sentence);
    }

    /// `claimed` is a downstream or an upstream port.
    pub(crate) fn impossible_port(&mut self, at: PciAddress, claimed: FunctionKind, above: FunctionKind) {
        let sentence = if claimed == FunctionKind::DownstreamPort {
            format!("downstream port below a {above}; it is treated as an upstream port")
        } else {
            format!("upstream port below an {above}; it is grouped as an upstream port, as in Linux")
        };
        self.add("impossible-port-type", Severity::Warning, at, sentence);
    }

    pub(crate) fn sriov_malformed(&mut self, at: PciAddress) {
        let sentence = String::from(
            "the SR-IOV capability has a First VF Offset, VF Stride or page size of 0; virtual functions are not \
             available",
        );
        self.add("sriov-malformed", Severity::Warning, at, sentence);
    }

    pub(crate) fn no_virtual_functions(&mut self, at: PciAddress, number: u16, refusal: Refusal) {
        let sentence = format!("{number} virtual functions requested, but {refusal}; none is enabled");
        self.add("no-virtual-functions", Severity::Warning, at, sentence);
    }

    pub(crate) fn virtual_function_occupied(&mut self, at: PciAddress, physical: PciAddress) {
        let sentence =
            format!("a virtual function of {physical} has the address of another function; it is left out");
        self.add("virtual-function-occupied", Severity::Error, at, sentence);
    }

    pub(crate) fn bar_malformed(&mut self, at: PciAddress, register: BarRegister, wrong: &str) {
        self.add_register("bar-malformed", at, register, format!("{wrong}; it gets no address"));
    }

    pub(crate) fn bar_does_not_fit(
        &mut self,
        at: PciAddress,
        register: BarRegister,
        size: u64,
        kind: BarKind,
    ) {
        let space = if kind == BarKind::Io { "I/O" } else { "memory" };
        let sentence = format!("no {space} window has room for {size:#x} bytes; it gets no address");
        self.add_register("bar-does-not-fit", at, register, sentence);
    }

    pub(crate) fn bar_unreachable(&mut self, at: PciAddress, register: BarRegister, bus_address: u64) {
        let sentence = format!("bus address {bus_address:#x} is outside all windows; it gets a new address");
        self.add_register("bar-outside-windows", at, register, sentence);
    }

    pub(crate) fn bar_overlaps(&mut self, at: PciAddress, register: BarRegister, bus_address: u64) {
        let sentence = format!("bus address {bus_address:#x} is already in use; it gets a new address");
        self.add_register("bar-overlaps", at, register, sentence);
    }

    pub(crate) fn bar_not_kept(&mut self, at: PciAddress, register: BarRegister, written: u64, held: u64) {
        let sentence =
            format!("reads {held:#x} after {written:#x} was written; the device is not accessed through it");
        self.add_register("bar-not-kept", at, register, sentence);
    }

    pub(crate) fn window_not_kept(&mut self, at: PciAddress, kind: WindowKind, range: Range<u64>) {
        let name = kind.name();
        let sentence = format!(
            "the {name} window does not keep {:#x} to {:#x}; devices behind it are not accessed there",
            range.start(),
            range.end()
        );
        self.add("bridge-window-not-kept", Severity::Warning, at, sentence);
    }

    pub(crate) fn window_moved(&mut self, at: PciAddress, kind: WindowKind) {
        let name = kind.name();
        let sentence = format!(
            "firmware left no room for everything behind the {name} window; what is behind it gets new addresses"
        );
        self.add("bridge-window-moved", Severity::Info, at, sentence);
    }
}
