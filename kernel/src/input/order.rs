//! The order in which devices are added and drivers are registered: Linux's or the user's.
//!
//! On the path `fixed`, no order may change which devices share a group. Other orders exist to test
//! that.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::random::mix;

/// The user's order (`order=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `seed:N`: a shuffle that depends only on the number and the set of names.
    Seed(u64),
    /// Names of devices and drivers, separated by commas. [`REST`] stands for all other steps, in
    /// their usual order; without it, they come last.
    Named(Vec<String>),
}

/// Stands for the steps that are not named.
const REST: &str = "*";
/// Prefix of a seed.
const SEED: &str = "seed:";

/// An invalid order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A seed that is not a number.
    #[error("{0:?} is not a number below 2^64")]
    Seed(String),
    /// An empty name.
    #[error("expected seed:N, or names of devices and drivers")]
    NoName,
    /// A name that appears twice.
    #[error("{0} is listed twice")]
    Twice(String),
    /// A name that no step has.
    #[error("order={order}: no device or driver is named {name}")]
    Unknown {
        /// The names in the order.
        order: String,
        /// The one.
        name: String,
    },
}

impl Order {
    /// Reads the value of `order=`; the error describes what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, OrderError> {
        if let Some(seed) = text.strip_prefix(SEED) {
            return seed.parse().map(Self::Seed).map_err(|_| OrderError::Seed(seed.to_string()));
        }
        let names: Vec<String> = text.split(',').map(ToString::to_string).collect();
        for (number, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(OrderError::NoName);
            }
            if names[..number].contains(name) {
                return Err(OrderError::Twice(name.clone()));
            }
        }
        Ok(Self::Named(names))
    }

    /// Sorts steps into this order; `name` returns the name of a step.
    ///
    /// # Errors
    ///
    /// A name does not match any step: the machine is not the one that the user expects.
    pub(crate) fn arrange<T>(&self, mut steps: Vec<T>, name: fn(&T) -> &str) -> Result<Vec<T>, OrderError> {
        match self {
            Self::Seed(seed) => {
                steps.sort_by_cached_key(|step| place(*seed, name(step)));
                Ok(steps)
            }
            Self::Named(names) => arrange_by_names(names, steps, name),
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

fn arrange_by_names<T>(
    names: &[String],
    mut steps: Vec<T>,
    name: fn(&T) -> &str,
) -> Result<Vec<T>, OrderError> {
    let mut arranged = Vec::with_capacity(steps.len());
    let mut rest_at = None;
    for wanted in names {
        if wanted == REST {
            rest_at = Some(arranged.len());
            continue;
        }
        let Some(at) = steps.iter().position(|step| name(step) == wanted) else {
            return Err(OrderError::Unknown { order: names.join(","), name: wanted.clone() });
        };
        arranged.push(steps.remove(at));
    }
    let rest_at = rest_at.unwrap_or(arranged.len());
    arranged.splice(rest_at..rest_at, steps);
    Ok(arranged)
}

/// The sort key of a step for a seed.
///
/// It depends only on the seed and the name, so that one more or one fewer driver does not change
/// the order of the others.
fn place(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)))
}
