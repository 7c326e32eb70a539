//! Resource descriptors by their names (ACPI 6.5, sections 6.4.2 and 6.4.3).

/// Names of small descriptors (ACPI 6.5, table 6.34).
pub(super) mod small {
    pub(in crate::acpi::aml) const IRQ: u8 = 0x04;
    pub(in crate::acpi::aml) const DMA: u8 = 0x05;
    pub(in crate::acpi::aml) const START_DEPENDENT: u8 = 0x06;
    pub(in crate::acpi::aml) const END_DEPENDENT: u8 = 0x07;
    pub(in crate::acpi::aml) const IO: u8 = 0x08;
    pub(in crate::acpi::aml) const FIXED_IO: u8 = 0x09;
    pub(in crate::acpi::aml) const FIXED_DMA: u8 = 0x0a;
    pub(in crate::acpi::aml) const VENDOR: u8 = 0x0e;
    pub(in crate::acpi::aml) const END: u8 = 0x0f;
}

/// Names of large descriptors (ACPI 6.5, table 6.44).
pub(super) mod large {
    pub(in crate::acpi::aml) const MEMORY24: u8 = 0x01;
    pub(in crate::acpi::aml) const REGISTER: u8 = 0x02;
    pub(in crate::acpi::aml) const VENDOR: u8 = 0x04;
    pub(in crate::acpi::aml) const MEMORY32: u8 = 0x05;
    pub(in crate::acpi::aml) const MEMORY32_FIXED: u8 = 0x06;
    pub(in crate::acpi::aml) const DWORD_SPACE: u8 = 0x07;
    pub(in crate::acpi::aml) const WORD_SPACE: u8 = 0x08;
    pub(in crate::acpi::aml) const INTERRUPT: u8 = 0x09;
    pub(in crate::acpi::aml) const QWORD_SPACE: u8 = 0x0a;
    pub(in crate::acpi::aml) const EXTENDED_SPACE: u8 = 0x0b;
    pub(in crate::acpi::aml) const GPIO: u8 = 0x0c;
    pub(in crate::acpi::aml) const CLOCK_INPUT: u8 = 0x13;
}

/// First byte of a large descriptor has this bit.
pub(super) const LARGE: u8 = 0x80;
