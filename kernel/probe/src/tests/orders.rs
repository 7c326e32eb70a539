//! Every order of adding devices and registering drivers gives the same groups and the same binds.

use super::model::{Action, Machine, Spec, function, iommu};
use crate::DomainPolicy;

/// A link between two devices whose drivers are bound may come at any time, and go.
#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn a_link_between_bound_devices_in_any_order() {
    let link = Spec { refs: vec![(100, 1), (100, 2)], ..function("link", 0) };
    let specs = vec![iommu("v", 100), function("a", 1), function("b", 2), link];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a", "b", "link"]]);
}

/// Every order of `actions`, by Heap's algorithm.
pub(crate) fn orders(actions: &mut Vec<Action>, size: usize, visit: &mut impl FnMut(&[Action])) {
    if size <= 1 {
        return visit(actions);
    }
    for i in 0..size {
        orders(actions, size - 1, visit);
        actions.swap(if size.is_multiple_of(2) { i } else { 0 }, size - 1);
    }
}

/// Runs every order twice: settling at the end only, and after every action.
pub(crate) fn same_in_all_orders(
    specs: Vec<Spec>,
    drivers: &[&'static str],
    prepare: impl Fn(&Machine),
    groups: &[&[&str]],
) {
    let mut actions: Vec<Action> = (0..specs.len()).map(Action::Add).collect();
    actions.extend(drivers.iter().map(|driver| Action::Register(driver)));
    let count = actions.len();
    let mut tried = 0;
    orders(&mut actions, count, &mut |order| {
        for settle_often in [false, true] {
            let mut machine = Machine::new(specs.clone(), DomainPolicy::default());
            prepare(&machine);
            for action in order {
                machine.act(*action);
                if settle_often {
                    machine.core.settle();
                }
            }
            machine.core.settle();
            assert_eq!(machine.partition(), groups, "{order:?}");
            assert_eq!(machine.bound().len(), specs.len(), "{order:?}");
            machine.assert_invariants();
            tried += 1;
        }
    });
    assert_eq!(tried, 2 * (1..=count).product::<usize>());
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn one_iommu_and_a_pair_that_cannot_be_isolated() {
    let specs =
        vec![iommu("v", 100), function("a", 1), function("b", 2), Spec { leader: "b", ..function("c", 3) }];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a"], &["b", "c"]]);
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn two_iommus_and_a_device_on_both() {
    let both = Spec { refs: vec![(100, 9), (200, 9)], ..function("both", 0) };
    let second = Spec { refs: vec![(200, 1)], ..function("b", 0) };
    let specs = vec![iommu("v", 100), iommu("w", 200), function("a", 1), second, both];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a"], &["b"], &["both"]]);
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn a_sibling_whose_endpoint_is_unknown() {
    let specs = vec![
        iommu("v", 100),
        function("lost", 1),
        function("a", 2),
        Spec { leader: "lost", ..function("b", 3) },
    ];
    let unknown = |machine: &Machine| {
        machine.iommu("v").unknown.insert(1);
    };
    same_in_all_orders(specs, &["iommu", "client"], unknown, &[&["a"], &["b"]]);
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn an_iommu_that_the_map_covers_and_a_platform_device() {
    let own = Spec { refs: vec![(100, 8)], ..iommu("v", 100) };
    let specs = vec![own, function("a", 1), Spec { platform: true, ..function("p", 2) }];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a"], &["p"]]);
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn devices_that_share_an_endpoint_across_classes() {
    // Without a driver for the sharers, so that two groups may still become one.
    let idle = |name, endpoints: &[u32]| Spec {
        driver: "iommu-none",
        refs: endpoints.iter().map(|endpoint| (100, *endpoint)).collect(),
        ..Spec { name, ..Spec::default() }
    };
    let specs =
        vec![iommu("v", 100), idle("a", &[1]), idle("b", &[2]), idle("link", &[1, 2]), idle("c", &[3])];
    let mut actions: Vec<Action> = (0..specs.len()).map(Action::Add).collect();
    actions.push(Action::Register("iommu"));
    let count = actions.len();
    orders(&mut actions, count, &mut |order| {
        let mut machine = Machine::new(specs.clone(), DomainPolicy::default());
        for action in order {
            machine.act(*action);
            machine.core.settle();
        }
        assert_eq!(machine.partition(), [vec!["a", "b", "link"], vec!["c"]], "{order:?}");
        machine.assert_invariants();
    });
}
