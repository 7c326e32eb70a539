//! Random inputs, without libFuzzer: `random SEED COUNT`. Faster, and blind.

use std::time::Instant;

use viommu::model::hostile::{exercise, random_input};

/// Says how far it came, also when a promise was broken.
struct Progress {
    executions: u64,
    requests: u64,
    started: Instant,
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Self { executions, requests, started } = self;
        let rate = *executions as f64 / started.elapsed().as_secs_f64();
        println!("{executions} executions, {requests} requests, {rate:.0} executions per second");
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("SEED COUNT are numbers"));
    let (seed, count): (u64, u64) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut progress = Progress { executions: 0, requests: 0, started: Instant::now() };
    for _ in 0..count {
        progress.executions += 1;
        progress.requests += exercise(&random_input(|below| random.usize(..below))).requests;
    }
}
