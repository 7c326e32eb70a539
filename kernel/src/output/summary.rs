//! Builds the report from the results of the run.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use addr::hex::{self, Hex};
use firmware::Description;
use probe::{Core, DeviceId, DomainType, InstanceState, Severity};
use report::{
    Acs, Device, Finding, Group, GroupType, Invariant, Iommu, IommuState, Report, ReservedRegion, Timing,
    Translation, VirtualFunctions,
};

use crate::drivers::{Bound, Iommus};
use crate::hardware::{Handle, Hardware};
use crate::machine::clock;

/// Completes the report with the time and the verdict.
pub(crate) fn close(report: &mut Report) {
    report.timing_us = Timing { total: clock::micros() };
    report.judge();
}

/// Adds the machine in firmware's description.
pub(crate) fn add_description(report: &mut Report, description: &Description) {
    report.run.cpus = description.cpus;
    report.run.memory_bytes = description.memory.iter().map(addr::Range::size).sum();
    add_findings(report, &description.findings);
}

/// Adds the hardware of the machine.
pub fn add_findings(report: &mut Report, findings: &[probe::Finding]) {
    for each in findings {
        report.findings.push(finding(each));
    }
}

/// Adds the PCI buses.
pub(crate) fn add_hardware(report: &mut Report, hardware: &Hardware) {
    add_findings(report, &hardware.findings);
    add_findings(report, hardware.topology.findings());
}

/// Adds the results of the probe path.
pub(crate) fn add_core(report: &mut Report, core: &Core<Handle>, hardware: &Hardware, iommus: &Iommus) {
    let bound = iommus.borrow();
    // Loops that push: `collect` compiles the body twice, for the first item and for the others.
    for each in core.instances() {
        report.iommus.push(iommu(core, each, &bound));
    }
    for each in core.groups() {
        report.groups.push(group(core, each));
    }
    for each in core.devices() {
        report.devices.push(device(core, hardware, each));
    }
    // A defect of a map is found in the description, and again by each device that needs the map.
    let known = report.findings.len();
    for each in core.findings().iter().map(finding) {
        if !report.findings[..known].contains(&each) {
            report.findings.push(each);
        }
    }
    for each in bound.iter() {
        add_iommu_findings(report, core, each);
    }
    for verdict in core.invariants() {
        report.invariants.push(Invariant {
            id: owned(verdict.id),
            holds: verdict.broken_by.is_none(),
            broken_by: verdict.broken_by,
        });
    }
}

fn iommu(core: &Core<Handle>, instance: &probe::Instance, bound: &[Bound]) -> Iommu {
    let device = core.device(instance.device());
    let driven = bound.iter().find(|each| each.device == *device.handle());
    let driver = driven.map(|each| each.iommu.borrow());
    let config = driver.as_ref().map(|driver| driver.config());
    let range = |first: u64, last: u64| [hex(first), hex(last)];
    Iommu {
        name: owned(device.name()),
        driver: owned(instance.driver()),
        transport: owned(match device.handle() {
            Handle::Function(_) => "pci",
            Handle::Platform(_) => "mmio",
        }),
        state: match instance.state() {
            _ if driver.as_ref().is_some_and(|driver| driver.is_dead()) => IommuState::Dead,
            _ if core.linux().is_unregistered(instance.id()) => IommuState::Unregistered,
            InstanceState::Published => IommuState::Published,
            InstanceState::Ready => IommuState::Ready,
        },
        page_size_mask: hex(config.map_or(0, |config| config.page_size_mask)),
        input_range: config.map_or_else(
            || range(0, 0),
            |config| range(config.input_range.start().0, config.input_range.end().0),
        ),
        domain_range: config.map_or_else(
            || range(0, 0),
            |config| range(config.domain_range.0.into(), config.domain_range.1.into()),
        ),
        bypass: driver.as_ref().and_then(|driver| driver.bypass()).unwrap_or(false),
        devices: names(core, instance.members()),
    }
}

/// Names of devices.
#[inline(never)]
fn names(core: &Core<Handle>, devices: &[DeviceId]) -> Vec<String> {
    let mut names = Vec::new();
    for device in devices {
        names.push(owned(core.device(*device).name()));
    }
    names
}

fn group(core: &Core<Handle>, group: &probe::Group) -> Group {
    let mut reserved_regions = Vec::new();
    for region in &core.reserved_regions(group) {
        reserved_regions.push(reserved_region(region));
    }
    Group {
        id: group.id().0,
        kind: group_type(group),
        reserved_regions,
        devices: names(core, group.members()),
    }
}

/// Type of the default domain of a group.
pub fn group_type(group: &probe::Group) -> GroupType {
    match group.domain_type() {
        Some(DomainType::Dma) => GroupType::Dma,
        Some(DomainType::DmaFq) => GroupType::DmaFq,
        Some(DomainType::Identity) => GroupType::Identity,
        None => GroupType::Unknown,
    }
}

fn reserved_region(region: &probe::ReservedRegion) -> ReservedRegion {
    ReservedRegion {
        start: hex(region.range.start().0),
        end: hex(region.range.end().0),
        kind: owned(match region.kind {
            probe::ReservedKind::Direct => "direct",
            probe::ReservedKind::Reserved => "reserved",
            probe::ReservedKind::Msi => "msi",
        }),
    }
}

