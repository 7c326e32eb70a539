//! Long sequences of arrivals, removals, unbinds, claims and changes of type, which end in the groups of a boot.

use super::model::{Action, Machine, Spec, assert_no_leftover, behind, iommu, machine, on};
use crate::TypeRequest;

/// Whatever has come, gone, been unbound, claimed and given up before: once all is there, all is as after a boot.
#[test]
fn any_history_ends_in_the_groups_of_a_boot() {
    let chain =
        [iommu("u", 100), behind("v", 200, &[(100, 8)]), behind("w", 300, &[(100, 9), (200, 9)])].into();
    let ring = vec![
        behind("u", 100, &[(200, 8)]),
        behind("v", 200, &[(100, 8)]),
        behind("w", 300, &[(100, 9), (200, 9)]),
    ];
    histories(chain, &[&["v"], &["w"]]);
    histories(ring, &[&["w"]]);
}

/// Tries histories of three IOMMUs, whose own groups are `groups`, and of their users.
fn histories(iommus: Vec<Spec>, groups: &[&[&str]]) {
    let idle = |spec| Spec { driver: "port", ..spec };
    let users = [
        on("a", &[(100, 1)]),
        on("all", &[(100, 2), (200, 2), (300, 2)]),
        idle(on("link", &[(200, 2), (300, 3)])),
        Spec { platform: true, ..on("p", &[(200, 4), (300, 4)]) },
        Spec { leader: "a", ..on("x", &[(300, 3)]) },
    ];
    let specs = [iommus, users.into()].concat();
    let expected = [&[&["a", "all", "link", "x"][..], &["p"]], groups].concat();
    let mut boot = machine(specs.clone());
    boot.boot();
    assert_eq!(boot.partition(), expected);
    let mut claimed = 0;
    for seed in 1..=HISTORIES {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut m = machine(specs.clone());
        for driver in ["iommu", "port", "client"] {
            m.act(Action::Register(driver));
        }
        for _ in 0..20 {
            let (index, verb) = (rng.usize(..specs.len()), rng.usize(..16));
            let name = specs[index].name;
            match (is_there(&m, name), verb) {
                (false, _) => m.act(Action::Add(index)),
                (true, 0..3) => m.act(Action::Remove(name)),
                (true, 3..7) => m.act(Action::Unbind(name)),
                (true, 7..11) => m.act(Action::Rebind(name)),
                (true, 11) => m.act(Action::Expire),
                (true, 12..14) => m.act(Action::Claim(OWNERS[rng.usize(..OWNERS.len())], name)),
                (true, 14) => m.act(Action::Release(OWNERS[rng.usize(..OWNERS.len())])),
                (true, _) => m.act(Action::Type(name, TypeRequest::ALL[rng.usize(..TypeRequest::ALL.len())])),
            }
            for _ in 0..rng.usize(..6) {
                m.core.step();
            }
            if rng.u8(..4) == 0 {
                m.core.settle();
            }
            claimed += m.owned.len();
        }
        for owner in OWNERS {
            while m.owned.iter().any(|(other, _)| *other == owner) {
                m.act(Action::Release(owner));
            }
        }
        for (index, spec) in specs.iter().enumerate() {
            if !is_there(&m, spec.name) {
                m.act(Action::Add(index));
            }
        }
        m.core.settle();
        for spec in &specs {
            m.act(Action::Rebind(spec.name));
        }
        m.core.settle();
        assert_eq!(m.partition(), boot.partition(), "seed {seed}");
        assert_eq!(m.bound(), boot.bound(), "seed {seed}");
        assert_no_leftover(&m);
        m.assert_invariants();
    }
    assert!(claimed > 0);
}

const OWNERS: [&str; 2] = ["vfio", "iommufd"];

/// A few seconds' worth.
const HISTORIES: u64 = if cfg!(miri) { 2 } else { 1000 };

fn is_there(machine: &Machine, name: &str) -> bool {
    machine.core.devices().any(|device| device.name() == name)
}
