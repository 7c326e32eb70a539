//! What code that did not run to its end might have written to.

use alloc::vec::Vec;

use super::cursor::Cursor;
use super::heap::{Cause, UnknownSource};
use super::machine::Machine;
use super::opcode;

/// Most lists of terms, and most terms of all of them, that are looked through.
const MAX_LISTS: usize = 64;
const MAX_TERMS: usize = 1024;

impl<'a> Machine<'a> {
    /// Makes unknown what `terms` may write to, and the methods that they call: they were not run to their end.
    pub(super) fn spoil(&mut self, terms: Vec<Cursor<'a>>, scope: usize, place: (usize, usize)) {
        let mut open: Vec<(Cursor<'a>, usize)> = terms.into_iter().map(|terms| (terms, scope)).collect();
        let (mut seen, mut written, mut count) = (Vec::new(), Vec::new(), 0);
        let mut lists = 0;
        while let Some((mut list, scope)) = open.pop() {
            lists += 1;
            while lists <= MAX_LISTS && !list.is_empty() && count < MAX_TERMS {
                count += 1;
                let _ = self.count(1);
                let mut ahead = list;
                if let Ok(opcode::IF | opcode::ELSE | opcode::WHILE) = ahead.opcode() {
                    let Ok(inside) = ahead.package() else { break };
                    open.push((inside, scope));
                    list = ahead;
                    continue;
                }
                let tree = &self.tree;
                let skipped = list.skip_term(|name, is_written| {
                    let Some(node) = tree.resolve(scope, name) else { return 0 };
                    if is_written {
                        written.push(node);
                    }
                    let Some((arguments, body)) = tree.method(node) else { return 0 };
                    if !seen.contains(&node) {
                        seen.push(node);
                        open.push((body, node));
                    }
                    arguments
                });
                if skipped.is_err() {
                    break;
                }
            }
        }
        for node in written {
            self.forget(node, Cause { place, source: UnknownSource::Unfinished });
        }
    }
}
