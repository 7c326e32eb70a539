//! In which order devices are added and drivers registered: Linux's, or another one that the user asks for.
//!
//! On the path `fixed` no order may change which devices share a group. That is what other orders are for.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use probe::{Activity, BusId, Core, Driver, NewDevice};

use crate::hardware::Handle;

/// One thing that is done to the core before it is at rest. An IOMMU arrives with the later one of its device
/// and its driver.
pub(crate) enum Step {
    /// A device is put on its bus.
    Add(BusId, NewDevice<Handle>),
    /// A driver is registered.
    Register(Box<dyn Driver<Handle>>),
}

impl Step {
    /// Whether it registers a driver.
    pub(crate) fn is_driver(&self) -> bool {
        matches!(self, Self::Register(_))
    }

    /// Name of the device, or of the driver. No device has a driver's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Add(_, device) => &device.name,
            Self::Register(driver) => driver.name(),
        }
    }

    /// Does it.
    pub(crate) fn take(self, core: &mut Core<Handle>) {
        let mut rest = self.begin(core);
        while let Some(activity) = rest {
            rest = core.advance(activity);
        }
    }

    /// Begins it; what is left of it, if anything is.
    pub(crate) fn begin(self, core: &mut Core<Handle>) -> Option<Activity> {
        match self {
            Self::Add(bus, device) => core.begin_add_device(bus, device).1,
            Self::Register(driver) => {
                core.register_driver(driver);
                None
            }
        }
    }
}

/// What the user asks for (`order=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `seed:N`: shuffled, for each number and each set of names in one way.
    Seed(u64),
    /// Names of devices and drivers, separated by commas. [`REST`] stands for all that is not named, in the order
    /// in which it would be; without it, that comes last.
    Named(Vec<String>),
}

/// Stands for the steps that are not named.
const REST: &str = "*";
/// What a seed begins with.
const SEED: &str = "seed:";

impl Order {
    /// Reads the value of `order=`; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(seed) = text.strip_prefix(SEED) {
            return seed.parse().map(Self::Seed).map_err(|_| format!("{seed:?} is no number below 2^64"));
        }
        let names: Vec<String> = text.split(',').map(ToString::to_string).collect();
        for (number, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err("expected seed:N, or names of devices and drivers".to_string());
            }
            if names[..number].contains(name) {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(Self::Named(names))
    }

    /// Puts steps into this order.
    ///
    /// # Errors
    ///
    /// A name is that of no step: the machine is another one than the user thinks.
    pub(crate) fn arrange(&self, mut steps: Vec<Step>) -> Result<Vec<Step>, String> {
        match self {
            Self::Seed(seed) => {
                steps.sort_by_cached_key(|step| place(*seed, step.name()));
                Ok(steps)
            }
            Self::Named(names) => named(names, steps),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seed(seed) => write!(f, "{SEED}{seed}"),
            Self::Named(names) => f.write_str(&names.join(",")),
        }
    }
}

/// The names of steps, in their order, as [`Order::parse`] reads them.
pub(crate) fn names(steps: &[Step]) -> String {
    let names: Vec<&str> = steps.iter().map(Step::name).collect();
    names.join(",")
}

fn named(names: &[String], mut steps: Vec<Step>) -> Result<Vec<Step>, String> {
    let mut arranged = Vec::with_capacity(steps.len());
    let mut rest_at = None;
    for name in names {
        if name == REST {
            rest_at = Some(arranged.len());
            continue;
        }
        let Some(at) = steps.iter().position(|step| step.name() == name) else {
            return Err(format!("order={}: there is no device and no driver {name}", names.join(",")));
        };
        arranged.push(steps.remove(at));
    }
    let rest_at = rest_at.unwrap_or(arranged.len());
    arranged.splice(rest_at..rest_at, steps);
    Ok(arranged)
}

/// Where a step comes, for a seed: after those with lower numbers.
///
/// It depends on nothing but the two, so that a driver more or less leaves all others in their order.
fn place(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)))
}

/// A step of the generator SplitMix64, which spreads every bit over all.
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
