//! Groups: entering one, leaving it, and its default domain. All paths share it.

pub(crate) mod connected;
pub(crate) mod direct;
pub(crate) mod domain;
pub(crate) mod membership;
pub(crate) mod refusal;
pub(crate) mod regroup;
