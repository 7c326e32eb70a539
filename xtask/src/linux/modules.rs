//! A kernel's modules, and in which order they are loaded.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use object::{Object as _, ObjectSection as _};

use super::files::Files;

/// What is loaded for every machine unless the command line says otherwise: the virtio-iommu first, then the drivers of
/// devices that many topologies have, in the order in which our own kernel registers them.
const USUAL: [&str; 12] = [
    "virtio_pci",
    "virtio_mmio",
    "virtio_iommu",
    "virtio_net",
    "virtio_blk",
    "virtio_rng",
    "nvme",
    "e1000",
    "e1000e",
    "igb",
    "igbvf",
    "shpchp",
];

/// What is loaded after these if a machine has a device of a type that begins so, in this order.
const FOR_DEVICES: [(&str, &str); 29] = [
    ("qemu-xhci", "xhci_pci"),
    ("nec-usb-xhci", "xhci_pci"),
    ("usb-ehci", "ehci_pci"),
    ("pci-ohci", "ohci_pci"),
    ("ich9-ahci", "ahci"),
    ("rtl8139", "8139cp"),
    ("ne2k_pci", "ne2k_pci"),
    ("pcnet", "pcnet32"),
    ("tulip", "tulip"),
    ("i8255", "e100"),
    ("i82562", "e100"),
    ("i82801", "e100"),
    ("vmxnet3", "vmxnet3"),
    ("kvaser_pci", "kvaser_pci"),
    ("lsi53c", "sym53c8xx"),
    ("megasas", "megaraid_sas"),
    ("mptsas", "mptsas"),
    ("ufs", "ufshcd_pci"),
    ("sdhci-pci", "sdhci_pci"),
    ("cxl-type3", "cxl_pci"),
    ("intel-hda", "snd_hda_intel"),
    ("ich9-intel-hda", "snd_hda_intel"),
    ("bochs-display", "bochs"),
    ("cirrus-vga", "cirrus_qemu"),
    // Its name in Linux 6.12.
    ("cirrus-vga", "cirrus"),
    ("i6300esb", "i6300esb"),
    ("vmware-svga", "vmwgfx"),
    ("ati-vga", "amdgpu"),
    ("virtio-balloon", "virtio_balloon"),
];

/// The modules to load where these words of QEMU command lines make the machines, in order.
pub(super) fn usual<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static str> {
    let has = |device: &str| words.clone().any(|word| word.starts_with(device));
    let further = FOR_DEVICES.iter().filter(|(device, _)| has(device)).map(|(_, module)| *module);
    USUAL.into_iter().chain(further).collect()
}

/// Longest chain of dependencies.
const DEPTH_LIMIT: usize = 32;

/// Modules by name, with underscores.
#[derive(Debug, Default)]
pub(super) struct Modules {
    files: Files,
    paths: BTreeMap<String, String>,
}

/// One module, ready to be loaded.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) elf: Vec<u8>,
}

/// The name of a module, which is the same with hyphens and with underscores.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.split(".ko").next().unwrap_or_default().replace('-', "_")
}

impl Modules {
    pub(super) fn of(files: Files) -> Self {
        let paths = files.modules().map(|path| (name_of(path), path.to_owned())).collect();
        Self { files, paths }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.paths.len()
    }

    /// The modules of these names and those that they depend on, each after its dependencies. A name without a module is
    /// left out: its driver is built in, or absent.
    ///
    /// # Errors
    ///
    /// A module cannot be read.
    pub(super) fn in_order<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Module>> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for name in names {
            self.add(&name.replace('-', "_"), &mut seen, &mut order, DEPTH_LIMIT)?;
        }
        Ok(order)
    }

    fn add(
        &self,
        name: &str,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<Module>,
        depth: usize,
    ) -> Result<()> {
        let Some(path) = self.paths.get(name).filter(|_| !seen.contains(name)) else { return Ok(()) };
        ensure!(depth > 0, "the module {name} depends on more than {DEPTH_LIMIT} others in a row");
        seen.insert(name.to_owned());
        let elf = self.files.content(path)?;
        for needed in dependencies(&elf).with_context(|| format!("{path} is not a module"))? {
            self.add(&needed, seen, order, depth - 1)?;
        }
        order.push(Module { name: name.to_owned(), elf });
        Ok(())
    }
}

/// The modules that a module depends on: `depends=a,b` in its section `.modinfo`.
fn dependencies(elf: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(elf)?;
    let section = file.section_by_name(".modinfo").context("it has no .modinfo")?;
    let entries = section.data()?.split(|byte| *byte == 0);
    let lists = entries.filter_map(|entry| entry.strip_prefix(b"depends="));
    let names = lists.flat_map(|list| list.split(|byte| *byte == b',')).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).replace('-', "_")).collect())
}

#[cfg(test)]
mod tests;
