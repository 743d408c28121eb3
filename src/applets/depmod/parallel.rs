//! Work on many things with several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::kernel::with_threads;

/// Of each thread: what is large is not there.
const STACK: usize = 1 << 20;

/// Calls `work` for each number below `count`, on `jobs` threads; the results, in the
/// order of the numbers. Each thread hands its own `S` from call to call.
///
/// Where no more threads can be started, those that there are do it all.
pub fn in_parallel<S: Default, T: Send + Default>(
    jobs: usize,
    count: usize,
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    all.resize_with(count, T::default);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(all));
    let run = |_| {
        let mut own = S::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let result = work(&mut own, number);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = all.get_mut(number) {
                *slot = result;
            }
        }
    };
    with_threads(jobs.min(count).saturating_sub(1), STACK, &run, |_| run(0));
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn results_are_in_order() {
        for jobs in [1, 2, 7] {
            let doubled = in_parallel(jobs, 100, |calls: &mut usize, number| {
                *calls += 1;
                number * 2
            });
            assert_eq!(doubled, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        }
        assert!(in_parallel(4, 0, |(), number| number).is_empty());
    }
}