fn device(core: &Core<Handle>, hardware: &Hardware, device: &probe::Device<Handle>) -> Device {
    let membership = match device.dma() {
        probe::DmaState::Grouped(membership) => Some(membership),
        _ => None,
    };
    let fwspecs = membership.map_or(&[][..], |membership| membership.fwspecs());
    let mut endpoints = Vec::new();
    let mut translations = Vec::new();
    for fwspec in fwspecs {
        add_endpoints(&mut endpoints, fwspec);
        if fwspecs.len() > 1 {
            translations.push(translation(core, fwspec));
        }
    }
    let no_group = core.no_group(device);
    let (mut physfn, mut vfs, mut untrusted, mut secondary_bus) = (None, None, false, None);
    let (id, class, kind, acs) = match *device.handle() {
        Handle::Function(index) => {
            let function = &hardware.topology[index];
            let acs = hardware.acs(index).map(|registers| Acs {
                capability: filled("0x####", registers.capability.bits().into()),
                control: filled("0x####", registers.control.bits().into()),
            });
            physfn = function.physical.map(|physical| shown(&hardware.topology[physical].address));
            vfs = function.sriov.map(|sriov| VirtualFunctions { enabled: sriov.enabled, total: sriov.total });
            untrusted = function.untrusted;
            let buses = function.bridge.as_ref().and_then(|bridge| bridge.buses);
            secondary_bus = buses.map(|buses| filled("0x##", buses.secondary.into()));
            let id = filled("####:####", u64::from(function.vendor) << 16 | u64::from(function.device));
            (id, Some(filled("0x######", function.class.into())), shown(&function.kind), acs)
        }
        Handle::Platform(index) => {
            let compatible = hardware.platform[index].compatible.first().cloned();
            (compatible.unwrap_or_default(), None, owned("platform"), None)
        }
    };
    Device {
        name: owned(device.name()),
        bus: owned(core.bus_name(device.bus())),
        id,
        class,
        kind,
        driver: device.driver().map(|driver| owned(core.driver_name(driver))),
        group: membership.map(|membership| membership.group().0),
        iommu: fwspecs.first().map(|first| iommu_of(core, first)),
        endpoints,
        source: fwspecs.first().map(|first| owned(first.source)),
        translations,
        trigger: membership.map(|membership| owned(membership.trigger().word())),
        why: match membership {
            Some(membership) => owned(membership.why()),
            None => no_group.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
        isolation_lost: no_group.is_some_and(|reason| reason.is_loss()),
        secondary_bus,
        physfn,
        vfs,
        untrusted,
        acs,
    }
}

fn translation(core: &Core<Handle>, fwspec: &probe::Fwspec) -> Translation {
    let mut endpoints = Vec::new();
    add_endpoints(&mut endpoints, fwspec);
    Translation { iommu: iommu_of(core, fwspec), endpoints, source: owned(fwspec.source) }
}

/// Name of the IOMMU.
#[inline(never)]
fn iommu_of(core: &Core<Handle>, fwspec: &probe::Fwspec) -> String {
    owned(core.device(core.instance(fwspec.instance).device()).name())
}

#[inline(never)]
fn add_endpoints(endpoints: &mut Vec<String>, fwspec: &probe::Fwspec) {
    for endpoint in &fwspec.endpoints {
        endpoints.push(hex(endpoint.0.into()));
    }
}

fn add_iommu_findings(report: &mut Report, core: &Core<Handle>, bound: &Bound) {
    let mut add = |id: &str, severity, sentence| {
        let device = core.devices().find(|device| *device.handle() == bound.device);
        let device = device.map_or_else(String::new, |device| owned(device.name()));
        report.findings.push(Finding { id: id.into(), severity, device, sentence });
    };
    let mut driver = bound.iommu.borrow_mut();
    let faults = driver.poll_faults();
    if faults.overflow {
        let sentence = format!(
            "the event queue was full after {} faults; the IOMMU may have dropped further ones",
            faults.count()
        );
        add("dma-faults-lost", report::Severity::Warning, sentence);
    }
    for fault in faults {
        let sentence = match fault.count {
            1 => fault.to_string(),
            count => format!("{fault}, {count} times"),
        };
        add("dma-fault", report::Severity::Warning, sentence);
    }
    for remark in driver.remarks() {
        add("iommu-remark", report::Severity::Warning, remark.clone());
    }
    if let Some(death) = driver.death() {
        add("iommu-dead", report::Severity::Error, death.to_string());
    }
}

fn finding(finding: &probe::Finding) -> Finding {
    Finding {
        id: owned(finding.id),
        severity: match finding.severity {
            Severity::Info => report::Severity::Info,
            Severity::Warning => report::Severity::Warning,
            Severity::Error => report::Severity::Error,
        },
        device: finding.place.clone(),
        sentence: finding.sentence.clone(),
    }
}

/// An owned string. Not inlined, like the next two: there are dozens of call sites, and the
/// emulator translates each of them separately.
#[inline(never)]
fn owned(text: &str) -> String {
    String::from(text)
}

#[inline(never)]
fn shown(value: &dyn fmt::Display) -> String {
    value.to_string()
}

#[inline(never)]
fn hex(number: u64) -> String {
    owned(Hex::new(number).as_str())
}

/// `pattern` with the digits of `number`.
#[inline(never)]
fn filled(pattern: &str, number: u64) -> String {
    let mut text = pattern.as_bytes().to_vec();
    hex::fill(&mut text, number);
    String::from_utf8(text).unwrap_or_default()
}
