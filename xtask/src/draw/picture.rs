//! What a picture of a report shows, row by row: the PCI tree, and the platform devices that have to do with an IOMMU.

use std::collections::{BTreeMap, BTreeSet};

use report::{Device, Report};

/// A picture: its rows from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// What ran, and the verdict.
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
    /// Each group with its type, by number.
    pub(crate) groups: BTreeMap<u32, String>,
    /// Platform devices without a row.
    pub(crate) left_out: usize,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Name of a device, or of a bus.
    pub(crate) name: String,
    /// The row that it is below of; none for a bus.
    pub(crate) parent: Option<usize>,
    /// How many rows it is below of.
    pub(crate) depth: usize,
    pub(crate) kind: RowKind,
    /// Type, ID, driver, endpoints.
    pub(crate) detail: String,
    /// Why it is in its group, or in none.
    pub(crate) why: String,
}

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// A bus: nothing that an IOMMU knows.
    Bus,
    /// An IOMMU.
    Iommu,
    /// A device in this group.
    Grouped(u32),
    /// A device without a group.
    Ungrouped {
        /// Whether it should have one.
        lost: bool,
    },
}

impl Picture {
    /// The picture of a report, which people know by this name.
    pub(crate) fn of(name: &str, report: &Report) -> Self {
        let mut rows = Vec::new();
        let functions: Vec<&Device> = report.devices.iter().filter(|device| device.bus == "pci").collect();
        let tree = Tree::of(&functions);
        for (bus, roots) in &tree.roots {
            let at = push_bus(&mut rows, format!("PCI bus {bus}"));
            for root in roots {
                tree.push(report, &mut rows, root, at);
            }
        }
        let platform = || report.devices.iter().filter(|device| device.bus != "pci");
        let shown: Vec<&Device> = platform().filter(|device| is_of_interest(report, device)).collect();
        if !shown.is_empty() {
            let at = push_bus(&mut rows, "platform devices".into());
            shown.iter().for_each(|device| _ = push_device(report, &mut rows, device, at));
        }
        let run = &report.run;
        let verdict = format!("{:?}", report.result).to_uppercase();
        Self {
            title: format!("{name}: {}, {}: {verdict}", run.path, run.firmware),
            rows,
            groups: report.groups.iter().map(|group| (group.id, group.kind.to_string())).collect(),
            left_out: platform().count() - shown.len(),
        }
    }

    /// Runs of neighbouring rows that are in one group: the group, the first row, and the number of rows.
    pub(crate) fn bands(&self) -> Vec<(u32, usize, usize)> {
        let mut bands: Vec<(u32, usize, usize)> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let RowKind::Grouped(group) = row.kind else { continue };
            match bands.last_mut() {
                Some((of, first, count)) if *of == group && *first + *count == at => *count += 1,
                _ => bands.push((group, at, 1)),
            }
        }
        bands
    }
}

/// Functions by what they are below of.
struct Tree<'a> {
    /// By bus: functions that are below no bridge.
    roots: BTreeMap<String, Vec<&'a Device>>,
    /// By name of a bridge or physical function.
    below: BTreeMap<&'a str, Vec<&'a Device>>,
}

impl<'a> Tree<'a> {
    fn of(functions: &[&'a Device]) -> Self {
        let bridges: BTreeMap<String, &str> =
            functions.iter().filter_map(|bridge| Some((bus_behind(bridge)?, bridge.name.as_str()))).collect();
        let mut tree = Self { roots: BTreeMap::new(), below: BTreeMap::new() };
        for function in functions {
            let bus = bus_of(function);
            let above = function.physfn.as_deref().or_else(|| bridges.get(bus).copied());
            // A bridge whose numbers lead back to its own bus is below nothing.
            match above.filter(|above| *above != function.name && is_bus_before(above, bus)) {
                Some(above) => tree.below.entry(above).or_default().push(function),
                None => tree.roots.entry(bus.to_owned()).or_default().push(function),
            }
        }
        let by_name = |list: &mut Vec<&Device>| list.sort_by(|a, b| a.name.cmp(&b.name));
        tree.roots.values_mut().chain(tree.below.values_mut()).for_each(by_name);
        tree
    }

    fn push(&self, report: &Report, rows: &mut Vec<Row>, function: &Device, parent: usize) {
        let at = push_device(report, rows, function, parent);
        for child in self.below.get(function.name.as_str()).into_iter().flatten() {
            self.push(report, rows, child, at);
        }
    }
}

/// Whether a function with this name is on a bus that comes before `bus`, or on it: what is below a bridge has a higher
/// bus number, so the walk down ends.
fn is_bus_before(name: &str, bus: &str) -> bool {
    name.rsplit_once(':').is_some_and(|(of_name, _)| of_name <= bus)
}

/// Segment and bus of a function: `0000:01`.
fn bus_of(function: &Device) -> &str {
    function.name.rsplit_once(':').map_or("", |(bus, _)| bus)
}

/// The bus directly behind a bridge, as [`bus_of`] has it.
fn bus_behind(bridge: &Device) -> Option<String> {
    let bus = bridge.secondary_bus.as_ref()?.strip_prefix("0x")?;
    let (segment, _) = bus_of(bridge).rsplit_once(':')?;
    Some(format!("{segment}:{bus}"))
}

/// Platform devices that an IOMMU translates, that are IOMMUs, or that should have a group.
fn is_of_interest(report: &Report, device: &Device) -> bool {
    device.group.is_some() || device.isolation_lost || is_iommu(report, device)
}

fn is_iommu(report: &Report, device: &Device) -> bool {
    report.iommus.iter().any(|iommu| iommu.name == device.name)
}

fn push_bus(rows: &mut Vec<Row>, name: String) -> usize {
    let (detail, why) = (String::new(), String::new());
    rows.push(Row { name, parent: None, depth: 0, kind: RowKind::Bus, detail, why });
    rows.len() - 1
}

fn push_device(report: &Report, rows: &mut Vec<Row>, device: &Device, parent: usize) -> usize {
    let kind = match device.group {
        _ if is_iommu(report, device) => RowKind::Iommu,
        Some(group) => RowKind::Grouped(group),
        None => RowKind::Ungrouped { lost: device.isolation_lost },
    };
    let mut words: BTreeSet<&str> = BTreeSet::new();
    let driver = device.driver.as_deref();
    let parts = [Some(device.kind.as_str()), Some(device.id.as_str()), driver];
    let mut detail: Vec<&str> = parts.into_iter().flatten().filter(|part| words.insert(part)).collect();
    let endpoints = format!("endpoint {}", device.endpoints.join(" "));
    if !device.endpoints.is_empty() {
        detail.push(&endpoints);
    }
    let depth = rows[parent].depth + 1;
    let (detail, why) = (detail.join(" · "), device.why.clone());
    rows.push(Row { name: device.name.clone(), parent: Some(parent), depth, kind, detail, why });
    rows.len() - 1
}
