//! The parts of a function's configuration space that decide about groups.

/// Offsets in the header (PCI 3.0, section 6.1).
const STATUS: usize = 0x06;
const HEADER_TYPE: usize = 0x0e;
const CAPABILITIES: usize = 0x34;
/// The bit of the status register for the presence of capabilities.
const HAS_CAPABILITIES: u8 = 0x10;
const MULTIFUNCTION: u8 = 0x80;
const IS_BRIDGE: u8 = 1;
/// IDs of capabilities, and of extended ones (PCI Express 4.0, section 7).
const PCI_EXPRESS: u8 = 0x10;
const ACS: u16 = 0x0d;
const ARI: u16 = 0x0e;
const SR_IOV: u16 = 0x10;
const EXTENDED: usize = 0x100;
/// More capabilities than a space has room for.
const WALK_LIMIT: usize = 1024;

/// Types of port by their numbers (PCI Express 4.0, section 7.5.3.2).
const KINDS: [(u8, &str); 9] = [
    (0, "endpoint"),
    (1, "legacy-endpoint"),
    (4, "root-port"),
    (5, "upstream-port"),
    (6, "downstream-port"),
    (7, "pcie-to-pci-bridge"),
    (8, "pci-to-pcie-bridge"),
    (9, "rciep"),
    (10, "rcec"),
];

/// Type of port, and what isolates a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FunctionFacts {
    pub(super) kind: String,
    pub(super) multifunction: bool,
    /// ACS capability register and ACS control register.
    pub(super) acs: Option<(u16, u16)>,
    pub(super) ari: bool,
    /// Number of virtual functions: enabled, and possible.
    pub(super) virtual_functions: Option<(u16, u16)>,
}

/// Reads the registers; those beyond the end of `space` are zero.
pub(super) fn facts(space: &[u8]) -> FunctionFacts {
    let byte = |at: usize| space.get(at).copied().unwrap_or(0);
    let word = |at: usize| u16::from_le_bytes([byte(at), byte(at + 1)]);
    let header = byte(HEADER_TYPE);
    let conventional =
        if header & !MULTIFUNCTION == IS_BRIDGE { "conventional-bridge" } else { "conventional" };
    let mut facts = FunctionFacts {
        kind: conventional.into(),
        multifunction: header & MULTIFUNCTION != 0,
        acs: None,
        ari: false,
        virtual_functions: None,
    };
    let has_any = byte(STATUS) & HAS_CAPABILITIES != 0;
    let mut at = if has_any { usize::from(byte(CAPABILITIES) & !3) } else { 0 };
    for _ in 0..WALK_LIMIT {
        if at == 0 {
            break;
        }
        if byte(at) == PCI_EXPRESS {
            let number = byte(at + 2) >> 4;
            let known = KINDS.iter().find(|(one, _)| *one == number);
            facts.kind = known.map_or(format!("pcie-{number}"), |(_, name)| (*name).into());
        }
        at = usize::from(byte(at + 1) & !3);
    }
    at = EXTENDED;
    for _ in 0..WALK_LIMIT {
        let (id, next) = (word(at), usize::from(word(at + 2) >> 4));
        match id {
            ACS => facts.acs = Some((word(at + 4), word(at + 6))),
            ARI => facts.ari = true,
            SR_IOV => facts.virtual_functions = Some((word(at + 0x10), word(at + 0x0e))),
            _ => (),
        }
        if next < EXTENDED {
            break;
        }
        at = next;
    }
    facts
}
