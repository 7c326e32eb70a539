//! `cargo xtask speed --map`: how fast the IOMMU makes and removes mappings.
//!
//! The kernel measures: it sends each mapping on its own, then many with one notification, then many that the driver
//! joins to one request. Its driver counts requests and notifications. A second, short boot shows whether QEMU counts
//! the same: QEMU writes a line for each request, each mapping that it removes and each notification (`-trace`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use report::{MapRate, MapSpeed};
use serde_json::json;

use crate::boot::Boot;
use crate::cli::SpeedArgs;
use crate::image::{self, Binary, Kernel};
use crate::outcome::{Kind, Stop};
use crate::program;
use crate::run::Log;
use crate::setup::{self, Need};
use crate::topology::Topology;

/// Mappings of the measurement: some tenths of a second each way.
const PAIRS: u64 = 200_000;

/// Mappings of the boot whose requests QEMU counts.
const COUNTED_PAIRS: u64 = 2_560;

/// What QEMU counts.
const TRACED: [&str; 4] =
    ["virtio_iommu_map", "virtio_iommu_unmap", "virtio_iommu_unmap_done", "virtio_queue_notify"];

/// Requests of an IOMMU that QEMU saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// MAP and UNMAP requests.
    requests: u64,
    /// Bytes that were mapped.
    mapped: u64,
    /// Bytes whose mappings were removed.
    removed: u64,
    /// Notifications of the queue that they came through, from that of the first request on.
    notifications: u64,
}

