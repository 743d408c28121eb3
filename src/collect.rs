//! Lists from iterators in little code.
//!
//! The standard library's `collect` makes a few hundred bytes at each place where the
//! iterator does not know its length: it takes the first item apart from the others to
//! find out how much room there has to be. Most lists here are short.

/// What every iterator has besides.
pub trait Collect: Iterator + Sized {
    /// All items, in order.
    fn vec(self) -> Vec<Self::Item> {
        let mut items = Vec::new();
        for item in self {
            items.push(item);
        }
        items
    }
}

impl<I: Iterator> Collect for I {}
