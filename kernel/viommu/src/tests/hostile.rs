//! Devices that do anything: as many as take a few seconds. `kernel/viommu/fuzz` runs many more.

use std::vec::Vec;

use crate::Death;
use crate::model::hostile::{Summary, exercise, random_input};

#[test]
fn a_driver_keeps_its_promises_whatever_the_device_does() {
    let executions = if cfg!(miri) { 20 } else { 200_000 };
    let mut random = fastrand::Rng::with_seed(10);
    let all: Vec<Summary> =
        (0..executions).map(|_| exercise(&random_input(|below| random.usize(..below)))).collect();

    // A generator whose devices are all refused, or all honest, would show nothing.
    let count = |is_so: fn(&Summary) -> bool| all.iter().filter(|summary| is_so(summary)).count();
    let seen = [
        ("started", count(|one| one.starts > 0)),
        ("started twice", count(|one| one.starts > 1)),
        ("refused at start", count(|one| one.refused_starts > 0)),
        ("compared ten times", count(|one| one.comparisons > 9)),
        ("sent more than a hundred requests", count(|one| one.requests > 100)),
        ("reported faults", count(|one| one.events > 0)),
        ("did not confirm a reset", count(|one| one.leaked_pages > 0)),
        ("was silent", count(|one| matches!(one.death, Some(Death::Silent { .. })))),
        ("named a wrong chain", count(|one| matches!(one.death, Some(Death::WrongChain { .. })))),
        ("answered unasked", count(|one| matches!(one.death, Some(Death::UnaskedAnswer)))),
        ("was out of step", count(|one| matches!(one.death, Some(Death::OutOfStep)))),
    ];
    for (what, times) in seen {
        std::println!("{what}: {times}");
        assert!(times * 1000 >= executions || cfg!(miri), "{times} of {executions} devices: {what}");
    }
}

#[test]
fn any_single_byte_from_either_end_is_an_input() {
    exercise(&[]);
    for byte in (0..=255).step_by(if cfg!(miri) { 51 } else { 1 }) {
        exercise(&[byte]);
        exercise(&[&[1; 40][..], &[byte; 40]].concat());
    }
}

#[test]
fn inputs_that_broke_a_promise_once_do_not_break_it_again() {
    // A joined UNMAP that was executed and not answered, and a refusal of the single ones.
    exercise(&[
        0x80, 0x00, 0x04, 0x00, 0x00, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0x15, 0xbc, 0xbd, 0xbc, 0xbc, 0xbc, 0xbc,
        0xbc, 0xbc, 0xbc, 0xbc, 0xbc, 0xbc, 0xb3, 0xb3, 0x48, 0xb3, 0x00, 0x00, 0x9d, 0x01, 0x00, 0x9d, 0x9d,
        0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0x9d, 0xbc, 0xbc,
        0x01, 0xbc, 0xbc, 0xbc, 0xbc, 0x00, 0x04, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0x15, 0x00, 0x00, 0x04, 0x00,
        0x00, 0x3b, 0x3c, 0x3c, 0x3c, 0x3c, 0x15,
    ]);
}
