//! Resource templates: bytes of a `_CRS` into [`Resource`]s (ACPI 6.5, section 6.4).
//!
//! A descriptor that cannot be understood is skipped by its length; a template that ends in the middle of
//! one keeps what came before.

use alloc::vec::Vec;

use addr::{PhysAddr, Range};

use super::descriptor::{LARGE, large, small};
use super::remark::Remark;
use super::resource::{AddressSpace, Caching, GenericRegister, Interrupts, Resource, SpaceKind};

/// Last I/O port that the 16-bit descriptors can name.
const LAST_PORT: u64 = 0xffff;

/// Reads a template; `remark` is called with what is malformed, and where in `bytes`.
pub(super) fn read(bytes: &[u8], mut remark: impl FnMut(usize, Remark)) -> Vec<Resource> {
    let mut resources = Vec::new();
    let mut at = 0;
    // Every descriptor has at least one byte.
    while let Some(&first) = bytes.get(at) {
        let Some((descriptor, header, length)) = header(first, &bytes[at..]) else {
            remark(at, Remark::Cut);
            return resources;
        };
        let next = at + header + length;
        let Some(body) = bytes.get(at + header..next) else {
            remark(at, Remark::Cut);
            return resources;
        };
        if descriptor == small::END {
            end(bytes, at, body, next, &mut remark);
            return resources;
        }
        let body = Body(body);
        let read = if first & LARGE == 0 { body.small(descriptor) } else { body.large(descriptor) };
        match read {
            Ok((resource, odd)) => {
                resources.push(resource);
                if let Some(odd) = odd {
                    remark(at, odd);
                }
            }
            Err(odd) => remark(at, odd),
        }
        at = next;
    }
    remark(at, Remark::NoEnd);
    resources
}

/// Kind of a descriptor, the length of its header, and how many bytes follow that.
fn header(first: u8, bytes: &[u8]) -> Option<(u8, usize, usize)> {
    if first & LARGE == 0 {
        return Some((first >> 3, 1, usize::from(first & 7)));
    }
    let length = usize::from(u16::from_le_bytes([*bytes.get(1)?, *bytes.get(2)?]));
    // Large and small descriptors share the numbers, so the end tag's must not be taken for a large one.
    Some((first, 3, length))
}

fn end(bytes: &[u8], at: usize, body: &[u8], next: usize, remark: &mut impl FnMut(usize, Remark)) {
    match body.first() {
        None => remark(at, Remark::Short { descriptor: small::END, length: 0, least: 1 }),
        Some(&found) => {
            let sum = bytes[..=at].iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
            let expected = sum.wrapping_neg();
            if found != 0 && found != expected {
                remark(at, Remark::Checksum { found, expected });
            }
        }
    }
    if next < bytes.len() {
        remark(next, Remark::BehindEnd(bytes.len() - next));
    }
}

/// A resource, and what is odd about it.
type Read = Result<(Resource, Option<Remark>), Remark>;

