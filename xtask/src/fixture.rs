//! A report to break in tests: one IOMMU, and the groups behind it.

use std::collections::BTreeSet;
use std::time::Duration;

use report::{Device, Group, GroupType, Invariant, Iommu, IommuState, Report, ReservedRegion, Run};

use crate::outcome::Outcome;

/// The IOMMU of [`report_of`].
const IOMMU: &str = "0000:00:01.0";

/// A conventional PCI function without a driver.
pub(crate) fn device(name: &str, group: Option<u32>, why: &str) -> Device {
    Device {
        name: name.into(),
        bus: "pci".into(),
        id: "1af4:1000".into(),
        class: Some("0x020000".into()),
        kind: "conventional".into(),
        driver: None,
        group,
        iommu: None,
        endpoints: Vec::new(),
        source: None,
        translations: Vec::new(),
        trigger: None,
        why: why.into(),
        isolation_lost: false,
        secondary_bus: None,
        physfn: None,
        vfs: None,
        untrusted: false,
        acs: None,
    }
}

/// A group with the reserved region of every group.
pub(crate) fn group(id: u32, members: &[&str]) -> Group {
    let region = ReservedRegion { start: "0x8020000".into(), end: "0x8020fff".into(), kind: "msi".into() };
    Group {
        id,
        kind: GroupType::Dma,
        reserved_regions: vec![region],
        devices: members.iter().map(|&member| member.into()).collect(),
    }
}

/// A report that passes: these groups, in this order, behind one IOMMU.
pub(crate) fn report_of(groups: &[&[&str]]) -> Report {
    let mut report = Report::new(Run { path: "fixed".into(), ..Run::default() });
    report.devices.push(device(IOMMU, None, "is the IOMMU"));
    for (id, members) in (0..).zip(groups) {
        report.devices.extend(members.iter().map(|member| device(member, Some(id), "own group")));
        report.groups.push(group(id, members));
    }
    report.devices.sort_by(|a, b| a.name.cmp(&b.name));
    report.iommus = vec![Iommu {
        name: IOMMU.into(),
        driver: "virtio-iommu".into(),
        transport: "pci".into(),
        state: IommuState::Ready,
        page_size_mask: "0xfffffffffffff000".into(),
        input_range: ["0x0".into(), "0xffffffffffffffff".into()],
        domain_range: ["0x0".into(), "0xffffffff".into()],
        bypass: true,
        devices: groups.concat().into_iter().map(String::from).collect(),
    }];
    let holds = |number: u32| Invariant { id: format!("I{number}"), holds: true, broken_by: None };
    report.invariants = (1..=11).map(holds).collect();
    report.judge();
    report
}

/// A boot that ended with this report and logged nothing.
pub(crate) fn outcome(report: Report) -> Outcome {
    Outcome {
        kind: report.result.into(),
        report,
        log: BTreeSet::new(),
        compared: None,
        asked: None,
        took: Duration::ZERO,
    }
}
