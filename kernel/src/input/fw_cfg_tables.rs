//! The work of firmware before it starts a kernel with ACPI tables, for machines without firmware.
//!
//! QEMU offers its tables also when it starts a kernel without firmware. The order is that of
//! firmware: first all buses are numbered and all BARs assigned, because QEMU writes their current
//! values into VIOT and into the host bridges' `_CRS` at the first read. The device tree is only
//! used for this; all later code uses the tables alone.

use alloc::alloc::{Layout, alloc_zeroed};
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use firmware::Description;
use firmware::acpi::table_loader::{self, Loaded, SCRIPT_FILE, TableSource, Zone};
use pci::{EnumerationPolicy, Numbering, Resources, RootBus};

use crate::error::Error;
use crate::hardware::root_buses;
use crate::input::options::{Moment, Options};
use crate::log;
use crate::machine::config_space::ConfigSpace;
use crate::machine::fw_cfg::FwCfg;

/// `compatible` of the device with the tables.
const FW_CFG: &str = "qemu,fw-cfg-mmio";

/// Numbers all buses, assigns all addresses, and loads the tables that QEMU then offers; or the other way round,
/// as the options say.
///
/// # Errors
///
/// There is no fw_cfg, it has no tables (`acpi=off`), or the script that loads them is wrong.
pub(crate) fn load_tables(description: &Description, options: &Options) -> Result<Loaded, Error> {
    let room_for_hot_plug = options.room_for_hot_plug;
    match options.numbering {
        Moment::BeforeTables => {
            configure_buses(description, room_for_hot_plug)?;
            take_tables(description)
        }
        Moment::AfterTables => {
            let loaded = take_tables(description)?;
            configure_buses(description, room_for_hot_plug)?;
            Ok(loaded)
        }
    }
}

/// Loads the tables as they are now.
fn take_tables(description: &Description) -> Result<Loaded, Error> {
    let device = description
        .platform_devices
        .iter()
        .find(|device| device.compatible.iter().any(|id| id == FW_CFG))
        .ok_or(Error::NoFwCfg)?;
    let registers = device.registers.first().ok_or(Error::NoFwCfgRegisters)?;
    let mut host = Host { fw_cfg: FwCfg::new(*registers)? };
    let script = host.fw_cfg.file(SCRIPT_FILE)?.ok_or(Error::NoTableLoader)?;
    let loaded = table_loader::run(&script, &mut host)?;
    log!("ACPI: RSDP at {}", loaded.rsdp);
    Ok(loaded)
}

/// The source of files and memory for the loader.
struct Host {
    fw_cfg: FwCfg,
}

impl TableSource for Host {
    fn file(&mut self, name: &str) -> Option<Vec<u8>> {
        match self.fw_cfg.file(name) {
            Ok(file) => file,
            Err(error) => {
                log!("{name}: {error}");
                None
            }
        }
    }

    fn allocate(&mut self, bytes: usize, alignment: u64, _: Zone) -> Option<PhysAddr> {
        let layout = Layout::from_size_align(bytes.max(1), usize::try_from(alignment).ok()?).ok()?;
        // SAFETY: The layout is not empty. The memory is never given back: tables stay for good.
        let memory = unsafe { alloc_zeroed(layout) };
        (!memory.is_null()).then(|| PhysAddr(memory.addr() as u64))
    }
}

/// Assigns bus numbers and addresses as firmware does, also behind host bridges that only the
/// tables describe.
///
/// Buses and BARs that remain without a number or address are reported later, when the buses are
/// enumerated from the tables.
fn configure_buses(description: &Description, room_for_hot_plug: bool) -> Result<(), Error> {
    let mut config = ConfigSpace::default();
    let mut ecams = Vec::new();
    for bridge in &description.host_bridges {
        config.add(bridge.ecam, bridge.segment, bridge.first_bus, bridge.last_bus)?;
        ecams.push(bridge.ecam);
    }
    let (roots, _) = root_buses::root_buses(description, &ecams, &description.host_bridges);
    let first = EnumerationPolicy { room_for_hot_plug, ..EnumerationPolicy::default() };
    let topology = pci::enumerate_with(&mut config, &roots, &first);
    let hidden = topology.hidden();
    if hidden.is_empty() {
        return Ok(());
    }

    // Hidden roots forward from the same windows as the bridge that firmware describes: each gets a share.
    let mut all = Vec::new();
    for root in &roots {
        let below: Vec<_> = hidden
            .iter()
            .filter(|other| {
                other.segment == root.segment && (root.first_bus..=root.last_bus).contains(&other.bus)
            })
            .collect();
        let first_hidden = below.iter().map(|other| other.bus).min();
        let last_bus = first_hidden.map_or(root.last_bus, |bus| bus - 1);
        let shares = below.len() as u64 + 1;
        all.push(RootBus { last_bus, windows: share(&root.windows, 0, shares), ..root.clone() });
        all.extend(below.iter().zip(1..).map(|(other, number)| RootBus {
            segment: other.segment,
            first_bus: other.bus,
            last_bus: other.last_bus,
            windows: share(&root.windows, number, shares),
        }));
    }
    let policy = EnumerationPolicy {
        numbering: Numbering::Keep,
        resources: Resources::Assign,
        room_for_hot_plug,
        ..EnumerationPolicy::default()
    };
    pci::enumerate_with(&mut config, &all, &policy);
    Ok(())
}

/// Part `number` of `shares` equal parts of each window, cut where bridges can forward.
fn share(windows: &[PciWindow], number: u64, shares: u64) -> Vec<PciWindow> {
    windows
        .iter()
        .filter_map(|window| {
            let grain = if window.space == PciSpace::Io { 1 << 12 } else { 1 << 20 };
            let size = window.cpu.size() / shares / grain * grain;
            let start = window.cpu.start().checked_add(number.checked_mul(size)?)?;
            let cpu = Range::from_size(start, size)?;
            Some(PciWindow { bus_start: window.bus_start + number * size, cpu, ..*window })
        })
        .collect()
}
