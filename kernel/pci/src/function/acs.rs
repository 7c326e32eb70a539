//! The registers of access control services (ACS).

use core::fmt;

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
