//! A map from endpoint IDs to values, as a sorted vector.
//!
//! Endpoints are mostly added in ascending order, so that an insertion appends. In an emulator, the
//! translation of a tree's code would cost more than a search in this vector.

use alloc::vec::Vec;

use addr::EndpointId;

/// A value for some endpoints.
#[derive(Debug)]
pub(crate) struct ByEndpoint<V>(Vec<(EndpointId, V)>);

impl<V> Default for ByEndpoint<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> ByEndpoint<V> {
    fn place(&self, endpoint: EndpointId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&endpoint, |(known, _)| *known)
    }

    pub(crate) fn get(&self, endpoint: EndpointId) -> Option<&V> {
        let place = self.place(endpoint).ok()?;
        Some(&self.0[place].1)
    }

    pub(crate) fn insert(&mut self, endpoint: EndpointId, value: V) {
        match self.place(endpoint) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (endpoint, value)),
        }
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointId) -> Option<V> {
        let place = self.place(endpoint).ok()?;
        Some(self.0.remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_after_insertion_in_any_order() {
        let mut values = ByEndpoint::default();
        for number in [5, 1, 3, 1] {
            values.insert(EndpointId(number), number);
        }
        assert_eq!(values.get(EndpointId(1)), Some(&1));
        assert_eq!(values.remove(EndpointId(3)), Some(3));
        assert_eq!(values.remove(EndpointId(3)), None);
        assert_eq!(values.get(EndpointId(5)), Some(&5));
        assert_eq!(values.get(EndpointId(2)), None);
    }
}
