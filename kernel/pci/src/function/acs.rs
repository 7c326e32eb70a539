//! The registers of access control services (ACS).

use core::fmt;

bitflags::bitflags! {
    /// Bits of the ACS capability and control registers (PCIe 5.0, section 7.7.8).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AcsFlags: u16 {
        /// SV: drop requests with a wrong requester ID.
        const SOURCE_VALIDATION = 1 << 0;
        /// TB: block requests that are marked as translated.
        const TRANSLATION_BLOCKING = 1 << 1;
        /// RR: redirect requests between peers to the root.
        const REQUEST_REDIRECT = 1 << 2;
        /// CR: redirect completions between peers to the root.
        const COMPLETION_REDIRECT = 1 << 3;
        /// UF: forward requests with upstream addresses upstream.
        const UPSTREAM_FORWARDING = 1 << 4;
        /// EC: a table restricts which peers can be reached.
        const EGRESS_CONTROL = 1 << 5;
        /// DT: let translated requests between peers take the direct path.
        const DIRECT_TRANSLATED = 1 << 6;
        /// Bits that later specifications define.
        const _ = !0;
    }
}

impl AcsFlags {
    /// SV, RR, CR, UF: the bits that a function needs in order to isolate (Linux: `REQ_ACS_FLAGS`).
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
    /// The offset of the extended capability.
    pub offset: u16,
    /// The implemented bits.
    pub capability: AcsFlags,
    /// The enabled bits.
    pub control: AcsFlags,
    /// Whether the user has set the control register ([`config_acs`](crate::config_acs)); nothing else changes it
    /// then.
    pub is_chosen: bool,
}
