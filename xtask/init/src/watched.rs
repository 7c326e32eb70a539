//! Work in a second process: where the kernel fails in it, or never returns from it, the first one goes on.

use core::fmt;

use crate::system::{self, ChildEnd, Errno};

/// How long the second process may take. Loading a driver takes less than a second where the host is idle.
const DEADLINE_MS: u64 = 20_000;
/// How often it is looked at.
const INTERVAL_MS: u64 = 5;

/// How the work ended.
pub(crate) enum End {
    Done,
    Failed(Errno),
    /// The kernel killed the process that it failed in.
    Killed(i32),
    /// It did not end in time, and goes on.
    Hangs,
}

/// Does `work` in a second process and waits for its end.
pub(crate) fn run(work: impl FnOnce() -> Result<(), Errno>) -> End {
    let child = match system::fork() {
        Ok(Some(child)) => child,
        Ok(None) => system::exit(work().err().map_or(0, |error| error.0)),
        Err(error) => return End::Failed(error),
    };
    for _ in 0..DEADLINE_MS / INTERVAL_MS {
        match system::ended(child) {
            Ok(Some(ChildEnd::Exited(0))) => return End::Done,
            Ok(Some(ChildEnd::Exited(error))) => return End::Failed(Errno(error)),
            Ok(Some(ChildEnd::Killed(signal))) => return End::Killed(signal),
            Ok(None) => system::sleep_milliseconds(INTERVAL_MS),
            Err(error) => return End::Failed(error),
        }
    }
    End::Hangs
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed(error) => error.fmt(f),
            Self::Killed(signal) => write!(f, "killed-by-signal-{signal}"),
            Self::Hangs => f.write_str("hangs"),
        }
    }
}
