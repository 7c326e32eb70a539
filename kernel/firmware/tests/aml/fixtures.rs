//! Definition blocks of real machines, and what `iasl` says of them; see `fixtures/README.md`.

/// A block, its name, and its disassembly.
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) aml: &'static [u8],
    pub(crate) dsl: &'static str,
}

macro_rules! fixture {
    ($name:literal) => {
        Fixture {
            name: $name,
            aml: include_bytes!(concat!("fixtures/", $name, ".aml")),
            dsl: include_str!(concat!("fixtures/", $name, ".dsl")),
        }
    };
}

pub(crate) const PLAIN: Fixture = fixture!("plain");
pub(crate) const PXB: Fixture = fixture!("pxb");
pub(crate) const TWO_PXB: Fixture = fixture!("two-pxb");
pub(crate) const LOW_ECAM: Fixture = fixture!("low-ecam");
pub(crate) const SMP: Fixture = fixture!("smp");
pub(crate) const HOTPLUG: Fixture = fixture!("hotplug");
pub(crate) const NVDIMM_SSDT: Fixture = fixture!("nvdimm-ssdt");

/// Each DSDT.
pub(crate) const DSDTS: [&Fixture; 6] = [&PLAIN, &PXB, &TWO_PXB, &LOW_ECAM, &SMP, &HOTPLUG];
