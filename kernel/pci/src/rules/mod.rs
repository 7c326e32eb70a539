//! Which functions share an IOMMU group: ACS, requester ID aliases, Linux's grouping rules, quirks.

pub(crate) mod acs;
pub(crate) mod alias;
pub(crate) mod config_acs;
pub(crate) mod group;
pub(crate) mod quirks;
pub(crate) mod trust;
