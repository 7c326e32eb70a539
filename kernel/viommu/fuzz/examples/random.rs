//! Random inputs, without libFuzzer: `random SEED COUNT`. Faster, and blind.

use std::time::Instant;

use viommu::model::hostile::{exercise, random_input};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("SEED COUNT are numbers"));
    let (seed, count): (u64, u64) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    let started = Instant::now();
    let mut requests = 0;
    for done in 1..=count {
        requests += exercise(&random_input(|below| random.usize(..below))).requests;
        if done % 1_000_000 == 0 || done == count {
            let rate = done as f64 / started.elapsed().as_secs_f64();
            println!("seed {seed}: {done} executions, {requests} requests, {rate:.0} executions per second");
        }
    }
}
