//! Config space that disappears while it is read: from some access on, all bits read as ones or zeros.

extern crate std;

use std::cell::Cell;

use addr::PciAddress;

use super::model::{Model, On, kept, virt_root};
use crate::{
    Command, ConfigAccess, EnumerationPolicy, FunctionKind, enable, enable_acs, enumerate_with, read_acs,
    virtio_capabilities,
};

/// A model that disappears after a number of accesses.
struct Fading {
    model: Model,
    left: Cell<usize>,
    byte: u8,
    /// The bus that disappears; none for all buses.
    bus: Option<u8>,
}

impl Fading {
    fn is_gone(&self, at: PciAddress) -> bool {
        self.left.set(self.left.get().saturating_sub(1));
        self.left.get() == 0 && self.bus.is_none_or(|bus| bus == at.bus)
    }

    fn read<const SIZE: usize>(&self, at: PciAddress, read: impl FnOnce() -> [u8; SIZE]) -> [u8; SIZE] {
        if self.is_gone(at) { [self.byte; SIZE] } else { read() }
    }
}

impl ConfigAccess for Fading {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        u8::from_le_bytes(self.read(at, || self.model.read8(at, offset).to_le_bytes()))
    }
    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        u16::from_le_bytes(self.read(at, || self.model.read16(at, offset).to_le_bytes()))
    }
    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        u32::from_le_bytes(self.read(at, || self.model.read32(at, offset).to_le_bytes()))
    }
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        if !self.is_gone(at) {
            self.model.write8(at, offset, value);
        }
    }
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        if !self.is_gone(at) {
            self.model.write16(at, offset, value);
        }
    }
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        if !self.is_gone(at) {
            self.model.write32(at, offset, value);
        }
    }
}

fn machine() -> Model {
    let mut model = Model::virt();
    model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    let port = model.root_port(On::Root(0), 2);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let port = model.root_port(On::Root(0), 3);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    model
}

/// Everything that the kernel does with config space. Assertions in the model, or a panic, show what is wrong.
fn use_all(config: &mut Fading, policy: &EnumerationPolicy) -> usize {
    let mut topology = enumerate_with(config, &[virt_root()], policy);
    enable_acs(config, &mut topology);
    for function in topology.functions() {
        let _ = enable(config, function, Command::MEMORY | Command::BUS_MASTER);
        let _ = read_acs(config, function);
        let _ = virtio_capabilities(config, function);
    }
    topology.functions().len()
}

#[test]
fn enumeration_ends_whenever_config_space_disappears() {
    for policy in [EnumerationPolicy::default(), kept()] {
        let whole = || Fading { model: machine(), left: Cell::new(usize::MAX), byte: 0, bus: None };
        let mut config = whole();
        assert_eq!(use_all(&mut config, &policy), 8);
        let accesses = usize::MAX - config.left.get();
        for (byte, bus) in [(0xff, None), (0, None), (0xff, Some(1)), (0, Some(3))] {
            // Most accesses measure and place BARs, which is uniform.
            for left in (0..accesses).filter(|left| *left < 800 || *left % 97 == 0 || *left + 800 > accesses)
            {
                let mut config = Fading { left: Cell::new(left + 1), byte, bus, ..whole() };
                let functions = use_all(&mut config, &policy);
                assert!(functions < 2048, "{functions} functions after {left} accesses");
            }
        }
    }
}
