//! Every order of small machines.

use std::rc::Rc;

use probe::Path;
use scenario::{
    Device, Driver, Exploration, Firmware, Grain, Iommu, Limits, Plan, Scenario, Step, World, explore,
};

fn device(name: &str, driver: &str, iommus: &[(&str, u32)]) -> Device {
    Device {
        name: name.into(),
        driver: Some(driver.into()),
        iommus: iommus.iter().map(|(iommu, endpoint)| ((*iommu).into(), *endpoint)).collect(),
        ..Device::default()
    }
}

fn iommu(name: &str) -> Device {
    Device { iommu: Some(Iommu::default()), ..device(name, "smmu", &[]) }
}

fn scenario(devices: Vec<Device>, steps: &[&str]) -> Scenario {
    let mut drivers: Vec<Driver> = Vec::new();
    for name in devices.iter().filter_map(|device| device.driver.clone()) {
        if !drivers.iter().any(|driver| driver.name == name) {
            drivers.push(Driver { name, ..Driver::default() });
        }
    }
    let steps = steps.iter().map(|step| step.parse().unwrap()).collect();
    Scenario { about: "a test".into(), cpus: 2, devices, drivers, steps, ..Scenario::default() }
}

/// An IOMMU and one client.
fn pair() -> Scenario {
    let devices = vec![iommu("v"), device("n", "nic", &[("v", 1)])];
    scenario(devices, &["add v", "add n", "register smmu", "register nic"])
}

fn all_orders(scenario: &Scenario, path: Path) -> Exploration {
    let plan = Rc::new(Plan::new(scenario.clone()).unwrap());
    explore(&plan, path, Limits::default(), &mut |_| {})
}

fn broken(exploration: &Exploration) -> Vec<&'static str> {
    let mut ids: Vec<_> = exploration.broken.iter().map(|broken| broken.id).collect();
    ids.sort_unstable();
    ids
}

/// Repeats a counterexample, and returns the invariants that it breaks.
fn taken_again(scenario: &Scenario, path: Path) -> Vec<&'static str> {
    let mut world = World::new(&Rc::new(Plan::new(scenario.clone()).unwrap()), path);
    for step in &scenario.steps {
        world.take(step).unwrap_or_else(|error| panic!("{error}"));
    }
    let verdicts = world.invariants();
    verdicts.iter().filter(|verdict| verdict.broken_by.is_some()).map(|verdict| verdict.id).collect()
}

#[test]
fn fixed_ends_in_one_partition_in_every_order() {
    let found = all_orders(&pair(), Path::Fixed);
    assert!(found.complete);
    assert_eq!(broken(&found), [""; 0]);
    assert_eq!(found.partitions.len(), 1);
    // Four steps alone have 24 orders.
    assert!(found.orders.unwrap() > 24 && found.states > 24);
}

#[test]
fn legacy_does_not_group_a_device_without_a_driver() {
    let mut lonely = pair();
    lonely.steps.pop();
    let found = all_orders(&lonely, Path::Legacy);
    assert_eq!(broken(&found), ["I2"]);
    assert_eq!(found.partitions.len(), 1);
    assert!(found.partitions.keys().all(|partition| partition.is_empty()));
}

#[test]
fn regressed_loses_its_groups_in_some_orders_and_not_in_others() {
    for (firmware, wanted) in [(Firmware::Acpi, &["I2", "I9"][..]), (Firmware::Dt, &["I2", "I3"])] {
        let found = all_orders(&Scenario { firmware, ..pair() }, Path::Regressed);
        assert!(broken(&found).iter().all(|id| *id != "I5"));
        for id in wanted {
            assert!(broken(&found).contains(id), "{firmware:?}: {:?}", broken(&found));
        }
    }
}

#[test]
fn upstream_groups_a_device_under_a_driver_in_the_window_of_the_dropped_lock() {
    let found = all_orders(&pair(), Path::Upstream);
    assert!(broken(&found).contains(&"I3"), "{:?}", broken(&found));
}

#[test]
fn a_repeated_counterexample_breaks_the_same_invariants() {
    let mut tried = 0;
    for path in Path::ALL {
        for found in all_orders(&pair(), path).broken {
            assert!(taken_again(&found.shortest, path).contains(&found.id), "{path}: {}", found.id);
            tried += 1;
        }
    }
    assert!(tried >= 4);
}

#[test]
#[cfg_attr(miri, ignore = "thousands of states")]
fn smaller_pieces_have_more_orders() {
    let coarse = all_orders(&pair(), Path::Upstream);
    let fine = all_orders(&Scenario { grain: Grain::Piece, ..pair() }, Path::Upstream);
    assert!(fine.states > coarse.states && fine.orders > coarse.orders);
}

#[test]
fn one_cpu_alone_has_no_window() {
    let found = all_orders(&Scenario { cpus: 1, ..pair() }, Path::Upstream);
    assert!(!broken(&found).contains(&"I3"), "{:?}", broken(&found));
}

#[test]
fn an_exploration_over_its_bound_is_reported_as_incomplete() {
    let plan = Rc::new(Plan::new(pair()).unwrap());
    let found = explore(&plan, Path::Fixed, Limits { states: 10 }, &mut |_| {});
    assert!(!found.complete);
    assert_eq!(found.orders, None);
}

#[test]
#[cfg_attr(miri, ignore = "thousands of states")]
fn steps_of_one_device_stay_in_their_order() {
    let mut plugged = pair();
    plugged.steps.push(Step::Remove("n".into()));
    let found = all_orders(&plugged, Path::Fixed);
    assert_eq!(broken(&found), [""; 0]);
    assert!(found.partitions.keys().all(|partition| partition.is_empty()));
}

#[test]
#[cfg_attr(miri, ignore = "tens of thousands of states")]
fn four_devices_two_iommus_and_three_drivers_hold_in_every_order() {
    let devices = vec![
        iommu("a"),
        iommu("b"),
        device("display", "drm", &[("a", 1), ("b", 2)]),
        device("n", "nic", &[("a", 3)]),
    ];
    let steps = ["add a", "add b", "add display", "add n", "register smmu", "register drm", "register nic"];
    let found = all_orders(&scenario(devices, &steps), Path::Fixed);
    assert!(found.complete);
    assert_eq!(broken(&found), [""; 0]);
    assert_eq!(found.partitions.len(), 1);
}
