//! One word of work at a time, from one CPU to another, and the word that it is done.

use core::fmt;

use crate::atomic::{AtomicU32, AtomicUsize, Ordering, constructor};

/// Nothing is posted, or what was posted is done.
const EMPTY: u32 = 0;
/// A word is there, and nobody has taken it.
const POSTED: u32 = 1;
/// The word was taken, and is being worked on.
const TAKEN: u32 = 2;

/// A place for one word, which one CPU posts and another one takes and finishes.
///
/// What was written before [`post`](Self::post) is visible to who [takes](Self::take); what was written before
/// [`finish`](Delivery::finish) is visible to who sees that the mailbox [is empty](Self::is_empty). A word that
/// was posted is taken once.
#[derive(Debug)]
pub struct Mailbox {
    state: AtomicU32,
    word: AtomicUsize,
}

/// A word that was taken and is to be worked on.
#[derive(Debug)]
#[must_use]
pub struct Delivery<'a> {
    mailbox: &'a Mailbox,
    word: usize,
}

/// What was posted before is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was posted before is not finished")
    }
}

impl core::error::Error for Full {}

impl Mailbox {
    constructor! {
        /// A mailbox in which nothing is.
        new: Self { state: AtomicU32::new(EMPTY), word: AtomicUsize::new(0) }
    }

    /// Posts `word`. One CPU posts, always the same one.
    ///
    /// # Errors
    ///
    /// What was posted before is not finished.
    pub fn post(&self, word: usize) -> Result<(), Full> {
        if !self.is_empty() {
            return Err(Full);
        }
        self.word.store(word, Ordering::Relaxed);
        // Release: the word, and all that was written before.
        self.state.store(POSTED, Ordering::Release);
        Ok(())
    }

    /// The word that was posted, if nobody has taken it.
    #[must_use]
    pub fn take(&self) -> Option<Delivery<'_>> {
        // Acquire: what the poster wrote. Exchanged, so that of several takers one gets it.
        self.state.compare_exchange(POSTED, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Delivery { mailbox: self, word: self.word.load(Ordering::Relaxed) })
    }

    /// Whether the word was posted and has not been taken.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Relaxed) == POSTED
    }

    /// Whether there is nothing to be done, and what there was is finished.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Acquire: what was written before it was finished.
        self.state.load(Ordering::Acquire) == EMPTY
    }
}

#[cfg(not(test))]
impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Delivery<'_> {
    /// What was posted.
    #[must_use]
    pub fn word(&self) -> usize {
        self.word
    }

    /// Says that the work is done, and that another word may be posted.
    pub fn finish(self) {
        // Release: all that was written before, for who posts next.
        self.mailbox.state.store(EMPTY, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
