//! A persistent pool of threads that runs numbered jobs. Jobs write to places of their own and are combined in a fixed order afterwards, so results
//! do not depend on which thread ran which job.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Rounds of busy waiting before a thread lets others have its processor, about a tenth of a millisecond: operations of one network follow each other
/// within microseconds.
const SPINS: u32 = 10_000;
/// How long a worker then still looks for work before it sleeps. A job may take milliseconds, and whoever finishes before it must not sleep: to wake a
/// sleeper on an idle processor has taken a quarter of a millisecond on virtual machines, more than most operations.
const PATIENCE: Duration = Duration::from_millis(5);

/// Takes the thread's number and the job's.
type Work = *const (dyn Fn(usize, usize) + Sync);

#[derive(Clone, Copy)]
struct Task {
    work: Work,
    count: usize,
}

// SAFETY: the pointee is `Sync`, and `Pool::run` keeps it alive until every worker has finished with it.
unsafe impl Send for Task {}

struct State {
    /// Open for workers to join; `None` as soon as all its jobs have been taken.
    task: Option<Task>,
    /// Workers that wait for `wake`: nobody is woken by a system call who is awake.
    asleep: usize,
    stop: bool,
}

#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicUsize);

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Counts tasks, so that waiting threads notice a new one without the lock.
    generation: AtomicU64,
    /// The next job of every thread's share; a line each, so that counting does not take another thread's line away.
    next: Vec<Counter>,
    /// Workers that have joined the task and not left it. They join under the lock and while the task is open.
    joined: AtomicUsize,
    panicked: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self, thread: usize, task: Task) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // Every thread begins with a share of its own, the same in every task over as many jobs: what it wrote in one operation is in its own cache
            // for the next. Then it helps the others.
            let threads = self.next.len();
            for of in (thread..threads).chain(0..thread) {
                let end = (of + 1) * task.count / threads;
                loop {
                    let job = self.next[of].0.fetch_add(1, Ordering::Relaxed);
                    if job >= end {
                        break;
                    }
                    // SAFETY: `run_by_thread` keeps the closure alive until no worker is joined; this thread is joined, or is the caller.
                    unsafe { (*task.work)(thread, job) };
                }
            }
        }));
        if outcome.is_err() {
            self.next.iter().for_each(|next| next.0.store(task.count, Ordering::Relaxed));
            self.panicked.store(true, Ordering::Relaxed);
        }
    }

    /// Waits, awake, until there is a task after `seen` or patience ends.
    fn look_out(&self, seen: u64) {
        let same = || self.generation.load(Ordering::Acquire) == seen;
        let mut spins = 0;
        while same() && spins < SPINS {
            spins += 1;
            std::hint::spin_loop();
        }
        let since = Instant::now();
        while same() && since.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }

    fn work(&self, thread: usize) {
        let mut seen = 0;
        loop {
            self.look_out(seen);
            let task = {
                let mut state = self.lock();
                while self.generation.load(Ordering::Acquire) == seen && !state.stop {
                    state.asleep += 1;
                    state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.asleep -= 1;
                }
                if state.stop {
                    return;
                }
                seen = self.generation.load(Ordering::Acquire);
                if state.task.is_some() {
                    self.joined.fetch_add(1, Ordering::Relaxed);
                }
                state.task
            };
            if let Some(task) = task {
                self.drain(thread, task);
                self.joined.fetch_sub(1, Ordering::Release);
            }
        }
    }
}

