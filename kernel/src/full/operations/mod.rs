//! Operations on devices and their groups after the boot, as an administrator does them through sysfs, or an owner like
//! VFIO (`then=`).

pub(crate) mod error;
pub(crate) mod operation;
pub(crate) mod run;
