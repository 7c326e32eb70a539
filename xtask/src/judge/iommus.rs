//! The IOMMU instances, and what each translates.

use std::collections::BTreeSet;

use report::Report;

use super::words::set;
use crate::answer::LinuxAnswer;
use crate::expect::Expect;

pub(super) fn differences(report: &Report, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let mut found = Vec::new();
    let from_linux = || linux.map(|answer| answer.iommus.iter().map(|iommu| iommu.name.clone()).collect());
    let mut names: Vec<String> = report.iommus.iter().map(|iommu| iommu.name.clone()).collect();
    let mut wanted = expect.iommus.clone().or_else(from_linux);
    if expect.any_numbers {
        names.sort();
        wanted.iter_mut().for_each(|wanted| wanted.sort());
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != names) {
        found.push(format!("IOMMUs: expected {}, is {}", set(&wanted), set(&names)));
    }
    let of_linux = linux.iter().flat_map(|answer| &answer.iommus).map(|iommu| (&iommu.name, &iommu.devices));
    let of_linux = of_linux.filter(|(name, _)| names.contains(*name));
    let stated = expect.translated.iter().map(|(name, instance)| (name, &instance.devices));
    for (name, wanted) in of_linux.chain(stated) {
        let is = report.iommus.iter().find(|iommu| iommu.name == *name).map(|iommu| &iommu.devices);
        let [wanted, is] = [Some(wanted), is].map(|list| list.into_iter().flatten().collect::<BTreeSet<_>>());
        if wanted != is {
            found.push(format!("translated by {name}: expected {}, is {}", set(&wanted), set(&is)));
        }
    }
    found
}
