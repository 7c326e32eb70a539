//! Access control services (ACS): whether a function isolates, and enabling ACS.

use core::fmt;

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::acs::AcsFlags;
use crate::function::index::FunctionIndex;
use crate::function::kind::FunctionKind;
use crate::rules::quirks;
use crate::topology::Topology;

/// Whether a function isolates its requests from those of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcsVerdict {
    /// It isolates.
    Isolates,
    /// It does not isolate: it needs an ACS capability and does not have one.
    NoAcs,
    /// It does not isolate: these bits are implemented and disabled.
    Off(AcsFlags),
    /// It does not isolate because of its kind: functions of conventional PCI share their bus.
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
    /// Whether this function isolates, and if not, why (Linux: `pci_acs_enabled` with `REQ_ACS_FLAGS`).
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
            // A function that is alone in its device has no peers there. Reserved types count as isolating, as on
            // Linux.
            _ => AcsVerdict::Isolates,
        }
    }

    /// Whether this function isolates its requests from those of its neighbours.
    #[must_use]
    pub fn isolates(&self) -> bool {
        self.acs_verdict() == AcsVerdict::Isolates
    }

    /// A flag that is not implemented counts as enabled.
    fn acs_registers_verdict(&self) -> AcsVerdict {
        let Some(acs) = self.acs else { return AcsVerdict::NoAcs };
        let required = AcsFlags::ISOLATION & acs.capability;
        let off = required - acs.control;
        if off.is_empty() { AcsVerdict::Isolates } else { AcsVerdict::Off(off) }
    }
}

impl Topology {
    /// A copy of the topology with ACS enabled in every function; the hardware does not change.
    #[must_use]
    pub fn fully_isolating(&self) -> Self {
        let mut copy = self.clone();
        for index in copy.indices() {
            copy.isolate(index);
        }
        copy
    }

    /// Enables ACS of one function in this topology only; [`enable_acs_of`] does it in the hardware as well.
    pub fn isolate(&mut self, index: FunctionIndex) {
        let function = self.function_mut(index);
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

impl AcsFlags {
    /// The bits to enable in `function` if it implements them: TB too where requests come from outside the machine
    /// (Linux: `pci_std_enable_acs`).
    fn wanted(function: &Function) -> Self {
        let outside = function.external_facing || function.untrusted;
        if outside { Self::ISOLATION | Self::TRANSLATION_BLOCKING } else { Self::ISOLATION }
    }
}

/// Enables SV, RR, CR and UF in every function that implements them, and TB in ports that lead out of the machine and
/// in everything behind them.
pub fn enable_acs(config: &mut dyn ConfigAccess, topology: &mut Topology) {
    for index in topology.indices() {
        enable_acs_of(config, topology, index);
    }
}

/// Enables ACS of one function, which Linux does before it groups that function.
///
/// A bit that does not stay enabled is a finding, and the function does not count as isolating. Settings of the user
/// are not changed.
pub fn enable_acs_of(config: &mut dyn ConfigAccess, topology: &mut Topology, index: FunctionIndex) {
    let function = topology.function_mut(index);
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
        let address = function.address;
        topology.findings_mut().acs_refused(address, refused);
    }
}
