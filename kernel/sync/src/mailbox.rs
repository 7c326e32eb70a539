//! Hands one word of work at a time from one CPU to another, and signals its completion.

use core::fmt;

use crate::atomic::{AtomicU32, AtomicUsize, Ordering, constructor};

/// No word is posted, or the posted word is finished.
const EMPTY: u32 = 0;
/// A word is posted and has not been taken.
const POSTED: u32 = 1;
/// The word was taken, and is being worked on.
const TAKEN: u32 = 2;

/// A slot for one word, which one CPU posts and another one takes and finishes.
///
/// All writes before [`post`](Self::post) are visible to the CPU that [takes](Self::take) the word.
/// All writes before [`finish`](Delivery::finish) are visible to a CPU for which
/// [`is_empty`](Self::is_empty) returned true. A posted word is taken once.
#[derive(Debug)]
pub struct Mailbox {
    state: AtomicU32,
    word: AtomicUsize,
}

/// A word that was taken and must be processed.
#[derive(Debug)]
#[must_use]
pub struct Delivery<'a> {
    mailbox: &'a Mailbox,
    word: usize,
}

/// The previous word is not finished.
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
        /// An empty mailbox.
        new: Self { state: AtomicU32::new(EMPTY), word: AtomicUsize::new(0) }
    }

    /// Posts `word`. One CPU posts, always the same one.
    ///
    /// # Errors
    ///
    /// The previous word is not finished.
    pub fn post(&self, word: usize) -> Result<(), Full> {
        if !self.is_empty() {
            return Err(Full);
        }
        self.word.store(word, Ordering::Relaxed);
        // Release: the word, and all that was written before.
        self.state.store(POSTED, Ordering::Release);
        Ok(())
    }

    /// Takes the posted word, unless it has been taken already.
    #[must_use]
    pub fn take(&self) -> Option<Delivery<'_>> {
        // Acquire: sees the poster's writes. An exchange, so that only one of several takers gets
        // the word.
        self.state.compare_exchange(POSTED, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Delivery { mailbox: self, word: self.word.load(Ordering::Relaxed) })
    }

    /// Whether the word was posted and has not been taken.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Relaxed) == POSTED
    }

    /// Whether no word is posted and the previous one is finished.
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

    /// Marks the work as done, so that another word may be posted.
    pub fn finish(self) {
        // Release: all earlier writes are visible to the next post.
        self.mailbox.state.store(EMPTY, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
