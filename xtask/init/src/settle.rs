//! Waits until the devices, their drivers and the groups no longer change.

use crate::console::Console;
use crate::path::{self, Path};
use crate::system;

/// As long everything must stay as it is.
const UNCHANGED: u32 = 4;
const INTERVAL_MS: u64 = 250;
/// After as many looks the listing is printed as it is then, with a remark.
const LOOKS: u32 = 120;

pub(crate) fn wait(console: &mut Console) {
    let (mut before, mut unchanged) = (0, 0);
    for _ in 0..LOOKS {
        let now = fingerprint();
        unchanged = if now == before { unchanged + 1 } else { 0 };
        before = now;
        if unchanged == UNCHANGED {
            return;
        }
        pause();
    }
    console.line(format_args!("unsettled"));
}

/// The time between two looks.
pub(crate) fn pause() {
    system::sleep_milliseconds(INTERVAL_MS);
}

/// A number that changes with every device that comes or goes, and with its driver and its group.
pub(crate) fn fingerprint() -> u64 {
    let mut all = Fingerprint(Fingerprint::START);
    let buses = Path::new(b"/sys/bus");
    buses.for_each_entry(|bus| {
        let devices = buses.join(bus).join(b"devices");
        devices.for_each_entry(|name| {
            all.add(name);
            let device = devices.join(name);
            let mut buffer = [0; 512];
            for link in [&b"driver"[..], b"iommu_group"] {
                all.add(device.join(link).link(&mut buffer).map_or(b"-", path::last));
            }
        });
    });
    all.0
}

/// FNV-1a, 64 bits.
struct Fingerprint(u64);

impl Fingerprint {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x100_0000_01b3;

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(b"\n") {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }
}
