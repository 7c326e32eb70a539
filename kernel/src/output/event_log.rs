//! The log: one line for an event of the probe path, in Linux's words where Linux prints one.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pci::Topology;
use probe::{Core, DeviceId, Event, FwNode, LinuxEvent, Path, Untranslated};

use crate::hardware::{Handle, Hardware};
use crate::input::options::Options;
use crate::log;

/// Sees each event when it has just happened, before the core goes on.
pub type Watch = Box<dyn FnMut(&Core<Handle>, &Event)>;

/// The lines that Linux prints before it adds the first device (`iommu_subsys_init`): the default
/// domain type, and how invalidations are flushed.
pub(crate) fn policy(options: &Options) {
    let origin = |is_set| if is_set { " (set via kernel command line)" } else { "" };
    let Options { policy, passthrough_is_set, strict_is_set, .. } = options;
    let kind = if policy.passthrough { "Passthrough" } else { "Translated" };
    log!("iommu: Default domain type: {kind}{}", origin(*passthrough_is_set));
    if !policy.passthrough {
        let mode = if policy.strict { "strict" } else { "lazy" };
        log!("iommu: DMA domain TLB invalidation policy: {mode} mode{}", origin(*strict_is_set));
    }
}

/// Does everything that is queued and logs each event as it happens; adds warnings for the user to
/// `warnings`.
pub(crate) fn run(
    core: &mut Core<Handle>,
    hardware: &Hardware,
    warnings: &mut Vec<String>,
    watch: &mut Option<Watch>,
) {
    loop {
        for event in core.take_events() {
            line(core, hardware, &event);
            add_warning(warnings, core, &event);
            if let Some(watch) = watch {
                watch(core, &event);
            }
        }
        if !core.step() {
            break;
        }
    }
}

/// Logs the events since the last call, and adds warnings for the user to `warnings`.
pub fn write(core: &mut Core<Handle>, hardware: &Hardware, warnings: &mut Vec<String>) {
    for event in core.take_events() {
        line(core, hardware, &event);
        add_warning(warnings, core, &event);
    }
}

fn add_warning(warnings: &mut Vec<String>, core: &Core<Handle>, event: &Event) {
    let name = |device: &DeviceId| core.device_name(*device);
    warnings.push(match event {
        Event::DependencyIgnored { device, nodes } => format!(
            "{}: deferred probe timeout, ignoring dependency on {}: bound without an IOMMU",
            name(device),
            names(core, nodes)
        ),
        Event::Linux(event) => of_linux(core, event),
        Event::DomainFallback { group, kind, detail } => {
            format!("group {group}: {detail}, falling back to {}", kind.word())
        }
        _ => return,
    });
}

