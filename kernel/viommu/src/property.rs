//! The property list that a PROBE answers with (virtio 1.2, section 5.13.6.7).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{Iova, Range};
use probe::{ReservedKind, ReservedRegion};
use zerocopy::FromBytes;

use crate::wire::{PROPERTY_TYPE_MASK, PropertyHead, ResvMem, property_type, resv_mem_subtype};

/// The content of a property list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// Reserved regions, in the list's order.
    pub(crate) reserved: Vec<ReservedRegion>,
    /// Properties that were skipped, with their offsets.
    pub(crate) remarks: Vec<String>,
}

/// Reads a list up to its end mark or its last byte.
///
/// A property that cannot be used is skipped with a remark; its length gives the start of the next
/// one. Only a length that exceeds the list ends it early. Each step advances by at least a header,
/// so the list's size bounds the walk.
pub(crate) fn parse(list: &[u8]) -> Properties {
    let mut properties = Properties::default();
    let mut offset = 0;
    while let Some(rest) = list.get(offset..).filter(|rest| !rest.is_empty()) {
        let Ok((head, body)) = PropertyHead::read_from_prefix(rest) else {
            properties.remark(
                offset,
                format!("{} bytes are too short for a property header; they are ignored", rest.len()),
            );
            break;
        };
        let (kind, length) = (head.kind.get(), usize::from(head.length.get()));
        // With reserved bits set, it is not an end mark but a property to skip.
        if kind == property_type::NONE {
            break;
        }
        let Some(body) = body.get(..length) else {
            let room = body.len();
            properties.remark(
                offset,
                format!(
                    "type {kind:#06x} is {length} bytes long, but only {room} bytes are left; it is ignored"
                ),
            );
            break;
        };
        properties.take(offset, kind, body);
        offset += size_of::<PropertyHead>() + length;
    }
    properties
}

impl Properties {
    fn remark(&mut self, offset: usize, what: String) {
        self.remarks.push(format!("property at offset {offset}: {what}"));
    }

    fn take(&mut self, offset: usize, kind: u16, body: &[u8]) {
        if kind & !PROPERTY_TYPE_MASK != 0 {
            self.remark(offset, format!("reserved bits of the type are set ({kind:#06x}); it is ignored"));
        } else if kind == property_type::RESV_MEM {
            self.take_reserved_memory(offset, body);
        } else {
            self.remark(offset, format!("unknown type {kind} ({} bytes); it is ignored", body.len()));
        }
    }

    fn take_reserved_memory(&mut self, offset: usize, body: &[u8]) {
        // Later standards may define a longer body; the known fields come first.
        let Ok((region, _)) = ResvMem::read_from_prefix(body) else {
            let (found, wanted) = (body.len(), size_of::<ResvMem>());
            self.remark(offset, format!("RESV_MEM is {found} bytes long, expected {wanted}; it is ignored"));
            return;
        };
        let (start, end) = (Iova(region.start.get()), Iova(region.end.get()));
        let Some(range) = Range::new(start, end) else {
            self.remark(offset, format!("RESV_MEM ends at {end}, before its start {start}; it is ignored"));
            return;
        };
        let kind = match region.subtype {
            resv_mem_subtype::RESERVED => ReservedKind::Reserved,
            resv_mem_subtype::MSI => ReservedKind::Msi,
            unknown => {
                // The standard requires that an unknown subtype is treated as reserved.
                self.remark(offset, format!("unknown RESV_MEM subtype {unknown}; it is treated as reserved"));
                ReservedKind::Reserved
            }
        };
        self.reserved.push(ReservedRegion { range, kind });
    }
}
