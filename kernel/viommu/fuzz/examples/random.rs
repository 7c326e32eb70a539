//! Random inputs, without libFuzzer: `random SEED COUNT`. Faster, and blind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use viommu::model::hostile::{exercise, random_input};

static EXECUTIONS: AtomicU64 = AtomicU64::new(0);

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse().expect("SEED COUNT are numbers"));
    let (seed, count): (u64, u64) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    let started = Instant::now();
    let progress = move || {
        let executions = EXECUTIONS.load(Ordering::Relaxed);
        let rate = executions as f64 / started.elapsed().as_secs_f64();
        println!("seed {seed}: {executions} executions, {rate:.0} per second");
    };
    // A broken promise is a panic.
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        progress();
        default(panic);
    }));
    for _ in 0..count {
        if EXECUTIONS.fetch_add(1, Ordering::Relaxed) % 1_000_000 == 999_999 {
            progress();
        }
        exercise(&random_input(|below| random.usize(..below)));
    }
    progress();
}
