//! The bytes of AML (ACPI 6.5, section 20.3), by the names of the specification.

pub(super) const ZERO: u16 = 0x00;
pub(super) const ONE: u16 = 0x01;
pub(super) const ALIAS: u16 = 0x06;
pub(super) const NAME: u16 = 0x08;
pub(super) const BYTE: u16 = 0x0a;
pub(super) const WORD: u16 = 0x0b;
pub(super) const DWORD: u16 = 0x0c;
pub(super) const STRING: u16 = 0x0d;
pub(super) const QWORD: u16 = 0x0e;
pub(super) const SCOPE: u16 = 0x10;
pub(super) const BUFFER: u16 = 0x11;
pub(super) const PACKAGE: u16 = 0x12;
pub(super) const VAR_PACKAGE: u16 = 0x13;
pub(super) const METHOD: u16 = 0x14;
pub(super) const EXTERNAL: u16 = 0x15;
pub(super) const DUAL_NAME: u8 = 0x2e;
pub(super) const MULTI_NAME: u8 = 0x2f;
/// First byte of an opcode of two bytes.
pub(super) const EXTENDED: u8 = 0x5b;
pub(super) const ROOT: u8 = b'\\';
pub(super) const PARENT: u8 = b'^';
pub(super) const CREATE_DWORD_FIELD: u16 = 0x8a;
pub(super) const CREATE_WORD_FIELD: u16 = 0x8b;
pub(super) const CREATE_BYTE_FIELD: u16 = 0x8c;
pub(super) const CREATE_BIT_FIELD: u16 = 0x8d;
pub(super) const CREATE_QWORD_FIELD: u16 = 0x8f;
pub(super) const IF: u16 = 0xa0;
pub(super) const ELSE: u16 = 0xa1;
pub(super) const WHILE: u16 = 0xa2;
pub(super) const NOOP: u16 = 0xa3;
pub(super) const RETURN: u16 = 0xa4;
pub(super) const ONES: u16 = 0xff;
pub(super) const MUTEX: u16 = 0x5b01;
pub(super) const EVENT: u16 = 0x5b02;
pub(super) const CREATE_FIELD: u16 = 0x5b13;
pub(super) const ACQUIRE: u16 = 0x5b23;
pub(super) const OPERATION_REGION: u16 = 0x5b80;
pub(super) const FIELD: u16 = 0x5b81;
pub(super) const DEVICE: u16 = 0x5b82;
pub(super) const PROCESSOR: u16 = 0x5b83;
pub(super) const POWER_RESOURCE: u16 = 0x5b84;
pub(super) const THERMAL_ZONE: u16 = 0x5b85;
pub(super) const INDEX_FIELD: u16 = 0x5b86;
pub(super) const BANK_FIELD: u16 = 0x5b87;
pub(super) const DATA_REGION: u16 = 0x5b88;

/// Kinds of element in a field list (ACPI 6.5, section 20.2.5.2); any other byte begins a name.
pub(super) mod field {
    pub(in super::super) const RESERVED: u8 = 0x00;
    pub(in super::super) const ACCESS: u8 = 0x01;
    pub(in super::super) const CONNECT: u8 = 0x02;
    pub(in super::super) const EXTENDED_ACCESS: u8 = 0x03;
}

/// How many terms follow an opcode that is nothing but an operator over terms (ACPI 6.5, section
/// 20.2.5.3 and 20.2.5.4); `None` if its operands are of another form, or it is not known.
pub(super) fn operands(opcode: u16) -> Option<usize> {
    Some(match opcode {
        // Constants, locals, arguments; statements without operands; Revision, Debug, Timer.
        ZERO | ONE | ONES | 0x60..=0x6e | 0x9f | NOOP | 0xa5 | 0xcc | 0x5b30 | 0x5b31 | 0x5b33 => 0,
        0x71 | 0x75 | 0x76 | 0x83 | 0x87 | 0x8e | 0x92 | RETURN => 1,
        0x5b21 | 0x5b22 | 0x5b24 | 0x5b26 | 0x5b27 => 1,
        0x70 | 0x80..=0x82 | 0x86 | 0x90 | 0x91 | 0x93..=0x99 | 0x9d => 2,
        0x5b12 | 0x5b20 | 0x5b25 | 0x5b28 | 0x5b29 => 2,
        0x72..=0x74 | 0x77 | 0x79..=0x7f | 0x84 | 0x85 | 0x88 | 0x9c => 3,
        0x78 | 0x9e => 4,
        // LoadTable.
        0x5b1f => 6,
        _ => return None,
    })
}
