//! Which number has a name: a table that answers in the same time however many there are.

use crate::large::Large;
use crate::name::fold;

/// The numbers of things that are known by their names.
#[derive(Default)]
pub struct Numbers {
    /// What a name comes to, and its number, from the place on that the first leads to; an
    /// even number of places, a quarter of them free at least.
    places: Large<Option<(u32, u32)>>,
    count: usize,
}

impl Numbers {
    /// The number of `name`, which need not be folded, of those added so which `is_it` is right
    /// about.
    pub fn find(&self, name: &[u8], is_it: &dyn Fn(usize) -> bool) -> Option<usize> {
        let sum = sum(name);
        let mut at = sum as usize;
        while let Some((other, number)) =
            *self.places.get(at & self.places.len().wrapping_sub(1))?
        {
            if other == sum && is_it(number as usize) {
                return Some(number as usize);
            }
            at += 1;
        }
        None
    }

    /// The same; where there is none, `next` is added for `name`.
    pub fn find_or_add(
        &mut self,
        name: &[u8],
        next: usize,
        is_it: &dyn Fn(usize) -> bool,
    ) -> usize {
        self.find(name, is_it).unwrap_or_else(|| {
            self.add(name, next);
            next
        })
    }

    /// Adds `number`, which is less than 2³², for `name`.
    pub fn add(&mut self, name: &[u8], number: usize) {
        if self.count * 4 >= self.places.len() * 3 {
            let more = (self.places.len() * 2).max(64);
            let places = std::mem::replace(&mut self.places, Large(vec![None; more]));
            places.iter().flatten().for_each(|&(sum, number)| self.put(sum, number));
        }
        self.count += 1;
        self.put(sum(name), number as u32);
    }

    fn put(&mut self, sum: u32, number: u32) {
        let mut at = sum as usize;
        let last = self.places.len().wrapping_sub(1);
        while let Some(place) = self.places.0.get_mut(at & last) {
            if place.is_none() {
                *place = Some((sum, number));
                return;
            }
            at += 1;
        }
    }
}

/// FNV-1a of the folded name, with the high bits among the low ones, which count here.
fn sum(name: &[u8]) -> u32 {
    let add = |sum: u32, c: &u8| (sum ^ u32::from(fold(*c))).wrapping_mul(0x0100_0193);
    let sum = name.iter().fold(0x811c_9dc5, add);
    sum ^ (sum >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_many_is_found_and_no_other() {
        let names: Vec<String> = (0..5000).map(|number| format!("snd_{number}")).collect();
        let mut numbers = Numbers::default();
        assert_eq!(numbers.find(b"snd_1", &|_| true), None);
        for (number, name) in names.iter().enumerate() {
            numbers.add(name.as_bytes(), number);
        }
        for (number, name) in names.iter().enumerate() {
            assert_eq!(numbers.find(name.as_bytes(), &|at| names[at] == *name), Some(number));
        }
        assert_eq!(numbers.find(b"snd_5000", &|at| names[at] == "snd_5000"), None);
    }

    #[test]
    fn two_of_one_name_are_told_apart() {
        let mut numbers = Numbers::default();
        numbers.add(b"a", 0);
        numbers.add(b"a", 1);
        assert_eq!(numbers.find(b"a", &|at| at == 1), Some(1));
        assert_eq!(numbers.find(b"a", &|at| at == 2), None);
    }
}