/// What follows a descriptor's header.
#[derive(Clone, Copy)]
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    /// `length` bytes from `at` on, the lowest first; the caller has checked that they are there.
    fn number(self, at: usize, length: usize) -> u64 {
        let bytes = self.0.get(at..at + length).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn flags(self, at: usize) -> u8 {
        self.number(at, 1) as u8
    }

    fn at_least(self, descriptor: u8, least: usize) -> Result<(), Remark> {
        let length = self.0.len();
        if length < least { Err(Remark::Short { descriptor, length, least }) } else { Ok(()) }
    }

    fn small(self, descriptor: u8) -> Read {
        match descriptor {
            small::IRQ => {
                self.at_least(descriptor, 2)?;
                self.irq()
            }
            small::IO => {
                self.at_least(descriptor, 7)?;
                let (start, last) = (self.number(1, 2), self.number(3, 2));
                ports(start, last, self.number(6, 1))
            }
            small::FIXED_IO => {
                self.at_least(descriptor, 3)?;
                let start = self.number(0, 2) & 0x3ff;
                ports(start, start, self.number(2, 1))
            }
            small::DMA | small::START_DEPENDENT | small::END_DEPENDENT | small::FIXED_DMA | small::VENDOR => {
                Err(Remark::Unused(descriptor))
            }
            _ => Err(Remark::Unknown(descriptor)),
        }
    }

    fn large(self, first: u8) -> Read {
        let least = match first & !LARGE {
            large::MEMORY24 | large::MEMORY32_FIXED => 9,
            large::REGISTER => 12,
            large::MEMORY32 => 17,
            large::WORD_SPACE => 13,
            large::DWORD_SPACE => 23,
            large::QWORD_SPACE => 43,
            large::EXTENDED_SPACE => 53,
            large::INTERRUPT => 2,
            _ => 0,
        };
        self.at_least(first, least)?;
        let writable = self.flags(0) & 1 != 0;
        match first & !LARGE {
            large::MEMORY24 => {
                memory(self.number(1, 2) << 8, self.number(3, 2) << 8, self.number(7, 2) << 8, writable)
            }
            large::MEMORY32 => memory(self.number(1, 4), self.number(5, 4), self.number(13, 4), writable),
            large::MEMORY32_FIXED => {
                memory(self.number(1, 4), self.number(1, 4), self.number(5, 4), writable)
            }
            large::REGISTER => Ok((
                Resource::Register(GenericRegister {
                    space: self.flags(0),
                    bit_width: self.flags(1),
                    bit_offset: self.flags(2),
                    access_size: self.flags(3),
                    address: self.number(4, 8),
                }),
                None,
            )),
            large::WORD_SPACE => self.space(3, 2),
            large::DWORD_SPACE => self.space(3, 4),
            large::QWORD_SPACE => self.space(3, 8),
            // Behind the flags come a revision and a reserved byte.
            large::EXTENDED_SPACE => self.space(5, 8),
            large::INTERRUPT => self.interrupts(first),
            large::VENDOR | large::GPIO..=large::CLOCK_INPUT => Err(Remark::Unused(first)),
            _ => Err(Remark::Unknown(first)),
        }
    }

    /// ACPI 6.5, section 6.4.2.1: without the third byte, edge-triggered and active high.
    fn irq(self) -> Read {
        let mask = self.number(0, 2);
        let flags = if self.0.len() > 2 { self.flags(2) } else { 1 };
        let numbers: Vec<u32> = (0..16).filter(|bit| mask >> bit & 1 != 0).collect();
        interrupts(numbers, flags & 1 != 0, flags & 8 != 0, flags & 0x10 != 0)
    }

    /// ACPI 6.5, section 6.4.3.6.
    fn interrupts(self, descriptor: u8) -> Read {
        let flags = self.flags(0);
        let count = usize::from(self.flags(1));
        self.at_least(descriptor, 2 + 4 * count)?;
        let numbers = (0..count).map(|index| self.number(2 + 4 * index, 4) as u32).collect();
        interrupts(numbers, flags & 2 != 0, flags & 4 != 0, flags & 8 != 0)
    }

    /// ACPI 6.5, section 6.4.3.5: granularity, minimum, maximum, translation and length follow at `at`.
    fn space(self, at: usize, width: usize) -> Read {
        let (general, specific) = (self.flags(1), self.flags(2));
        let field = |index: usize| self.number(at + index * width, width);
        let (start, end, length) = (field(1), field(2), field(4));
        let kind = match self.flags(0) {
            0 => SpaceKind::Memory { caching: caching(specific), writable: specific & 1 != 0 },
            1 => SpaceKind::Io,
            2 => SpaceKind::Bus,
            other => return Err(Remark::Space(other)),
        };
        if length == 0 {
            return Err(Remark::Empty { start, end });
        }
        // As in Linux, the length counts for bus numbers (`get_root_bridge_busnr_callback`), and does not for all else
        // (`acpi_dev_resource_len_valid`).
        let last = if kind == SpaceKind::Bus { start.checked_add(length - 1) } else { Some(end) };
        let last = last.ok_or(Remark::Overflow { start, length })?;
        let range = Range::new(start, last).ok_or(Remark::Reversed { start, end })?;
        let space = AddressSpace {
            kind,
            range,
            translation: field(3),
            producer: general & 1 == 0,
            min_fixed: general & 4 != 0,
            max_fixed: general & 8 != 0,
        };
        if space.cpu_range().is_none() {
            return Err(Remark::Overflow { start: space.translation, length: end });
        }
        let odd = (end.wrapping_sub(start) != length - 1).then_some(match kind {
            SpaceKind::Bus => Remark::BusLength { start, end, length },
            _ => Remark::Length { start, end, length },
        });
        Ok((Resource::Space(space), odd))
    }
}

fn caching(flags: u8) -> Caching {
    match flags >> 1 & 3 {
        0 => Caching::NonCacheable,
        1 => Caching::Cacheable,
        2 => Caching::WriteCombining,
        _ => Caching::Prefetchable,
    }
}

fn interrupts(numbers: Vec<u32>, edge: bool, active_low: bool, shared: bool) -> Read {
    if numbers.is_empty() {
        return Err(Remark::NoInterrupt);
    }
    Ok((Resource::Interrupts(Interrupts { numbers, edge, active_low, shared }), None))
}

/// `length` places, the first of them anywhere from `start` to `last`: the lowest ones, up to `limit`.
fn lowest(start: u64, last: u64, length: u64, limit: u64) -> Result<Range<u64>, Remark> {
    if length == 0 {
        return Err(Remark::Empty { start, end: last });
    }
    if start > last {
        return Err(Remark::Reversed { start, end: last });
    }
    let end = start.checked_add(length - 1).filter(|&end| end <= limit);
    end.and_then(|end| Range::new(start, end)).ok_or(Remark::Overflow { start, length })
}

fn memory(start: u64, last: u64, length: u64, writable: bool) -> Read {
    let range = lowest(start, last, length, u64::from(u32::MAX))?;
    let range = Range::new(PhysAddr(range.start()), PhysAddr(range.end()));
    let range = range.ok_or(Remark::Overflow { start, length })?;
    Ok((Resource::Memory { range, writable }, None))
}

fn ports(start: u64, last: u64, length: u64) -> Read {
    Ok((Resource::Io { range: lowest(start, last, length, LAST_PORT)? }, None))
}
