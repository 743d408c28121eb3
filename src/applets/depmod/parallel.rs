//! Work on many things with several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// Calls `work` for each number below `count`, on `jobs` threads; the results, in the
/// order of the numbers. Each thread hands its own `S` from call to call.
///
/// Where no more threads can be started, those that there are do it all.
pub fn in_parallel<S: Default, T: Send + Default>(
    jobs: usize,
    count: usize,
    work: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut own = S::default();
        let mut results = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return results;
            }
            results.push((number, work(&mut own, number)));
        }
    };
    let mut all: Vec<T> = Vec::new();
    all.resize_with(count, T::default);
    let mut put = |results: Vec<(usize, T)>| {
        for (number, result) in results {
            if let Some(slot) = all.get_mut(number) {
                *slot = result;
            }
        }
    };
    thread::scope(|scope| {
        let start = || Builder::new().spawn_scoped(scope, run).ok();
        let threads: Vec<_> = (1..jobs.min(count)).map_while(|_| start()).collect();
        put(run());
        for thread in threads {
            put(thread.join().unwrap_or_default());
        }
    });
    all
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
