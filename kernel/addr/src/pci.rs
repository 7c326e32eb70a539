//! PCI addresses, and the requester IDs of their functions.

use core::fmt;
use core::str::FromStr;

use crate::hex;

/// Device and function number on one bus: the low eight bits of a requester ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceFunction(u8);

impl DeviceFunction {
    /// Device `0..32` and function `0..8`; `None` outside of that.
    #[must_use]
    pub const fn new(device: u8, function: u8) -> Option<Self> {
        if device < 32 && function < 8 { Some(Self(device << 3 | function)) } else { None }
    }

    /// From the low eight bits of a requester ID; every value is valid.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The low eight bits of a requester ID.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Device number, also called slot, `0..32`.
    #[must_use]
    pub const fn device(self) -> u8 {
        self.0 >> 3
    }

    /// Function number, `0..8`.
    #[must_use]
    pub const fn function(self) -> u8 {
        self.0 & 7
    }
}

impl fmt::Display for DeviceFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}.{}", self.device(), self.function())
    }
}

/// A function's place in the PCI topology: segment, bus, device, function.
///
/// Written as Linux writes it, `0000:01:00.0`. Ordered by segment, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    /// PCI segment group; Linux calls it domain.
    pub segment: u16,
    /// Bus number within the segment.
    pub bus: u8,
    /// Device and function on the bus.
    pub devfn: DeviceFunction,
}

impl PciAddress {
    /// The address made of its four numbers; `None` if device or function is out of range.
    #[must_use]
    pub const fn new(segment: u16, bus: u8, device: u8, function: u8) -> Option<Self> {
        match DeviceFunction::new(device, function) {
            Some(devfn) => Some(Self { segment, bus, devfn }),
            None => None,
        }
    }

    /// The requester ID of a request from this function, if no bridge changes it on the way.
    #[must_use]
    pub const fn requester_id(self) -> RequesterId {
        RequesterId::new(self.bus, self.devfn)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"####:##:##.#";
        let devfn = u64::from(self.devfn.device()) << 4 | u64::from(self.devfn.function());
        hex::fill(&mut text, u64::from(self.segment) << 20 | u64::from(self.bus) << 12 | devfn);
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// A text that is not of the form `0000:01:00.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePciAddressError;

impl fmt::Display for ParsePciAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a PCI address like 0000:01:00.0")
    }
}

impl core::error::Error for ParsePciAddressError {}

impl FromStr for PciAddress {
    type Err = ParsePciAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (segment, rest) = text.split_once(':')?;
            let (bus, rest) = rest.split_once(':')?;
            let (device, function) = rest.split_once('.')?;
            Self::new(
                u16::from_str_radix(segment, 16).ok()?,
                u8::from_str_radix(bus, 16).ok()?,
                u8::from_str_radix(device, 16).ok()?,
                u8::from_str_radix(function, 16).ok()?,
            )
        };
        parse().ok_or(ParsePciAddressError)
    }
}

/// Requester ID: the 16 bits (bus, device, function) that a PCI request is tagged with.
///
/// It is the input of `iommu-map` and of VIOT ranges. It is *not* an [`EndpointId`](crate::EndpointId),
/// even though the two numbers are equal on many machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequesterId(pub u16);

impl RequesterId {
    /// The ID of device and function `devfn` on bus `bus`.
    #[must_use]
    pub const fn new(bus: u8, devfn: DeviceFunction) -> Self {
        Self((bus as u16) << 8 | devfn.bits() as u16)
    }

    /// Bus number.
    #[must_use]
    pub const fn bus(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Device and function.
    #[must_use]
    pub const fn devfn(self) -> DeviceFunction {
        DeviceFunction::from_bits(self.0 as u8)
    }
}

impl fmt::Display for RequesterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex::Hex::new(self.0.into()).as_str())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_address_reads_back_what_it_prints() {
        for text in ["0000:00:00.0", "0000:01:1f.7", "ffff:ff:0a.3"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_addresses_are_rejected() {
        for text in
            ["", "00:00.0", "0000:00:20.0", "0000:00:00.8", "0000:100:00.0", "0000:00:00", "x:00:00.0"]
        {
            assert_eq!(text.parse::<PciAddress>(), Err(ParsePciAddressError), "{text}");
        }
    }

    #[test]
    fn a_requester_id_is_bus_device_function() {
        let address: PciAddress = "0000:12:03.5".parse().unwrap();
        assert_eq!(address.requester_id(), RequesterId(0x121d));
        assert_eq!(RequesterId(0x121d).bus(), 0x12);
        assert_eq!(RequesterId(0x121d).devfn(), DeviceFunction::new(3, 5).unwrap());
    }
}
