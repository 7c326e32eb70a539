//! The mailbox in the interleavings of two CPUs.

extern crate std;

use std::sync::Arc;

use loom::thread;

use super::*;

/// A mailbox, and data whose visibility depends on the mailbox's guarantee alone.
struct Desk {
    mailbox: Mailbox,
    question: AtomicUsize,
    answer: AtomicUsize,
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Self { mailbox: Mailbox::new(), question: AtomicUsize::new(0), answer: AtomicUsize::new(0) })
    }

    fn ask(&self, question: usize) {
        self.question.store(question, Ordering::Relaxed);
        self.mailbox.post(question + 100).unwrap();
    }

    fn wait_for_answer(&self) -> usize {
        while !self.mailbox.is_empty() {
            thread::yield_now();
        }
        self.answer.load(Ordering::Relaxed)
    }

    /// Takes one word, processes it, and returns it.
    fn serve(&self) -> usize {
        let delivery = loop {
            match self.mailbox.take() {
                Some(delivery) => break delivery,
                None => thread::yield_now(),
            }
        };
        self.answer.store(self.question.load(Ordering::Relaxed) * 2, Ordering::Relaxed);
        let word = delivery.word();
        delivery.finish();
        word
    }
}

/// The bound on preemptions: every interleaving with at most this many is tried. A higher bound
/// takes minutes and has shown nothing else.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(check);
}

#[test]
fn writes_before_a_word_and_before_its_completion_are_visible() {
    model(|| {
        let desk = Desk::new();
        let other = thread::spawn({
            let desk = desk.clone();
            move || [desk.serve(), desk.serve()]
        });
        for question in [1, 2] {
            desk.ask(question);
            assert_eq!(desk.wait_for_answer(), question * 2);
        }
        assert_eq!(other.join().unwrap(), [101, 102]);
    });
}

#[test]
fn a_word_is_taken_once() {
    loom::model(|| {
        let desk = Desk::new();
        desk.ask(1);
        let other = thread::spawn({
            let desk = desk.clone();
            move || usize::from(desk.mailbox.take().is_some())
        });
        let here = usize::from(desk.mailbox.take().is_some());
        assert_eq!(here + other.join().unwrap(), 1);
    });
}

#[test]
fn no_word_replaces_unfinished_work() {
    loom::model(|| {
        let mailbox = Mailbox::new();
        mailbox.post(1).unwrap();
        assert!(mailbox.is_waiting());
        assert_eq!(mailbox.post(2), Err(Full));
        let delivery = mailbox.take().unwrap();
        assert!(!mailbox.is_waiting());
        assert_eq!(mailbox.post(2), Err(Full));
        assert_eq!(delivery.word(), 1);
        delivery.finish();
        assert_eq!(mailbox.post(2), Ok(()));
    });
}
