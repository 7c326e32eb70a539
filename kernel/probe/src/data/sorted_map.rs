//! A map as a sorted vector.
//!
//! Keys are numbers that are mostly added in ascending order, so that an insertion appends. In an emulator, which
//! translates the code of a tree for each type of key and value, that code costs more than a search here.

use alloc::vec::Vec;

/// Values in the order of their keys.
#[derive(Clone, Debug, Hash)]
pub(crate) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord, V> SortedMap<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let place = self.place(key).ok()?;
        Some(&self.0[place].1)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        Some(&mut self.0[place].1)
    }

    /// The value of `key`, which is `fresh` if there was none.
    pub(crate) fn get_or_insert(&mut self, key: K, fresh: V) -> &mut V {
        let place = match self.place(key) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (key, fresh));
                place
            }
        };
        &mut self.0[place].1
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Where `key` is, or where it belongs.
    #[inline(never)]
    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(known, _)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_after_insertion_in_any_order() {
        let mut map = SortedMap::default();
        for key in [5, 1, 3, 1] {
            *map.get_or_insert(key, 0) += key;
        }
        assert!(map.iter().copied().eq([(1, 2), (3, 3), (5, 5)]));
        assert_eq!(map.remove(3), Some(3));
        assert_eq!(map.remove(3), None);
        assert_eq!((map.get(5), map.get(2)), (Some(&5), None));
        *map.get_mut(1).unwrap() = 7;
        assert_eq!(map.get(1), Some(&7));
        assert!(!map.is_empty());
    }
}
