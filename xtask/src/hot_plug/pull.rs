//! Surprise removal: a device that is gone before the kernel knows.
//!
//! QEMU has no command for it. But it removes what is in a slot as soon as the slot has neither power nor a lit
//! indicator (QEMU, `pcie_cap_slot_write_config`; tried with 7.2, 10.0 and 11.1), and the register for both can be
//! written from outside of the guest, by the test protocol. The guest sees that nothing is present any more.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::qmp::Qmp;
use crate::qtest::{ECAM, LOW_ECAM, Qtest};

/// Registers of the header (PCI Local Bus 3.0, section 6.1), and of the PCIe capability (PCIe 5.0, section 7.5.3.10).
const CAPABILITIES: u64 = 0x34;
const PCIE: u32 = 0x10;
const SLOT_CONTROL: u64 = 0x18;
/// Slot control: power off, indicator off.
const POWER_OFF: u16 = 1 << 10 | 3 << 8;
/// Most entries of a capability list: one for each word behind the header.
const CAPABILITY_LIMIT: usize = 48;

/// Pulls the device `id` out of its slot.
pub(super) fn pull(qmp: &mut Qmp, qtest: &Path, id: &str) -> Result<()> {
    let buses = qmp.pci_buses()?;
    let port = port_above(&buses, id)?;
    let stream = UnixStream::connect(qtest).context("QEMU's test protocol cannot be reached")?;
    let mut memory = Qtest::new(stream.try_clone()?, BufReader::new(stream));
    let Port { bus, device, function, ids } = port;
    let offset = bus << 20 | device << 15 | function << 12;
    for ecam in [ECAM, LOW_ECAM] {
        let config = ecam + offset;
        if memory.read_word(config)? == ids {
            let express = capability(&mut memory, config)?;
            let control = config + express + SLOT_CONTROL;
            let held = memory.read_word(control)? as u16;
            memory.write_half(control, held | POWER_OFF)?;
            // The guest did not switch the slot off, and must not find it off (Linux: "Already disabled").
            return memory.write_half(control, held);
        }
    }
    bail!("configuration space of the port above {id} was not found")
}

/// A bridge as the monitor describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) bus: u64,
    pub(super) device: u64,
    pub(super) function: u64,
    /// Device and vendor ID, as in the first register.
    pub(super) ids: u32,
}

/// The bridge above the device `id`.
pub(super) fn port_above(buses: &Value, id: &str) -> Result<Port> {
    let buses = buses.as_array().context("query-pci returns no list")?;
    let mut pending: Vec<(&Value, Option<&Value>)> = Vec::new();
    for bus in buses {
        pending.extend(bus["devices"].as_array().into_iter().flatten().map(|device| (device, None)));
    }
    while let Some((device, above)) = pending.pop() {
        if device["qdev_id"] == id {
            let above = above.with_context(|| format!("{id} is not behind a port"))?;
            let number = |key: &str| above[key].as_u64().with_context(|| format!("query-pci: no {key}"));
            let part =
                |key: &str| above["id"][key].as_u64().with_context(|| format!("query-pci: no id.{key}"));
            let ids = (part("device")? << 16 | part("vendor")?) as u32;
            return Ok(Port {
                bus: number("bus")?,
                device: number("slot")?,
                function: number("function")?,
                ids,
            });
        }
        let below = device["pci_bridge"]["devices"].as_array();
        pending.extend(below.into_iter().flatten().map(|below| (below, Some(device))));
    }
    bail!("there is no PCI device {id}")
}

/// The offset of the PCIe capability.
fn capability(memory: &mut Qtest<UnixStream, BufReader<UnixStream>>, config: u64) -> Result<u64> {
    let mut at = u64::from(memory.read_word(config + CAPABILITIES)? & 0xfc);
    for _ in 0..CAPABILITY_LIMIT {
        ensure!(at != 0, "the port does not have a PCIe capability");
        let entry = memory.read_word(config + at)?;
        if entry & 0xff == PCIE {
            return Ok(at);
        }
        at = u64::from(entry >> 8 & 0xfc);
    }
    bail!("the capability list of the port has a loop")
}
