//! The workers. A rayon pool cannot grow, so a run that is given more workers gets another pool beside its first; each
//! worker takes host after host from one queue, and asks the gate before each.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::engine::MOST_WORKERS;
use crate::engine::gate::{Gate, Turn};

/// Stack of a worker: templates and blocks may nest.
const STACK: usize = 4 << 20;

/// The pools, in the order they were made.
#[derive(Debug)]
pub struct Crew {
    pools: Mutex<Vec<Arc<ThreadPool>>>,
}

impl Crew {
    /// Starts the workers.
    pub fn new(workers: usize) -> Result<Self, String> {
        let workers = workers.clamp(1, MOST_WORKERS);
        let pool = pool(workers, 0)
            .map_err(|error| format!("cannot start {workers} workers: {error}; try a smaller --forks"))?;
        Ok(Self {
            pools: Mutex::new(vec![Arc::new(pool)]),
        })
    }

    /// Does `work` for every item, at most as many at once as the gate lets in. Items begin in their order.
    pub fn each<T: Send>(&self, gate: &Gate, items: Vec<T>, work: impl Fn(T, &mut Turn<'_>) + Sync) {
        let most = items.len();
        let queue = Mutex::new(items.into_iter());
        let left = || queue.lock().unwrap_or_else(PoisonError::into_inner).len();
        let pull = || {
            loop {
                // The right first, and then the host: who waits holds no host back.
                let mut turn = gate.enter();
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(item) = next else { break };
                if left() == 0 {
                    gate.nudge();
                }
                work(item, &mut turn);
            }
            gate.nudge();
        };
        self.staff(0, 0, most, &pull, gate, &|| left() == 0);
    }

    /// Sets the workers of the pool number `level` and of those after it to work, `most` of them, and sees to it that there
    /// are as many as are wanted.
    fn staff(
        &self,
        level: usize,
        working: usize,
        most: usize,
        pull: &(dyn Fn() + Sync),
        gate: &Gate,
        is_done: &dyn Fn() -> bool,
    ) {
        if working >= most {
            return;
        }
        let Some(pool) = self.pool(level).or_else(|| {
            let wanted = gate.wait_for_more(working, is_done)?;
            self.grow(wanted.min(MOST_WORKERS).saturating_sub(working))
        }) else {
            return;
        };
        let workers = pool.current_num_threads().min(most - working);
        pool.in_place_scope_fifo(|spawner| {
            for _ in 0..workers {
                spawner.spawn_fifo(|_| pull());
            }
            self.staff(level + 1, working + workers, most, pull, gate, is_done);
        });
    }

    fn pool(&self, level: usize) -> Option<Arc<ThreadPool>> {
        self.pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(level)
            .cloned()
    }

    /// One more pool. None: the system has no more threads, and the run goes on with those it has.
    fn grow(&self, workers: usize) -> Option<Arc<ThreadPool>> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pool(workers, pools.iter().map(|pool| pool.current_num_threads()).sum());
        let pool = pool
            .map_err(|error| tracing::warn!("cannot start {workers} more workers: {error}"))
            .ok()?;
        pools.push(Arc::new(pool));
        pools.last().cloned()
    }
}

fn pool(workers: usize, before: usize) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(STACK)
        .thread_name(move |index| format!("worker-{}", before + index))
        .build()
}
