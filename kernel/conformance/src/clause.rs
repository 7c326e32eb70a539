//! Clauses of the specification (virtio 1.2) that cases refer to: the section, how binding it is, and what it requires,
//! in our words.

use core::fmt;

/// How binding a clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A device that does otherwise does not conform.
    Must,
    /// A device may do otherwise for a good reason.
    Should,
    /// The device is free; the case checks that it does one of the things that are left open.
    May,
    /// The text describes it, outside of the lists of requirements.
    Text,
}

/// One requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The section of virtio 1.2.
    pub section: &'static str,
    /// How binding it is.
    pub level: Level,
    /// What it requires.
    pub requirement: &'static str,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
            Level::Text => "text",
        };
        write!(f, "{} {level}: {}", self.section, self.requirement)
    }
}

const fn must(section: &'static str, requirement: &'static str) -> Clause {
    Clause { section, level: Level::Must, requirement }
}

const fn should(section: &'static str, requirement: &'static str) -> Clause {
    Clause { section, level: Level::Should, requirement }
}

const fn may(section: &'static str, requirement: &'static str) -> Clause {
    Clause { section, level: Level::May, requirement }
}

const fn text(section: &'static str, requirement: &'static str) -> Clause {
    Clause { section, level: Level::Text, requirement }
}

// Facilities of every virtio device.
pub(crate) const RESET: Clause = must("2.4.1", "the device reinitializes its status after a reset");
pub(crate) const FRAMING: Clause = must("2.7.4.1", "no assumptions about the arrangement of descriptors");
pub(crate) const USED_LENGTH: Clause =
    must("2.7.8.2", "the device writes at least `len` bytes, from the first device-writable buffer on");
pub(crate) const USED_RING: Clause =
    text("2.7.8", "each chain is returned with the number of bytes that were written");

// Features and configuration.
pub(crate) const OFFERS_MAP_UNMAP: Clause = should("5.13.3.2", "the device offers MAP_UNMAP");
pub(crate) const NO_OLD_BYPASS: Clause =
    should("5.13.3.2", "no BYPASS, and not both BYPASS and BYPASS_CONFIG");
pub(crate) const PAGE_SIZE_MASK: Clause = must("5.13.4.2", "at least one bit of page_size_mask is set");
pub(crate) const BYPASS_VALUE: Clause = must("5.13.4.2", "bypass is 0 or 1");
pub(crate) const BYPASS_WRITABLE: Clause =
    text("5.13.4.1", "with BYPASS_CONFIG negotiated, the driver may write bypass");
pub(crate) const BYPASS_KEPT: Clause = should("5.13.4.2", "bypass does not change on device reset");
pub(crate) const RESET_DETACHES: Clause = text("5.13.5", "after a reset, no endpoint is attached");

// All requests.
pub(crate) const UNPARSED: Clause =
    text("5.13.6", "a request that cannot be parsed is returned without writing to it");
pub(crate) const INPUT_RANGE: Clause = text("5.13.6", "mapping requests outside of input_range fail");
pub(crate) const DOMAIN_RANGE: Clause = text("5.13.6", "domain_range contains the supported domain IDs");
pub(crate) const STATUS_OK: Clause = should("5.13.6.2", "the status is OK if a request succeeds");
pub(crate) const UNKNOWN_TYPE: Clause =
    should("5.13.6.2", "unknown type: the buffer is not written and the used length is 0");
pub(crate) const HEAD_RESERVED: Clause = must("5.13.6.2", "the reserved field of the head is ignored");
pub(crate) const TAIL_RESERVED: Clause = should("5.13.6.2", "the reserved field of the tail is 0");

// ATTACH.
pub(crate) const ATTACH_CREATES: Clause = text("5.13.6.3", "a domain that does not exist is created");
pub(crate) const ATTACH_ONE_DOMAIN: Clause =
    text("5.13.6.3", "several endpoints can share a domain; an endpoint has one domain at a time");
pub(crate) const ATTACH_RESERVED: Clause = must("5.13.6.3.2", "reserved is not 0: INVAL");
pub(crate) const ATTACH_FLAGS: Clause = must("5.13.6.3.2", "unknown flag: INVAL");
pub(crate) const ATTACH_NOENT: Clause = must("5.13.6.3.2", "unknown endpoint: NOENT");
pub(crate) const ATTACH_SHARED: Clause =
    may("5.13.6.3.2", "a further endpoint is attached to the domain, or UNSUPP");
pub(crate) const ATTACH_KIND: Clause =
    should("5.13.6.3.2", "the flag BYPASS contradicts the existing domain: INVAL");
