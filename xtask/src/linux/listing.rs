//! The output of our init: the lines that begin with `@@ `, as values.

use std::collections::BTreeMap;

/// The content of sysfs, and the kernel's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) release: String,
    /// ACPI tables by their signatures; none where a tree describes the machine.
    pub(super) tables: Vec<String>,
    /// Drivers of virtio devices.
    pub(super) virtio_drivers: Vec<String>,
    /// Whether the kernel has groups at all.
    pub(super) has_groups: bool,
    pub(super) groups: BTreeMap<u32, Group>,
    /// PCI functions by their addresses.
    pub(super) functions: BTreeMap<String, Function>,
    /// Devices on other buses that are in a group: name, bus, group.
    pub(super) others: Vec<[String; 3]>,
    pub(super) virtio: Vec<Virtio>,
    /// IOMMUs by their names in `/sys/class/iommu`.
    pub(super) iommus: BTreeMap<String, Iommu>,
    pub(super) log: Vec<String>,
    /// Modules that could not be loaded, virtual functions that could not be enabled, and why; and that devices still
    /// changed.
    pub(super) remarks: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) kind: String,
    pub(super) regions: Vec<String>,
    /// Name and bus.
    pub(super) members: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    pub(super) id: String,
    pub(super) class: String,
    pub(super) group: Option<String>,
    pub(super) driver: Option<String>,
    pub(super) iommu: Option<String>,
    /// The physical function of a virtual one.
    pub(super) physical: Option<String>,
    /// Where it is in sysfs.
    pub(super) path: String,
    pub(super) configuration: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) struct Virtio {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) driver: Option<String>,
    /// One character a feature bit.
    pub(super) features: String,
    pub(super) path: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Iommu {
    pub(super) path: String,
    pub(super) devices: Vec<String>,
}

impl Iommu {
    /// The device that it is: a PCI function, or a device on the platform bus.
    pub(super) fn device(&self) -> &str {
        let on_platform =
            || Some(self.path.split_once("/platform/")?.1.split('/').next().unwrap_or_default());
        addresses(&self.path).last().or_else(on_platform).unwrap_or(&self.path)
    }
}

/// The PCI addresses in a path of sysfs.
pub(super) fn addresses(path: &str) -> impl Iterator<Item = &str> {
    let is_address =
        |part: &&str| part.len() == 12 && part.as_bytes()[4] == b':' && part.as_bytes()[10] == b'.';
    path.split('/').filter(is_address)
}

/// The version in a release, without what a distribution adds: `6.16.3+deb13-arm64` is 6.16.3.
pub(super) fn version(release: &str) -> &str {
    release.split('+').next().unwrap_or(release)
}

/// Most bytes of configuration space.
const CONFIGURATION_LIMIT: usize = 4096;

impl Listing {
    /// Reads the lines of a console. Lines that are not our init's, and those that are cut, are skipped: what is
    /// missing then shows as a difference.
    pub(super) fn parse(console: &[String]) -> Self {
        let mut listing = Self::default();
        for line in console {
            if let Some(text) = line.strip_prefix("@@ ") {
                let (keyword, rest) = text.split_once(' ').unwrap_or((text, ""));
                // Incomplete; nothing but this line depends on it.
                let _ = listing.add(keyword, rest);
            }
        }
        for instance in listing.iommus.values_mut() {
            instance.devices.sort();
        }
        listing.virtio.sort_by(|one, other| one.name.cmp(&other.name));
        listing.tables.sort();
        listing
    }

    fn add(&mut self, keyword: &str, rest: &str) -> Option<()> {
        let words: Vec<&str> = rest.split(' ').collect();
        let word = |number: usize| words.get(number).map(|word| (*word).to_owned());
        let optional = |number: usize| word(number).filter(|word| word != "-");
        match keyword {
            "release" => self.release = rest.to_owned(),
            "table" => self.tables.push(word(0)?),
            "driver" => self.virtio_drivers.push(word(0)?),
            "groups" => self.has_groups = true,
            "group" => self.groups.entry(word(0)?.parse().ok()?).or_default().kind = word(1)?,
            "region" => {
                let (number, region) = rest.split_once(' ')?;
                self.groups.entry(number.parse().ok()?).or_default().regions.push(region.to_owned());
            }
            "member" => {
                let member = (word(1)?, word(2)?);
                self.groups.entry(word(0)?.parse().ok()?).or_default().members.push(member);
            }
            "function" => {
                let hexadecimal = |number: usize| Some(word(number)?.trim_start_matches("0x").to_owned());
                let function = Function {
                    id: format!("{}:{}", hexadecimal(1)?, hexadecimal(2)?),
                    class: word(3)?,
                    group: optional(4),
                    driver: optional(5),
                    iommu: optional(6),
                    physical: optional(7),
                    path: word(8)?,
                    configuration: Vec::new(),
                };
                self.functions.insert(word(0)?, function);
            }
            "config" => {
                let at = usize::from_str_radix(words.get(1)?, 16).ok()?;
                let bytes = bytes_of(words.get(2)?)?;
                let space = &mut self.functions.get_mut(words[0])?.configuration;
                let end = at.checked_add(bytes.len()).filter(|end| *end <= CONFIGURATION_LIMIT)?;
                space.resize(end.max(space.len()), 0);
                space[at..end].copy_from_slice(&bytes);
            }
            "other" => self.others.push([word(0)?, word(1)?, word(2)?]),
            "virtio" => {
                let [name, id, features, path] = [word(0)?, word(1)?, word(3)?, word(4)?];
                self.virtio.push(Virtio { name, id, driver: optional(2), features, path });
            }
            "iommu" => self.iommus.entry(word(0)?).or_default().path = word(1)?,
            "translates" => self.iommus.entry(word(0)?).or_default().devices.push(word(1)?),
            "log" => self.log.push(rest.to_owned()),
            "module-failed" | "vfs-failed" | "mount-failed" | "unsettled" | "no-change" | "init-panics" => {
                self.remarks.push(format!("{keyword} {rest}").trim_end().to_owned());
            }
            _ => (),
        }
        Some(())
    }
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect()
}

#[cfg(test)]
pub(super) mod tests;
