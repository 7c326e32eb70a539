//! Why a function is in its isolation class, and what would have to change for it to be alone there.
//!
//! Nothing is decided here: the facts come from the functions by which [`Topology::group`] decides, and the last one from
//! that algorithm itself, on a copy of the topology in which other functions isolate.

use alloc::vec::Vec;

use crate::function::acs::{AcsFlags, AcsRegisters};
use crate::function::index::FunctionIndex;
use crate::rules::alias::Alias;
use crate::rules::group::IsolationClass;
use crate::topology::Topology;

/// The facts that decide in which isolation class a function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The requester IDs of its requests, each with the function that causes it.
    pub requesters: Vec<Alias>,
    /// The bridges from its bus to the root, nearest first.
    pub bridges: Vec<FunctionIndex>,
    /// The other functions in its slot.
    pub siblings: Vec<FunctionIndex>,
    /// Its class, with the rule that put it there.
    pub class: IsolationClass,
    /// All functions of the class, itself included, in topology order.
    pub members: Vec<FunctionIndex>,
    /// Functions that have to isolate for it to be alone: none of them is superfluous, and there are none if it is alone
    /// already. `None` if it would share its class even if every function with ACS registers isolated.
    pub alone_if: Option<Vec<FunctionIndex>>,
}

impl Topology {
    /// Explains the isolation class of `function`.
    #[must_use]
    pub fn explain(&self, function: FunctionIndex) -> Explanation {
        let mut requesters = Vec::new();
        self.aliases(function, |alias| {
            requesters.push(alias);
            None::<()>
        });
        let bus = self.bus_of(&self[function]);
        let device = self[function].address.devfn.device();
        let in_slot = |other: &FunctionIndex| self[*other].address.devfn.device() == device;
        let classes = self.isolation_classes();
        let class = classes[function.place()].clone();
        let in_class = |index: &FunctionIndex| classes[index.place()].leader == class.leader;
        Explanation {
            requesters,
            bridges: self.bridges_above(function).collect(),
            siblings: self.functions_of(bus).filter(|other| *other != function).filter(in_slot).collect(),
            members: self.indices().filter(in_class).collect(),
            alone_if: self.alone_if(function),
            class,
        }
    }

    /// See [`Explanation::alone_if`].
    fn alone_if(&self, function: FunctionIndex) -> Option<Vec<FunctionIndex>> {
        // Only members of the class can be in the way: any other function is in a class of its own already.
        let classes = self.isolation_classes();
        let leader = classes[function.place()].leader;
        let is_in_the_way = |index: &FunctionIndex| classes[index.place()].leader == leader;
        let mut isolating: Vec<FunctionIndex> = self
            .indices()
            .filter(is_in_the_way)
            .filter(|index| !self[*index].isolates() && self.isolating([*index])[*index].isolates())
            .collect();
        let is_alone = |isolating: &[FunctionIndex]| {
            let classes = self.isolating(isolating.iter().copied()).isolation_classes();
            let leader = classes[function.place()].leader;
            classes.iter().filter(|class| class.leader == leader).count() == 1
        };
        if !is_alone(&isolating) {
            return None;
        }
        // People expect to read of the function itself and of the nearest bridge, so others are left out first.
        let bridges: Vec<FunctionIndex> = self.bridges_above(function).collect();
        isolating.sort_by_key(|index| match bridges.iter().position(|bridge| bridge == index) {
            _ if *index == function => usize::MAX,
            Some(distance) => usize::MAX - 1 - distance,
            None => 0,
        });
        let mut place = 0;
        while place < isolating.len() {
            let left_out = isolating.remove(place);
            if !is_alone(&isolating) {
                isolating.insert(place, left_out);
                place += 1;
            }
        }
        isolating.sort_unstable();
        Some(isolating)
    }

    /// A copy in which these functions have all ACS bits that isolation takes, as far as registers decide that.
    fn isolating(&self, functions: impl IntoIterator<Item = FunctionIndex>) -> Self {
        let mut copy = self.clone();
        for index in functions {
            let (capability, control) = (AcsFlags::ISOLATION, AcsFlags::ISOLATION);
            let acs =
                copy[index].acs.unwrap_or(AcsRegisters { offset: 0, capability, control, is_chosen: false });
            copy.function_mut(index).acs = Some(AcsRegisters { capability, control, ..acs });
        }
        copy
    }
}
