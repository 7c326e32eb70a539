//! Facts about the run that show that the machine was the one meant, and the bound on its instructions.

use report::Report;

use crate::expect::Expect;

pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    let (run, expected) = (&report.run, &expect.run);
    let mut compare = |what: &str, expected: Option<u64>, is: u64| {
        if let Some(expected) = expected.filter(|expected| *expected != is) {
            found.push(format!("{what}: expected {expected}, is {is}"));
        }
    };
    compare("exception level", expected.exception_level.map(u64::from), run.exception_level.into());
    compare("CPUs", expected.cpus.map(u64::from), run.cpus.into());
    compare("MiB of RAM", expected.memory_mib, run.memory_bytes >> 20);
    for name in &expected.devices {
        if !report.devices.iter().any(|device| device.name == *name) {
            found.push(format!("{name} is not among the devices"));
        }
    }
    let instructions = report.timing_us.total * 1000;
    if let Some(bound) = expect.instructions_below.filter(|bound| instructions == 0 || instructions >= *bound)
    {
        found.push(format!("instructions: expected fewer than {bound}, are {instructions}"));
    }
    found
}
