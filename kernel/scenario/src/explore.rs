//! Every order of a scenario's steps, and every interleaving of what follows from them.
//!
//! The states of a machine form a graph; paths that reach the same state continue as one. The
//! search is breadth first, so the first path that is found to a broken invariant is a shortest
//! one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use probe::Path;
use xxhash_rust::xxh3::xxh3_128;

use crate::choice::Choice;
use crate::plan::Plan;
use crate::spec::Scenario;
use crate::step::Step;
use crate::world::{Partition, World};

/// Bounds of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// It ends incomplete at this number of states.
    pub states: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states: 4_000_000 }
    }
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The path.
    pub path: Path,
    /// Number of different states.
    pub states: usize,
    /// Number of transitions between states.
    pub transitions: usize,
    /// Number of different orders from the start to a final state; `None` if it does not fit into
    /// 128 bits.
    pub orders: Option<u128>,
    /// Partitions in final states, and the number of final states with each.
    pub partitions: BTreeMap<Partition, usize>,
    /// Invariants that some order breaks.
    pub broken: Vec<Broken>,
    /// Whether every state was visited.
    pub complete: bool,
}

/// An invariant that some order breaks.
#[derive(Clone, Debug)]
pub struct Broken {
    /// `I1` to `I11`.
    pub id: &'static str,
    /// The violation.
    pub by: String,
    /// A shortest order that breaks it, as a separate scenario.
    pub shortest: Scenario,
}

/// One state that was found.
struct Found {
    from: usize,
    choice: Choice,
}

/// Tries every order of the scenario's steps on a path. Calls `progress` regularly with the number
/// of states.
#[must_use]
pub fn explore(plan: &Rc<Plan>, path: Path, limits: Limits, progress: &mut dyn FnMut(usize)) -> Exploration {
    let steps = plan.scenario().steps.len();
    let mut search = Search {
        plan,
        path,
        numbers: HashMap::new(),
        bytes: Bytes::default(),
        found: Vec::new(),
        edges: Vec::new(),
        broken: Vec::new(),
        partitions: BTreeMap::new(),
        ends: Vec::new(),
    };
    let mut queue: VecDeque<(usize, World, Vec<bool>)> = VecDeque::new();
    let mut first = World::new(plan, path);
    let start = search.number(&mut first, &vec![false; steps], 0, Choice::Go(0)).0;
    queue.push_back((start, first, vec![false; steps]));
    let mut complete = true;
    while let Some((number, world, done)) = queue.pop_front() {
        if search.found.len() >= limits.states {
            complete = false;
            break;
        }
        let choices = world.choices(&done, plan.scenario().cpus);
        if choices.is_empty() {
            *search.partitions.entry(world.partition()).or_default() += 1;
            search.ends.push(number);
        }
        let mut world = Some(world);
        let last = choices.len();
        for (place, choice) in choices.into_iter().enumerate() {
            // The last choice takes the machine itself instead of a copy.
            let taken = if place + 1 == last { world.take() } else { world.as_ref().map(World::fork) };
            let Some(mut next) = taken else { break };
            let mut next_done = done.clone();
            next.follow(choice);
            if let Choice::Step(place) = choice {
                next_done[place] = true;
            }
            let (next_number, is_new) = search.number(&mut next, &next_done, number, choice);
            search.edges.push((number, next_number));
            if is_new {
                queue.push_back((next_number, next, next_done));
                if search.found.len().is_multiple_of(1024) {
                    progress(search.found.len());
                }
            }
        }
    }
    Exploration {
        path,
        states: search.found.len(),
        transitions: search.edges.len(),
        orders: if complete { search.orders(start) } else { None },
        partitions: search.partitions,
        broken: search.broken,
        complete,
    }
}

struct Search<'a> {
    plan: &'a Rc<Plan>,
    path: Path,
    /// The number of each state, by a hash of it.
    numbers: HashMap<u128, usize>,
    bytes: Bytes,
    found: Vec<Found>,
    edges: Vec<(usize, usize)>,
    broken: Vec<Broken>,
    partitions: BTreeMap<Partition, usize>,
    ends: Vec<usize>,
}

impl Search<'_> {
    /// The number of a state, and whether the state is new. A state at rest is checked first.
    fn number(&mut self, world: &mut World, done: &[bool], from: usize, choice: Choice) -> (usize, bool) {
        if world.is_at_rest() {
            world.rest();
        }
        world.forget_what_happened();
        let key = self.bytes.of(world, done);
        if let Some(number) = self.numbers.get(&key) {
            return (*number, false);
        }
        let number = self.found.len();
        self.numbers.insert(key, number);
        self.found.push(Found { from, choice });
        if !world.breaks_something() {
            return (number, true);
        }
        for verdict in world.invariants() {
            if let Some(by) = verdict.broken_by
                && !self.broken.iter().any(|broken| broken.id == verdict.id)
            {
                let shortest = self.way_to(number);
                self.broken.push(Broken { id: verdict.id, by, shortest });
            }
        }
        (number, true)
    }

    /// The path to a state, as a scenario that repeats it.
    fn way_to(&self, number: usize) -> Scenario {
        let mut choices = Vec::new();
        let mut at = number;
        while at != 0 {
            choices.push(self.found[at].choice);
            at = self.found[at].from;
        }
        let mut world = World::new(self.plan, self.path);
        let mut steps: Vec<Step> = Vec::new();
        for choice in choices.into_iter().rev() {
            steps.extend(world.follow_in_steps(choice));
        }
        steps.push(Step::Rest);
        Scenario { stepwise: true, steps, expect: BTreeMap::new(), ..self.plan.scenario().clone() }
    }

    /// Number of different paths from the first state to a final one.
    fn orders(&self, start: usize) -> Option<u128> {
        let mut incoming = vec![0usize; self.found.len()];
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.found.len()];
        for (from, to) in &self.edges {
            incoming[*to] += 1;
            next[*from].push(*to);
        }
        let mut ways = vec![0u128; self.found.len()];
        ways[start] = 1;
        let mut ready = vec![start];
        let mut visited = 0;
        while let Some(at) = ready.pop() {
            visited += 1;
            for to in &next[at] {
                ways[*to] = ways[*to].checked_add(ways[at])?;
                incoming[*to] -= 1;
                if incoming[*to] == 0 {
                    ready.push(*to);
                }
            }
        }
        if visited < self.found.len() {
            return None;
        }
        self.ends.iter().try_fold(0u128, |sum, end| sum.checked_add(ways[*end]))
    }
}

/// The content of a state as bytes. Hashing them at once is several times as fast as hashing each
/// field, and the hash is wide enough to identify a state.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(&mut self, world: &World, done: &[bool]) -> u128 {
        self.0.clear();
        world.hash_state(self);
        done.hash(self);
        xxh3_128(&self.0)
    }
}

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Never called: [`Bytes::of`] returns all of it.
    fn finish(&self) -> u64 {
        xxh3_128(&self.0) as u64
    }
}
