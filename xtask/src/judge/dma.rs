//! What devices transferred, and what they were refused.

use report::{DeviceDma, Report};

use crate::expect::Expect;

/// Compares what each device did with what is expected of it, and what every report must have: a translated address
/// is not the physical one, and each refused access has a fault.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in &expect.dma {
        let Some(device) = report.dma.iter().find(|device| device.device == *name) else {
            found.push(format!("{name} did no DMA"));
            continue;
        };
        let lost = device.refused.iter().filter(|refused| refused.faults_lost).count();
        let is = (&*device.translation, device.transfers.len(), device.refused.len(), lost);
        let should_be = (&*wanted.translation, wanted.transfers, wanted.refused, wanted.lost);
        if is != should_be {
            found.push(format!(
                "DMA of {name} (translation, transfers, refused, with lost faults): {is:?}, expected {should_be:?}"
            ));
        }
        let why = device.untranslated_because.as_deref().unwrap_or_default();
        if wanted.why.is_empty() != why.is_empty() || !why.contains(&wanted.why) {
            found.push(format!("DMA of {name} is not translated because {why:?}, expected {:?}", wanted.why));
        }
    }
    let unexpected = report.dma.iter().filter(|device| !expect.dma.contains_key(&device.device));
    found.extend(unexpected.map(|device| format!("unexpected DMA of {}", device.device)));
    found.extend(report.dma.iter().flat_map(untranslated));
    found
}

/// Transfers of a device in a domain that did not use it.
fn untranslated(device: &DeviceDma) -> Vec<String> {
    if ["none", "identity"].contains(&&*device.translation) {
        return Vec::new();
    }
    let same = device.transfers.iter().filter(|transfer| transfer.iova == transfer.physical);
    let same = same.map(|transfer| {
        format!("{}: {}: the address {} is physical", device.device, transfer.what, transfer.iova)
    });
    let silent = device.refused.iter().filter(|refused| refused.faults == 0);
    let silent = silent.map(|refused| format!("{}: {}: no fault", device.device, refused.what));
    same.chain(silent).collect()
}
