//! Prints what sysfs contains about devices, drivers, groups and IOMMUs. The host gives it a meaning.

use core::fmt::Write as _;

use crate::console::Console;
use crate::path::{self, Path};

/// What is printed for something that is not there.
const NONE: &[u8] = b"-";
/// Size of a function's configuration space (PCI Express); a conventional function has 256 bytes.
const CONFIG_SPACE: usize = 4096;
/// Bytes of it in a line. Lines of zeros are left out.
const CONFIG_LINE: usize = 32;

pub(crate) fn print(console: &mut Console) {
    value(console, b"release", &Path::new(b"/proc/sys/kernel/osrelease"));
    names(console, b"table", &Path::new(b"/sys/firmware/acpi/tables"));
    names(console, b"driver", &Path::new(b"/sys/bus/virtio/drivers"));
    groups(console);
    functions(console);
    others(console);
    virtio_devices(console);
    iommus(console);
}

/// A line with a keyword and words.
fn line(console: &mut Console, keyword: &[u8], words: &[&[u8]]) {
    console.start();
    console.bytes(keyword);
    for word in words {
        console.bytes(b" ");
        console.bytes(if word.is_empty() { NONE } else { word });
    }
    console.end();
}

fn value(console: &mut Console, keyword: &[u8], file: &Path) {
    let mut buffer = [0; 256];
    line(console, keyword, &[file.read_word(&mut buffer).unwrap_or(NONE)]);
}

fn names(console: &mut Console, keyword: &[u8], directory: &Path) {
    directory.for_each_entry(|name| line(console, keyword, &[name]));
}

/// The last component of where a link leads.
fn target<'a>(path: &Path, buffer: &'a mut [u8]) -> &'a [u8] {
    path.link(buffer).map_or(NONE, path::last)
}

fn groups(console: &mut Console) {
    let groups = Path::new(b"/sys/kernel/iommu_groups");
    if groups.exists() {
        line(console, b"groups", &[]);
    }
    groups.for_each_entry(|number| {
        let group = groups.join(number);
        let mut buffer = [0; 64];
        line(console, b"group", &[number, group.join(b"type").read_word(&mut buffer).unwrap_or(NONE)]);
        let mut regions = [0; 4096];
        let regions = group.join(b"reserved_regions").read(&mut regions).unwrap_or_default();
        for region in regions.split(|byte| *byte == b'\n').filter(|region| !region.is_empty()) {
            line(console, b"region", &[number, region]);
        }
        let devices = group.join(b"devices");
        devices.for_each_entry(|name| {
            let mut bus = [0; 512];
            line(
                console,
                b"member",
                &[number, name, target(&devices.join(name).join(b"subsystem"), &mut bus)],
            );
        });
    });
}

fn functions(console: &mut Console) {
    let devices = Path::new(b"/sys/bus/pci/devices");
    devices.for_each_entry(|name| {
        let device = devices.join(name);
        let mut words = [[0; 64]; 3];
        let mut links = [[0; 512]; 5];
        let [vendor, id, class] = &mut words;
        let [group, driver, iommu, parent, path] = &mut links;
        let word = |file: &[u8], buffer| device.join(file).read_word(buffer).unwrap_or(NONE);
        line(
            console,
            b"function",
            &[
                name,
                word(b"vendor", vendor),
                word(b"device", id),
                word(b"class", class),
                target(&device.join(b"iommu_group"), group),
                target(&device.join(b"driver"), driver),
                target(&device.join(b"iommu"), iommu),
                target(&device.join(b"physfn"), parent),
                device.link(path).unwrap_or(NONE),
            ],
        );
        configuration(console, name, &device);
    });
}

fn configuration(console: &mut Console, name: &[u8], device: &Path) {
    let mut space = [0; CONFIG_SPACE];
    let space = device.join(b"config").read(&mut space).unwrap_or_default();
    for (number, bytes) in
        space.chunks(CONFIG_LINE).enumerate().filter(|(_, bytes)| bytes.iter().any(|b| *b != 0))
    {
        console.start();
        console.bytes(b"config ");
        console.bytes(name);
        // Writing to the console does not fail.
        let _ = write!(console, " {:x} ", number * CONFIG_LINE);
        for byte in bytes {
            let _ = write!(console, "{byte:02x}");
        }
        console.end();
    }
}

/// Devices in a group on other buses than PCI.
fn others(console: &mut Console) {
    let buses = Path::new(b"/sys/bus");
    buses.for_each_entry(|bus| {
        let devices = buses.join(bus).join(b"devices");
        if bus == b"pci" {
            return;
        }
        devices.for_each_entry(|name| {
            let device = devices.join(name);
            let mut links = [[0; 512]; 2];
            let [group, driver] = &mut links;
            let group = target(&device.join(b"iommu_group"), group);
            if group != NONE {
                line(console, b"other", &[name, bus, group, target(&device.join(b"driver"), driver)]);
            }
        });
    });
}

fn virtio_devices(console: &mut Console) {
    let devices = Path::new(b"/sys/bus/virtio/devices");
    devices.for_each_entry(|name| {
        let device = devices.join(name);
        let (mut id, mut features, mut driver, mut path) = ([0; 64], [0; 256], [0; 512], [0; 512]);
        line(
            console,
            b"virtio",
            &[
                name,
                device.join(b"device").read_word(&mut id).unwrap_or(NONE),
                target(&device.join(b"driver"), &mut driver),
                device.join(b"features").read_word(&mut features).unwrap_or(NONE),
                device.link(&mut path).unwrap_or(NONE),
            ],
        );
    });
}

fn iommus(console: &mut Console) {
    let iommus = Path::new(b"/sys/class/iommu");
    iommus.for_each_entry(|name| {
        let mut path = [0; 512];
        let iommu = iommus.join(name);
        line(console, b"iommu", &[name, iommu.link(&mut path).unwrap_or(NONE)]);
        iommu.join(b"devices").for_each_entry(|device| line(console, b"translates", &[name, device]));
    });
}
