//! Groups: entering one, leaving it, its domains, and its owner. All paths share it.

pub(crate) mod change_type;
pub(crate) mod connected;
pub(crate) mod direct;
pub(crate) mod domain;
pub(crate) mod membership;
pub(crate) mod ownership;
pub(crate) mod refusal;
pub(crate) mod regroup;
pub(crate) mod transfer;
