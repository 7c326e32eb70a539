//! The cases, by subject. Each file has a list; [`all`] is all lists.

mod attach;
mod attach_move;
mod bypass;
mod config;
mod detach;
mod framing;
mod limits;
mod malformed;
mod map;
mod overlap;
mod probe;
mod queue;
mod reserved;
mod reset;
mod split;
mod unmap;

use crate::case::Case;
use crate::script::Script;

/// Lists of cases, in the order in which they run.
const LISTS: [&[Case]; 14] = [
    config::CASES,
    bypass::CASES,
    attach::CASES,
    attach_move::CASES,
    detach::CASES,
    map::CASES,
    limits::CASES,
    unmap::CASES,
    reserved::CASES,
    probe::CASES,
    malformed::CASES,
    framing::CASES,
    queue::CASES,
    reset::CASES,
];

/// Lists of cases about intervals.
const SCRIPTS: [&[Script]; 2] = [overlap::SCRIPTS, split::SCRIPTS];

/// Every case.
pub fn all() -> impl Iterator<Item = Case> {
    let scripts = SCRIPTS.into_iter().flatten().map(Case::of_script);
    LISTS.into_iter().flatten().copied().chain(scripts)
}
