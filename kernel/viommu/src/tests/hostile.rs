//! Devices that do anything: as many as take a few seconds. `kernel/viommu/fuzz` runs many more.

use std::vec::Vec;

use crate::Death;
use crate::model::hostile::{Summary, exercise};

/// The most bytes of one execution.
const MAX_INPUT: usize = 200;

/// An input in which most bytes let the device do what it should.
fn input(random: &mut fastrand::Rng) -> Vec<u8> {
    let calm = random.u8(..);
    (0..random.usize(..MAX_INPUT))
        .map(|_| if random.u8(..) < calm { random.u8(..128) } else { random.u8(..) })
        .collect()
}

#[test]
fn a_driver_keeps_its_promises_whatever_the_device_does() {
    let executions = if cfg!(miri) { 20 } else { 200_000 };
    let mut random = fastrand::Rng::with_seed(10);
    let all: Vec<Summary> = (0..executions).map(|_| exercise(&input(&mut random))).collect();
    let count = |is_so: fn(&Summary) -> bool| all.iter().filter(|summary| is_so(summary)).count();
    std::println!(
        "started {} refused {} calls {} requests {} refusals {} comparisons {} events {} leaked {}",
        count(|s| s.starts > 0),
        count(|s| s.refused_starts > 0),
        all.iter().map(|s| s.calls).sum::<u32>(),
        all.iter().map(|s| s.requests).sum::<u64>(),
        all.iter().map(|s| s.refusals).sum::<u32>(),
        all.iter().map(|s| s.comparisons).sum::<u32>(),
        all.iter().map(|s| s.events).sum::<u64>(),
        count(|s| s.leaked_pages > 0),
    );
    std::println!(
        "silent {} wrong chain {} unasked {} broken {} out of step {}",
        count(|s| matches!(s.death, Some(Death::Silent { .. }))),
        count(|s| matches!(s.death, Some(Death::WrongChain { .. }))),
        count(|s| matches!(s.death, Some(Death::UnaskedAnswer))),
        count(|s| matches!(s.death, Some(Death::QueueBroken(_)))),
        count(|s| matches!(s.death, Some(Death::OutOfStep))),
    );
}
