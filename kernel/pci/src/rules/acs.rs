//! Access control services: what a function can, what is switched on, and whether it isolates.

use core::fmt;

use crate::config::access::ConfigAccess;
use crate::findings::Reports;
use crate::function::{Function, FunctionKind};
use crate::read::capability::{self, id};
use crate::rules::quirks;
use crate::topology::{FunctionIndex, Topology};

bitflags::bitflags! {
    /// Bits of the ACS capability and control registers (PCIe 5.0, section 7.7.8).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AcsFlags: u16 {
        /// SV: requests with a wrong requester ID are dropped.
        const SOURCE_VALIDATION = 1 << 0;
        /// TB: requests that claim to be translated already are blocked.
        const TRANSLATION_BLOCKING = 1 << 1;
        /// RR: peer requests go up to the root.
        const REQUEST_REDIRECT = 1 << 2;
        /// CR: peer completions go up to the root.
        const COMPLETION_REDIRECT = 1 << 3;
        /// UF: what is addressed upstream is forwarded there.
        const UPSTREAM_FORWARDING = 1 << 4;
        /// EC: a table says which peers may be reached.
        const EGRESS_CONTROL = 1 << 5;
        /// DT: translated peer requests may go directly.
        const DIRECT_TRANSLATED = 1 << 6;
        /// Bits that later specifications define.
        const _ = !0;
    }
}

impl AcsFlags {
    /// SV, RR, CR, UF: what has to be on for a function to isolate (Linux: `REQ_ACS_FLAGS`).
    pub const ISOLATION: Self = Self::from_bits_retain(0x1d);

    /// SV to DT.
    pub(crate) const NAMED: Self = Self::from_bits_retain(0x7f);

    /// What is switched on in `function` as far as it has it: TB too where requests come from outside of the
    /// machine (Linux: `pci_std_enable_acs`).
    fn wanted(function: &Function) -> Self {
        let outside = function.external_facing || function.untrusted;
        if outside { Self::ISOLATION | Self::TRANSLATION_BLOCKING } else { Self::ISOLATION }
    }

    /// The named bits, in register order, with the specification's abbreviations.
    const NAMES: [(Self, &'static str); 7] = [
        (Self::SOURCE_VALIDATION, "SV"),
        (Self::TRANSLATION_BLOCKING, "TB"),
        (Self::REQUEST_REDIRECT, "RR"),
        (Self::COMPLETION_REDIRECT, "CR"),
        (Self::UPSTREAM_FORWARDING, "UF"),
        (Self::EGRESS_CONTROL, "EC"),
        (Self::DIRECT_TRANSLATED, "DT"),
    ];
}

impl fmt::Display for AcsFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (_, name) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{space}{name}")?;
            space = " ";
        }
        Ok(())
    }
}

/// The ACS capability of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcsRegisters {
    /// Where the extended capability begins.
    pub offset: u16,
    /// What it can.
    pub capability: AcsFlags,
    /// What is switched on.
    pub control: AcsFlags,
    /// Whether the user says what is on ([`config_acs`](crate::config_acs)), and nothing else may.
    pub is_chosen: bool,
}

/// Whether a function keeps its requests apart from its neighbours'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcsVerdict {
    /// It does.
    Isolates,
    /// It does not: it has no ACS capability where it would need one.
    NoAcs,
    /// It does not: these bits are implemented and off.
    Off(AcsFlags),
    /// It does not, by what it is: conventional PCI shares its bus.
    SharedBus,
}

impl fmt::Display for AcsVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolates => f.write_str("isolates"),
            Self::NoAcs => f.write_str("no ACS"),
            Self::Off(flags) => write!(f, "ACS {flags} off"),
            Self::SharedBus => f.write_str("shared bus"),
        }
    }
}

impl Function {
    /// Whether this function keeps its requests apart (Linux: `pci_acs_enabled` with `REQ_ACS_FLAGS`).
    #[must_use]
    pub fn acs_verdict(&self) -> AcsVerdict {
        if let Some(isolates) = quirks::acs(self) {
            return if isolates { AcsVerdict::Isolates } else { AcsVerdict::NoAcs };
        }
        match self.kind {
            FunctionKind::Conventional
            | FunctionKind::PcieToPciBridge
            | FunctionKind::PciToPcieBridge
            | FunctionKind::RcEventCollector => AcsVerdict::SharedBus,
            FunctionKind::RootPort | FunctionKind::DownstreamPort => self.acs_registers_verdict(),
            FunctionKind::Endpoint
            | FunctionKind::LegacyEndpoint
            | FunctionKind::UpstreamPort
            | FunctionKind::RcEndpoint
                if self.multifunction =>
            {
                self.acs_registers_verdict()
            }
            // A single function has no peer inside its device. Reserved types pass as they do on Linux.
            _ => AcsVerdict::Isolates,
        }
    }

