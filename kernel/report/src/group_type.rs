//! The types of default domains.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The words of Linux's `/sys/kernel/iommu_groups/N/type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupType {
    /// Translated, invalidations flushed at once.
    #[serde(rename = "DMA")]
    Dma,
    /// Translated, invalidations flushed late.
    #[serde(rename = "DMA-FQ")]
    DmaFq,
    /// Untranslated.
    #[serde(rename = "identity")]
    Identity,
    /// No default domain.
    #[serde(rename = "unknown")]
    Unknown,
}

impl GroupType {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::DmaFq => "DMA-FQ",
            Self::Identity => "identity",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for GroupType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
