//! What needs a second CPU: binds on it, a self-test, and races of a scenario.

pub(crate) mod binds;
mod confined;
pub(crate) mod error;
mod lock;
pub(crate) mod on_demand;
pub(crate) mod options;
pub(crate) mod race;
pub(crate) mod results;
mod rounds;
pub(crate) mod second_cpu;
pub(crate) mod self_test;