/// Measures and prints.
///
/// # Errors
///
/// Something is missing, a boot does not pass, or QEMU counts something else than the kernel.
pub(super) fn command(options: &SpeedArgs) -> Result<(), Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let topology = Topology::find(&options.topology).map_err(|error| Stop::usage(format!("{error:#}")))?;
    setup::provide(&[Need::Target, Need::Qemu], &options.common)?;
    let kernel = image::build(Binary::Full, options.common.verbose)?;
    let boot = Boot::of_topology(&topology, &program)?;
    let deadline = Duration::from_secs(options.timeout);
    let speed = measured(&boot, PAIRS, &[], &kernel, deadline)?;
    let (counted, seen) = count(&boot, &kernel, deadline)?;
    let gain = |rate: &MapRate| rate.gain_in_tenths(&speed.one_by_one) as f64 / 10.0;
    let line = json!({
        "schema": "iogroups-map-speed/2",
        "topology": topology.name,
        "map_speed": speed,
        "gain": { "batched": gain(&speed.batched), "joined": gain(&speed.joined) },
        "exit_status": Kind::Pass.exit_status(),
    });
    if options.json.as_deref() == Some(Path::new("-")) {
        println!("{line}");
        return Ok(());
    }
    print!("{speed}");
    println!(
        "QEMU counts the same in a boot with {} mappings: {} requests, {} notifications",
        counted.rates().iter().map(|(_, rate)| rate.pairs).sum::<u64>(),
        seen.requests,
        seen.notifications
    );
    match &options.json {
        Some(file) => fs::write(file, format!("{line}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(Stop::from),
        None => Ok(()),
    }
}

/// Counts requests and notifications in a short boot; what is not as it should be. Times are not compared.
///
/// # Errors
///
/// The boot does not pass, or QEMU counts something else than the kernel.
pub(crate) fn check(program: &str, kernel: &Kernel, deadline: Duration) -> Result<Vec<String>, Stop> {
    let boot = Boot::of_topology(&Topology::find("default")?, program)?;
    let (counted, _) = count(&boot, kernel, deadline)?;
    Ok(wrong_counts(&counted))
}

/// Which counts are not those of requests one by one, in batches, and joined.
fn wrong_counts(counted: &MapSpeed) -> Vec<String> {
    let MapSpeed { one_by_one, batched, joined, .. } = counted;
    let (pairs, batches) = (batched.pairs, batched.pairs / batched.batch.max(1));
    let as_expected = [
        ("one by one: a MAP and an UNMAP for each", one_by_one.requests == 2 * pairs),
        ("one by one: a notification for each request", one_by_one.notifications == one_by_one.requests),
        ("batched: a MAP for each, and one UNMAP for a batch", batched.requests == pairs + batches),
        ("batched: 32 requests or more for a notification", batched.requests_per_notification() >= 32),
        ("joined: a MAP and an UNMAP for a batch", joined.requests == 2 * batches),
    ];
    let wrong = as_expected.into_iter().filter(|(_, holds)| !holds);
    wrong.map(|(expected, _)| format!("expected {expected}: {counted:?}")).collect()
}

/// What the kernel and QEMU count in a short boot.
fn count(boot: &Boot, kernel: &Kernel, deadline: Duration) -> Result<(MapSpeed, Seen), Stop> {
    let place = tempfile::tempdir().context("no directory for QEMU's log")?;
    let log = place.path().join("trace.log");
    let log_name = log.display().to_string();
    let mut traced: Vec<&str> = TRACED.iter().flat_map(|event| ["-trace", event]).collect();
    traced.extend(["-D", &log_name]);
    let counted = measured(boot, COUNTED_PAIRS, &traced, kernel, deadline)?;
    let text = fs::read_to_string(&log).with_context(|| format!("QEMU wrote no log to {log_name}"))?;
    let seen = Seen::of_the_busiest(&text);
    compare(&counted, seen)?;
    Ok((counted, seen))
}

/// What the kernel measures with `pairs` mappings each way.
fn measured(
    boot: &Boot,
    pairs: u64,
    arguments: &[&str],
    kernel: &Kernel,
    deadline: Duration,
) -> Result<MapSpeed, Stop> {
    let mut boot = boot.clone();
    boot.start.append.push(format!("map-speed={pairs}"));
    boot.machine.devices.extend(arguments.iter().map(|&argument| argument.to_owned()));
    let outcome = boot.run(kernel, Some(deadline), &Log::Hidden)?;
    match outcome.report.map_speed {
        Some(speed) if outcome.kind == Kind::Pass => Ok(speed),
        _ => Err(Stop { kind: outcome.kind, message: outcome.report.to_string() }),
    }
}

/// Fails if QEMU saw other requests, mappings or notifications than the driver counted.
fn compare(counted: &MapSpeed, seen: Seen) -> Result<(), Stop> {
    let sum = |figure: fn(&MapRate) -> u64| counted.rates().iter().map(|(_, rate)| figure(rate)).sum::<u64>();
    let bytes = sum(|rate| rate.pairs) * counted.granule;
    let expected = Seen {
        requests: sum(|rate| rate.requests),
        mapped: bytes,
        removed: bytes,
        notifications: sum(|rate| rate.notifications),
    };
    if seen == expected {
        return Ok(());
    }
    Err(Stop { kind: Kind::Fail, message: format!("QEMU counts {seen:?}, the kernel {expected:?}") })
}

impl Seen {
    /// Counts the requests in QEMU's log, and the notifications of the queue that most requests followed.
    ///
    /// The log does not contain the device of a request. A device is notified right before its requests.
    fn of_the_busiest(log: &str) -> Self {
        let mut seen = Self::default();
        // For each queue: its notifications so far, and how many of them requests followed.
        let mut queues: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        let mut last: Option<&str> = None;
        for line in log.lines() {
            let event = line.split_once(':').map_or(line, |(before, after)| {
                // With timestamps a line begins with `PID@TIME:`.
                if before.contains('@') { after } else { line }
            });
            match event.split_once(' ') {
                Some(("virtio_iommu_map", arguments)) => seen.mapped += bytes_of(arguments),
                Some(("virtio_iommu_unmap", _)) => {}
                Some(("virtio_iommu_unmap_done", arguments)) => {
                    seen.removed += bytes_of(arguments);
                    continue;
                }
                Some(("virtio_queue_notify", queue)) => {
                    queues.entry(queue).or_default().0 += 1;
                    last = Some(queue);
                    continue;
                }
                _ => continue,
            }
            seen.requests += 1;
            if let Some((notified, first, followed)) = last.and_then(|queue| queues.get_mut(queue)) {
                *followed += 1;
                if *followed == 1 {
                    *first = *notified;
                }
            }
        }
        let busiest = queues.values().max_by_key(|(_, _, followed)| *followed);
        seen.notifications = busiest.map_or(0, |(notified, first, _)| notified + 1 - (*first).max(1));
        seen
    }
}

/// The size of the range in a line of QEMU's log; 0 if there is none.
fn bytes_of(arguments: &str) -> u64 {
    let number = |name: &str| {
        let (_, after) = arguments.split_once(name)?;
        let digits = after.split(' ').next()?.strip_prefix("0x")?;
        u64::from_str_radix(digits, 16).ok()
    };
    let size = number("virt_end=").zip(number("virt_start=")).map(|(end, start)| end.wrapping_sub(start));
    size.map_or(0, |size| size.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_and_the_notifications_of_their_queue_from_the_first_on() {
        let log = "virtio_queue_notify vdev 0x1 n 0 vq 0x10\n\
                   virtio_queue_notify vdev 0x2 n 0 vq 0x20\n\
                   virtio_queue_notify vdev 0x1 n 0 vq 0x10\n\
                   virtio_iommu_map domain=1 virt_start=0x0 virt_end=0xfff phys_start=0x0 flags=1\n\
                   virtio_iommu_map domain=1 virt_start=0x1000 virt_end=0x1fff phys_start=0x0 flags=1\n\
                   virtio_queue_notify vdev 0x2 n 1 vq 0x21\n\
                   7@12.5:virtio_queue_notify vdev 0x1 n 0 vq 0x10\n\
                   7@12.6:virtio_iommu_unmap domain=1 virt_start=0x0 virt_end=0xfff\n\
                   virtio_iommu_unmap_done domain=1 virt_start=0x0 virt_end=0xfff\n";
        let expected = Seen { requests: 3, mapped: 0x2000, removed: 0x1000, notifications: 2 };
        assert_eq!(Seen::of_the_busiest(log), expected);
        assert_eq!(Seen::of_the_busiest(""), Seen::default());
    }

    #[test]
    fn requests_that_are_not_batched_or_not_joined_are_noticed() {
        let rate = |requests, notifications| MapRate {
            batch: 64,
            pairs: 128,
            requests,
            notifications,
            duration_us: 1,
        };
        let good = MapSpeed {
            one_by_one: rate(256, 256),
            batched: rate(130, 4),
            joined: rate(4, 4),
            ..MapSpeed::default()
        };
        assert_eq!(wrong_counts(&good), [""; 0]);
        for bad in [
            MapSpeed { one_by_one: rate(256, 4), ..good.clone() },
            MapSpeed { batched: rate(256, 4), ..good.clone() },
            MapSpeed { batched: rate(130, 130), ..good.clone() },
            MapSpeed { joined: rate(130, 4), ..good.clone() },
        ] {
            assert_eq!(wrong_counts(&bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn another_count_is_a_failure() {
        let rate =
            |pairs, requests, notifications| MapRate { pairs, requests, notifications, ..Default::default() };
        let (one_by_one, batched, joined) = (rate(2, 4, 4), rate(2, 3, 2), rate(2, 2, 2));
        let counted = MapSpeed { granule: 0x1000, one_by_one, batched, joined, ..Default::default() };
        let seen = Seen { requests: 9, mapped: 0x6000, removed: 0x6000, notifications: 8 };
        assert!(compare(&counted, seen).is_ok());
        assert!(compare(&counted, Seen { requests: 8, ..seen }).is_err());
        assert!(compare(&counted, Seen { mapped: 0x5000, ..seen }).is_err());
        assert!(compare(&counted, Seen { removed: 0x5000, ..seen }).is_err());
        assert!(compare(&counted, Seen { notifications: 9, ..seen }).is_err());
    }
}