pub(crate) const ATTACH_MOVES: Clause =
    should("5.13.6.3.2", "an endpoint of another domain is detached from it and attached, or UNSUPP");
pub(crate) const ATTACH_ATTACHES: Clause =
    must("5.13.6.3.2", "a device that does not reject the request attaches the endpoint");

// DETACH.
pub(crate) const DETACH_ENDS_DOMAIN: Clause =
    text("5.13.6.4", "a domain ceases to exist after its last endpoint, and its ID can be used again");
pub(crate) const DETACH_RESERVED: Clause = must("5.13.6.4.2", "the reserved field is ignored");
pub(crate) const DETACH_NOENT: Clause = must("5.13.6.4.2", "unknown endpoint: NOENT");
pub(crate) const DETACH_ELSEWHERE: Clause =
    may("5.13.6.4.2", "no such domain, or the endpoint is not attached to it: INVAL");

// MAP.
pub(crate) const MAP_RANGE: Clause = text("5.13.6.5", "the range is mapped after the request succeeds");
pub(crate) const MAP_FLAGS_OPEN: Clause =
    text("5.13.6.5", "which combinations of flags are allowed depends on the IOMMU");
pub(crate) const MAP_DRIVER: Clause = text("5.13.6.5.1", "the driver's duty; no answer is defined");
pub(crate) const MAP_ALIGNED: Clause =
    should("5.13.6.5.2", "virt_start, phys_start or virt_end + 1 is not aligned on the granule: RANGE");
pub(crate) const MAP_OVERLAP: Clause = should("5.13.6.5.2", "a mapping exists in the range: INVAL");
pub(crate) const MAP_FLAGS: Clause = must("5.13.6.5.2", "unknown flag: INVAL");
pub(crate) const MAP_NOENT: Clause = should("5.13.6.5.2", "unknown domain: NOENT");
pub(crate) const MAP_BYPASS: Clause = should("5.13.6.5.2", "bypass domain: INVAL");

// UNMAP.
pub(crate) const UNMAP_EXAMPLE: Clause = text("5.13.6.6", "the examples of UNMAP");
pub(crate) const UNMAP_COVERED: Clause = text("5.13.6.6", "all mappings that the range covers are removed");
pub(crate) const UNMAP_RESERVED: Clause =
    may("5.13.6.6.2", "reserved is not 0: INVAL, and it may be performed");
pub(crate) const UNMAP_NOENT: Clause = should("5.13.6.6.2", "unknown domain: NOENT");
pub(crate) const UNMAP_BYPASS: Clause = should("5.13.6.6.2", "bypass domain: INVAL");
pub(crate) const UNMAP_SPLIT: Clause =
    should("5.13.6.6.2", "a mapping would be split: RANGE, and no mapping is removed");
pub(crate) const UNMAP_HOLES: Clause =
    should("5.13.6.6.2", "part of the range is not mapped: all mappings in it are removed, OK");

// PROBE.
pub(crate) const PROBE_RESERVED: Clause = must("5.13.6.7.2", "the reserved field is ignored");
pub(crate) const PROBE_NOENT: Clause = should("5.13.6.7.2", "unknown endpoint: NOENT");
pub(crate) const PROBE_PROPERTY_RESERVED: Clause =
    should("5.13.6.7.2", "the reserved field of a property is 0");
pub(crate) const PROBE_LENGTH: Clause =
    must("5.13.6.7.2", "the length of a property is that of its value, and the next one follows there");
pub(crate) const PROBE_SMALL: Clause =
    should("5.13.6.7.2", "room for less than probe_size bytes: no property is written, INVAL");
pub(crate) const PROBE_ZEROES: Clause = should("5.13.6.7.2", "remaining bytes are 0");
pub(crate) const RESV_MEM: Clause = text("5.13.6.8.1", "RESV_MEM: a subtype, and a range from start to end");
pub(crate) const RESV_MEM_RESERVED: Clause = should("5.13.6.8.1.2", "the reserved field of RESV_MEM is 0");
pub(crate) const RESV_MEM_ONE_MSI: Clause = should("5.13.6.8.1.2", "at most one MSI region for an endpoint");
pub(crate) const RESV_MEM_DISJOINT: Clause =
    should("5.13.6.8.1.2", "regions of an endpoint do not overlap each other");
pub(crate) const RESV_MEM_MAP: Clause = should("5.13.6.8.1.2", "MAP over a region is rejected");

// Events.
pub(crate) const EVENTS: Clause = text("5.13.6.9", "an event reports a fault");