fn line(core: &Core<Handle>, hardware: &Hardware, event: &Event) {
    let name = |device: &DeviceId| core.device_name(*device);
    let iommu = |instance| core.device(core.instance(instance).device()).name();
    match event {
        Event::Joined { device, group, .. } => {
            log!("{} {}: Adding to iommu group {group}", prefix(core, *device), name(device));
        }
        Event::Left { device, group } => {
            log!("{} {}: Removing from iommu group {group}", prefix(core, *device), name(device));
        }
        Event::Merged { into, from } => log!("iommu: group {from} is part of group {into}"),
        Event::Split { from, new } => log!("iommu: group {new} is no longer part of group {from}"),
        Event::Refused { device, error } => {
            log!("{} {}: refused: {error}", prefix(core, *device), name(device));
        }
        Event::Untranslated { device, why: Untranslated::NotInMap } => {
            no_translation(core, hardware, *device)
        }
        Event::DomainFallback { group, kind, detail } => {
            log!("iommu: group {group}: {detail}, falling back to {}", kind.word());
        }
        Event::TypeChanged { group, kind } => log!("iommu: group {group}: type is {}", kind.word()),
        Event::Claimed { group, owner } => log!("iommu: group {group}: claimed by {}", owner.0),
        Event::Released { group } => log!("iommu: group {group}: released"),
        Event::Published(instance) => log!("iommu {}: published, replaying", iommu(*instance)),
        Event::Ready(instance) => log!("iommu {}: ready", iommu(*instance)),
        Event::Bound { device, driver } => log!("{} {}: bound", core.driver_name(*driver), name(device)),
        Event::Unbound { device, driver } => log!("{} {}: unbound", core.driver_name(*driver), name(device)),
        Event::BindFailed { device, driver, detail } => {
            log!("{} {}: probe failed: {detail}", core.driver_name(*driver), name(device));
        }
        Event::Declined { device, driver, detail } => {
            log!("{} {}: declined: {detail}", core.driver_name(*driver), name(device));
        }
        Event::Deferred { device, driver, detail } => {
            log!("{} {}: deferred, {detail}", core.driver_name(*driver), name(device));
        }
        Event::DependencyIgnored { device, nodes } => {
            let nodes = names(core, nodes);
            log!(
                "{} {}: deferred probe timeout, ignoring dependency on {nodes}",
                prefix(core, *device),
                name(device)
            );
        }
        Event::Linux(event) => log!("{}", of_linux(core, event)),
        Event::DeviceRemoved(device) => log!("{} {}: removed", core.bus_name_of(*device), name(device)),
        // Events of every device at the start, and expected events.
        Event::DeviceAdded(_)
        | Event::Waiting { .. }
        | Event::Untranslated { .. }
        | Event::DefaultDomain { .. }
        | Event::Unpublished(_) => {}
    }
}

/// Events that occur only on Linux's paths.
fn of_linux(core: &Core<Handle>, event: &LinuxEvent) -> String {
    match event {
        // The line that Linux prints for a device that is grouped when its driver is set (`__iommu_probe_device`).
        LinuxEvent::Late(device) => {
            let name = core.device(*device).name();
            format!(
                "{} {name}: late IOMMU probe at driver bind, something fishy here!",
                prefix(core, *device)
            )
        }
        // Linux prints nothing here: virtio-iommu ignores the result (`viommu_probe`).
        LinuxEvent::RegistrationFailed { instance, detail } => {
            let name = core.device(core.instance(*instance).device()).name();
            format!("iommu {name}: registration failed ({detail}); all its groups are removed")
        }
        LinuxEvent::Oops { detail, .. } => detail.clone(),
    }
}

/// A function that is missing from a map. Linux's paths print Linux's line (`of_map_id`); it does so for the IOMMU too,
/// which is missing from every sound map.
fn no_translation(core: &Core<Handle>, hardware: &Hardware, device: DeviceId) {
    let (handle, name) = (*core.device(device).handle(), core.device(device).name());
    let Handle::Function(index) = handle else { return };
    let topology: &Topology = &hardware.topology;
    let function = &topology[index];
    let Some(bridge) = hardware.host_bridges.get(topology.bus_of(function).root) else { return };
    let (node, id) = (core.node_name(bridge.node), function.address.requester_id());
    if core.path() != Path::Fixed {
        log!("OF: {node}: no iommu-map translation for id {id} on (null)");
    } else if !hardware.is_iommu(handle) {
        log!(
            "{} {name}: not translated: the map of {node} has no entry for requester ID {id}",
            prefix(core, device)
        );
    }
}

/// Linux's prefix of a device's lines: its driver, or its bus if it has no driver or was removed.
fn prefix(core: &Core<Handle>, device: DeviceId) -> &'static str {
    let existing = core.find_device(device);
    let driver =
        existing.and_then(|device| device.driver()).or_else(|| core.linux().driver_being_bound(device));
    driver.map_or_else(|| core.bus_name_of(device), |driver| core.driver_name(driver))
}

fn names(core: &Core<Handle>, nodes: &[FwNode]) -> String {
    let names: Vec<String> = nodes.iter().map(|node| core.node_name(*node)).collect();
    names.join(", ")
}
