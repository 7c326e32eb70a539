//! The paths that probing can take.

use core::fmt;

/// A probe path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Two phases, and every invariant kept.
    #[default]
    Fixed,
    /// Linux 6.17 to 7.3.
    Upstream,
    /// Linux 6.15 to 6.16.3.
    Regressed,
    /// Linux 6.14 and older.
    Legacy,
}

impl Path {
    /// All paths, the newest first.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Upstream, Self::Regressed, Self::Legacy];

    /// The word on command lines and in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Upstream => "upstream",
            Self::Regressed => "regressed",
            Self::Legacy => "legacy",
        }
    }

    /// The path that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.word() == word)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
