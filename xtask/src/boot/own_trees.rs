//! QEMU's own trees, each written once: many boots of a run have the same machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::Boot;

/// A tree, once QEMU has written it.
type OwnTree = Arc<Mutex<Option<Vec<u8>>>>;

/// The trees that have been asked for, by the command that makes QEMU write one.
#[derive(Default)]
pub(crate) struct OwnTrees(Mutex<BTreeMap<Vec<String>, OwnTree>>);

impl OwnTrees {
    /// QEMU's own tree for the machine of a boot.
    ///
    /// # Errors
    ///
    /// As [`Boot::own_tree`].
    pub(crate) fn of(&self, boot: &Boot) -> Result<Vec<u8>> {
        // A boot that panicked has not changed a tree.
        let tree = {
            let mut trees = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trees.entry(boot.machine.dump_tree()).or_default())
        };
        // Boots of other machines do not wait for this one.
        let mut tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        match &*tree {
            Some(blob) => Ok(blob.clone()),
            None => Ok(tree.insert(boot.own_tree()?).clone()),
        }
    }
}
