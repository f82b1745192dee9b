//! A small map in the order of its keys, as a list: a tenth of the code of a B-tree for each pair of
//! types. Putting one in moves those behind it, so it is for hundreds of entries, or for such as
//! come nearly in order.

use std::borrow::Borrow;

use serde::{Serialize, Serializer};

/// Keys in order, each once, with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// Puts a value in, and answers the one that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Err(at) => self.0.insert(at, (key, value)),
            Ok(at) => return Some(std::mem::replace(&mut self.0.get_mut(at)?.1, value)),
        }
        None
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Takes a key's value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Changes the value of a key, which begins as the default.
    pub fn change(&mut self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let at = self.place(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        });
        if let Some((_, value)) = self.0.get_mut(at) {
            change(value);
        }
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// As an object, if its keys are texts.
impl<K: Serialize, V: Serialize> Serialize for Sorted<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..4_u8, 0..20_u8, 0..9_i64), 0..60)) {
            let (mut ours, mut oracle) = (Sorted::new(), BTreeMap::new());
            for (what, key, value) in steps {
                match what {
                    0 => {
                        let key = key.to_string();
                        prop_assert_eq!(ours.insert(key.clone(), value), oracle.insert(key, value));
                    }
                    1 => {
                        ours.change(key.to_string(), |held| *held += value);
                        *oracle.entry(key.to_string()).or_default() += value;
                    }
                    2 => {
                        let key = key.to_string();
                        prop_assert_eq!(ours.remove(&*key), oracle.remove(&key));
                    }
                    _ => {
                        let key = key.to_string();
                        prop_assert_eq!(ours.get(&*key), oracle.get(&key));
                        prop_assert_eq!(ours.get_mut(&*key), oracle.get_mut(&key));
                    }
                }
            }
            prop_assert_eq!(ours.is_empty(), oracle.is_empty());
            prop_assert!(ours.values().eq(oracle.values()));
            prop_assert_eq!(serde_json::to_string(&ours)?, serde_json::to_string(&oracle)?);
            prop_assert!(ours.into_iter().eq(oracle));
        }
    }
}
