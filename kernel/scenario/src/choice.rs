//! A possible continuation of a world.

/// One possible continuation of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The step at this index of the scenario.
    Step(usize),
    /// One piece of the activity in progress at this index.
    Go(usize),
    /// The first piece of the queued activity at this index.
    Begin(usize),
}
