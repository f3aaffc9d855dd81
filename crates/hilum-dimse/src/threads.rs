//! Threads that associations have to themselves.
//!
//! An association waits for its peer, then for the disk, then for its peer again. On a thread of its own, with a reactor of its own, it is woken
//! by its socket alone, and a handler may wait for the disk where it is: nothing is handed to another thread and back for an instance.

use std::{
    cell::Cell,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::runtime::{Builder, Handle};

/// Associations beyond these share the threads of the runtime that listens.
const MOST: usize = 64;

/// They last as long as the process, not as long as a server: whatever was begun on one (a connection of a pool, a task) goes on.
static THREADS: Mutex<Threads> = Mutex::new(Threads { idle: Vec::new(), started: 0 });

struct Threads {
    idle: Vec<Handle>,
    started: usize,
}

thread_local! {
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is one that an association has to itself.
pub(crate) fn is_own() -> bool {
    IS_OWN.get()
}

/// A thread that nobody else has until this is dropped.
pub(crate) struct OwnThread(Handle);

impl OwnThread {
    /// An idle one, or a new one; `None` where all are in use, or the system has none.
    pub(crate) fn take() -> Option<Self> {
        let mut threads = threads();
        if let Some(handle) = threads.idle.pop() {
            return Some(Self(handle));
        }
        if threads.started == MOST {
            return None;
        }
        match start() {
            Ok(handle) => {
                threads.started += 1;
                Some(Self(handle))
            }
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "no thread for an association; it shares those that there are");
                None
            }
        }
    }

    /// Where its tasks are started.
    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        threads().idle.push(self.0.clone());
    }
}

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("association".to_owned()).spawn(move || {
        IS_OWN.set(true);
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(handle)
}
