//! In which order devices are added and drivers registered: Linux's, or another one that the user asks for.
//!
//! On the path `fixed` no order may change which devices share a group. That is what other orders are for.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::random::mix;

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

/// An order that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A seed that is not a number.
    #[error("{0:?} is not a number below 2^64")]
    Seed(String),
    /// An empty name.
    #[error("expected seed:N, or names of devices and drivers")]
    NoName,
    /// A name that is there twice.
    #[error("{0} is listed twice")]
    Twice(String),
    /// A name that no step has.
    #[error("order={order}: no device or driver is named {name}")]
    Unknown {
        /// The names of the order.
        order: String,
        /// The one.
        name: String,
    },
}

impl Order {
    /// Reads the value of `order=`; the error says what is wrong with it.
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

    /// Puts steps, which `name` gives the names of, into this order.
    ///
    /// # Errors
    ///
    /// No step has one of the names: the machine is not the one that the user expects.
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

/// Where a step comes, for a seed: after those with lower numbers.
///
/// It depends on nothing but the two, so that a driver more or less leaves all others in their order.
fn place(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)))
}
