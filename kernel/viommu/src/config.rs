//! The device's configuration, read as a whole and checked once.

use addr::{Iova, Range};
use virtio_drivers::transport::Transport;

use crate::features::Features;
use crate::limits::MAX_PROBE_SIZE;
use crate::start_error::StartError;
use crate::wire::config_offset as offset;

/// How often the configuration is read again because the device changed it meanwhile.
const MAX_CONFIG_READS: u32 = 16;

/// The device's configuration (virtio 1.2, section 5.13.4), with defaults where a feature is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Page sizes that the device can map; never 0. The lowest bit is the granule.
    pub page_size_mask: u64,
    /// Addresses that can be mapped: the aperture of every domain.
    pub input_range: Range<Iova>,
    /// First and last domain ID, both included.
    pub domain_range: (u32, u32),
    /// Bytes of properties that a PROBE answers with; 0 without the feature.
    pub probe_size: u32,
    /// Whether endpoints without a domain bypassed at start; `None` without `BYPASS_CONFIG`.
    pub bypass: Option<bool>,
}

impl Config {
    /// The smallest size that can be mapped, in bytes; a power of two.
    #[must_use]
    pub fn granule(&self) -> u64 {
        1 << self.page_size_mask.trailing_zeros()
    }

    /// Bits of the highest address that can be mapped: what Linux prints as `input address: N bits`.
    #[must_use]
    pub fn input_bits(&self) -> u32 {
        u64::BITS - self.input_range.end().0.leading_zeros()
    }
}

/// Reads the configuration and checks every value.
///
/// # Errors
///
/// The space is shorter than its fields, changes on every attempt to read it, or contains a value
/// that the specification rules out.
pub(crate) fn read<T: Transport>(transport: &T, features: Features) -> Result<Config, StartError> {
    let raw = read_unchanged(transport, features)?;
    if raw.page_size_mask == 0 {
        return Err(StartError::PageSizeMask);
    }
    let input_range = Range::new(Iova(raw.input_range.0), Iova(raw.input_range.1))
        .ok_or(StartError::InputRange { start: raw.input_range.0, end: raw.input_range.1 })?;
    if raw.domain_range.0 > raw.domain_range.1 {
        return Err(StartError::DomainRange { start: raw.domain_range.0, end: raw.domain_range.1 });
    }
    if raw.probe_size > MAX_PROBE_SIZE {
        return Err(StartError::ProbeSize(raw.probe_size));
    }
    Ok(Config {
        page_size_mask: raw.page_size_mask,
        input_range,
        domain_range: raw.domain_range,
        probe_size: raw.probe_size,
        bypass: raw.bypass.map(|value| value != 0),
    })
}

/// The current bypass byte; every value except 0 counts as on.
pub(crate) fn read_bypass<T: Transport>(transport: &T) -> Result<u8, StartError> {
    field::<u8, T>(transport, offset::BYPASS)
}

#[derive(PartialEq, Eq)]
struct Raw {
    page_size_mask: u64,
    input_range: (u64, u64),
    domain_range: (u32, u32),
    probe_size: u32,
    bypass: Option<u8>,
}

/// Reads until the generation is the same before and after (virtio 1.2, section 2.5.1).
fn read_unchanged<T: Transport>(transport: &T, features: Features) -> Result<Raw, StartError> {
    for _ in 0..MAX_CONFIG_READS {
        let before = transport.read_config_generation();
        let raw = read_once(transport, features)?;
        if transport.read_config_generation() == before {
            return Ok(raw);
        }
    }
    Err(StartError::ConfigUnstable { reads: MAX_CONFIG_READS })
}

/// Words before the bypass byte.
const WORDS: usize = offset::BYPASS / size_of::<u32>();

fn read_once<T: Transport>(transport: &T, features: Features) -> Result<Raw, StartError> {
    // Words of four bytes: a transport guarantees no larger alignment.
    let mut words = [0; WORDS];
    for (index, word) in words.iter_mut().enumerate() {
        let at = index * size_of::<u32>();
        let needs = match at {
            offset::PAGE_SIZE_MASK..offset::INPUT_RANGE_START => Features::empty(),
            offset::INPUT_RANGE_START..offset::DOMAIN_RANGE_START => Features::INPUT_RANGE,
            offset::DOMAIN_RANGE_START..offset::PROBE_SIZE => Features::DOMAIN_RANGE,
            _ => Features::PROBE,
        };
        if features.contains(needs) {
            *word = field::<u32, T>(transport, at)?;
        }
    }
    let word = |at| words[at / size_of::<u32>()];
    let double = |at| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    Ok(Raw {
        page_size_mask: double(offset::PAGE_SIZE_MASK),
        input_range: if features.contains(Features::INPUT_RANGE) {
            (double(offset::INPUT_RANGE_START), double(offset::INPUT_RANGE_END))
        } else {
            (0, u64::MAX)
        },
        domain_range: if features.contains(Features::DOMAIN_RANGE) {
            (word(offset::DOMAIN_RANGE_START), word(offset::DOMAIN_RANGE_END))
        } else {
            (0, u32::MAX)
        },
        probe_size: word(offset::PROBE_SIZE),
        bypass: if features.contains(Features::BYPASS_CONFIG) { Some(read_bypass(transport)?) } else { None },
    })
}

fn field<V: zerocopy::FromBytes + zerocopy::IntoBytes, T: Transport>(
    transport: &T,
    at: usize,
) -> Result<V, StartError> {
    transport.read_config_space::<V>(at).map_err(|error| StartError::ConfigRead { offset: at, error })
}