    /// Whether this function keeps its requests apart.
    #[must_use]
    pub fn isolates(&self) -> bool {
        self.acs_verdict() == AcsVerdict::Isolates
    }

    /// A flag that is not implemented counts as wired on.
    fn acs_registers_verdict(&self) -> AcsVerdict {
        let Some(acs) = self.acs else { return AcsVerdict::NoAcs };
        let required = AcsFlags::ISOLATION & acs.capability;
        let off = required - acs.control;
        if off.is_empty() { AcsVerdict::Isolates } else { AcsVerdict::Off(off) }
    }
}

impl Topology {
    /// The same functions with everything that isolates switched on, in this copy alone.
    #[must_use]
    pub fn fully_isolating(&self) -> Self {
        let mut copy = self.clone();
        for index in 0..copy.functions.len() {
            copy.isolate(FunctionIndex(index as u32));
        }
        copy
    }

    /// Switches ACS of one function on in this copy alone, as [`enable_acs_of`] does in the machine.
    pub fn isolate(&mut self, index: FunctionIndex) {
        let Some(function) = self.functions.get_mut(index.0 as usize) else { return };
        let wanted = AcsFlags::wanted(function);
        if let Some(acs) = function.acs.as_mut().filter(|acs| !acs.is_chosen) {
            acs.control |= acs.capability & wanted;
        }
    }

    /// The first bridge from `bridge` towards the root that does not isolate; none if all do.
    ///
    /// Linux: `pci_acs_path_enabled`.
    #[must_use]
    pub fn first_leak(&self, bridge: FunctionIndex) -> Option<FunctionIndex> {
        core::iter::once(bridge).chain(self.bridges_above(bridge)).find(|step| !self[*step].isolates())
    }
}

/// Switches on SV, RR, CR and UF in every function that has them; in a port that leads out of the machine and
/// in what is behind it TB as well.
pub fn enable_acs(config: &mut dyn ConfigAccess, topology: &mut Topology) {
    for index in 0..topology.functions.len() {
        enable_acs_of(config, topology, FunctionIndex(index as u32));
    }
}

/// The ACS registers of a function, if there is that capability.
pub(crate) fn find(config: &dyn ConfigAccess, function: &Function) -> Option<AcsRegisters> {
    // The registers follow the header of the capability; one at the very end has no room for them.
    let offset = function.extended_capability(id::ACS)?;
    let registers = config.read32(function.address, capability::in_extended_space(offset + 4)?);
    Some(AcsRegisters {
        offset,
        capability: AcsFlags::from_bits_retain(registers as u16),
        control: AcsFlags::from_bits_retain((registers >> 16) as u16),
        is_chosen: false,
    })
}

/// The ACS registers of a function as they are now.
pub fn read_acs(config: &mut dyn ConfigAccess, function: &Function) -> Option<AcsRegisters> {
    let acs = function.acs?;
    let control = AcsFlags::from_bits_retain(config.read16(function.address, acs.offset + 6));
    Some(AcsRegisters { control, ..acs })
}

/// The same for one function: the step that Linux takes before it groups that function.
///
/// A bit that does not stay on is a finding, and the function counts as not isolating. Where the user chose, that stays.
pub fn enable_acs_of(config: &mut dyn ConfigAccess, topology: &mut Topology, index: FunctionIndex) {
    let Some(function) = topology.functions.get_mut(index.0 as usize) else { return };
    let wanted = AcsFlags::wanted(function);
    let Some(acs) = &mut function.acs else { return };
    let wanted = acs.control | acs.capability & wanted;
    if acs.is_chosen || wanted == acs.control {
        return;
    }
    let control = acs.offset + 6;
    config.write16(function.address, control, wanted.bits());
    acs.control = AcsFlags::from_bits_retain(config.read16(function.address, control));
    let refused = wanted - acs.control;
    if !refused.is_empty() {
        Reports::append_to(&mut topology.findings, |reports| {
            reports.acs_refused(function.address, refused);
        });
    }
}