/// The threads of one plan: the caller and `threads - 1` workers.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { task: None, asleep: 0, stop: false }),
            wake: Condvar::new(),
            generation: AtomicU64::new(0),
            next: (0..threads.max(1)).map(|_| Counter::default()).collect(),
            joined: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        });
        let mut pool = Self { shared, workers: Vec::new() };
        for i in 1..threads {
            let shared = Arc::clone(&pool.shared);
            pool.workers.push(std::thread::Builder::new().name(format!("hilum-nn-{i}")).spawn(move || shared.work(i))?);
        }
        Ok(pool)
    }

    /// Runs `work(0)` to `work(count - 1)`, each once, and returns when all are done. A panic in a job is passed on.
    pub(crate) fn run(&mut self, count: usize, work: impl Fn(usize) + Sync) {
        self.run_by_thread(count, |_, job| work(job));
    }

    /// Threads, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// As [`Pool::run`], with the number of the thread first: jobs with the same number never run at the same time.
    pub(crate) fn run_by_thread(&mut self, count: usize, work: impl Fn(usize, usize) + Sync) {
        if self.workers.is_empty() || count <= 1 {
            (0..count).for_each(|job| work(0, job));
            return;
        }
        let work: &(dyn Fn(usize, usize) + Sync) = &work;
        // SAFETY: only the lifetime changes. The pointer is used by this thread and by joined workers; this function closes the task, which keeps
        // others from joining, and returns or unwinds only after all have left.
        let work: Work = unsafe {
            std::mem::transmute::<&(dyn Fn(usize, usize) + Sync), &'static (dyn Fn(usize, usize) + Sync)>(work)
        };
        let task = Task { work, count };
        let shared = &*self.shared;
        let asleep = {
            let mut state = shared.lock();
            for (i, next) in shared.next.iter().enumerate() {
                next.0.store(i * count / shared.next.len(), Ordering::Relaxed);
            }
            state.task = Some(task);
            shared.generation.fetch_add(1, Ordering::Release);
            state.asleep
        };
        if asleep > 0 {
            shared.wake.notify_all();
        }
        shared.drain(0, task);
        shared.lock().task = None;
        let mut spins = 0;
        while shared.joined.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        if shared.panicked.swap(false, Ordering::Relaxed) {
            resume_unwind(Box::new("a kernel job panicked"));
        }
    }
}

impl Pool {
    /// Calls `work(i, item)` for every item, each on one thread.
    pub(crate) fn each<T: Send>(&mut self, items: &mut [T], work: impl Fn(usize, &mut T) + Sync) {
        struct Items<T>(*mut T);
        // SAFETY: items are `Send`, and every index is handed to one job.
        unsafe impl<T: Send> Sync for Items<T> {}
        impl<T> Items<T> {
            /// # Safety
            /// `i` is within the slice and no other job uses it.
            #[allow(clippy::mut_from_ref, reason = "the pointer stands for an exclusive borrow that `each` holds")]
            unsafe fn get(&self, i: usize) -> &mut T {
                // SAFETY: the caller's promise.
                unsafe { &mut *self.0.add(i) }
            }
        }
        let shared = Items(items.as_mut_ptr());
        // SAFETY: `run` calls every index below the length once, and returns before the borrow of `items` ends.
        self.run(items.len(), |i| work(i, unsafe { shared.get(i) }));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.generation.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // Jobs run under `catch_unwind`, whose panics `run` has passed on already.
            drop(worker.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use super::{PATIENCE, Pool};

    #[test]
    fn every_job_runs_once_in_every_of_many_short_tasks() {
        let mut pool = Pool::new(4).expect("threads start");
        for round in 0..2000 {
            let counts: Vec<AtomicU32> = (0..round % 7).map(|_| AtomicU32::new(0)).collect();
            pool.run(counts.len(), |job| {
                counts[job].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
        let mut items = vec![0; 100];
        pool.each(&mut items, |i, item| *item += i);
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_worker_stays_awake_for_the_time_of_a_job_and_sleeps_when_nothing_more_comes() {
        let mut pool = Pool::new(2).expect("threads start");
        let asleep = |pool: &Pool| pool.shared.lock().asleep;
        for _ in 0..20 {
            let mut since = Instant::now();
            while {
                pool.run(2, |_| ());
                asleep(&pool) > 0
            } {
                since = Instant::now();
            }
            while since.elapsed() < PATIENCE / 2 {
                std::hint::spin_loop();
            }
            // Whether it sleeps is read before the clock: this thread itself may be kept waiting.
            let sleeps = asleep(&pool) > 0;
            assert!(!sleeps || since.elapsed() >= PATIENCE, "the worker slept within half its patience");
        }
        let since = Instant::now();
        while asleep(&pool) == 0 {
            assert!(since.elapsed() < Duration::from_mins(1), "the worker never sleeps");
            std::thread::sleep(PATIENCE);
        }
        pool.run(2, |_| ());
    }

    #[test]
    fn a_panic_in_a_job_reaches_the_caller_and_leaves_the_pool_usable() {
        let mut pool = Pool::new(3).expect("threads start");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(10, |job| assert!(job != 5, "on purpose"));
        }));
        assert!(outcome.is_err());
        let total = AtomicU32::new(0);
        pool.run(10, |_| {
            total.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(total.load(Ordering::Relaxed), 10);
    }
}
