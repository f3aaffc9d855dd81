//! Sample patients, so that somebody who tries it sees it work: made by the phantom, taken in by the way that instances come in. The same
//! patients again are the same studies.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use hilum_engine::{Engine, Scope};
use hilum_web::SamplesView;

use crate::{commands::demo, failure::sentence};

/// Where the making stands.
pub struct Samples {
    view: Mutex<SamplesView>,
    stop: AtomicBool,
}

impl Default for Samples {
    fn default() -> Self {
        let total = demo::patients().len() as u64;
        let view = SamplesView { running: false, done: 0, total, cancelled: false, message: None };
        Self { view: Mutex::new(view), stop: AtomicBool::new(false) }
    }
}

impl Samples {
    /// As it is now.
    pub fn view(&self) -> SamplesView {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut SamplesView)) -> SamplesView {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut view);
        view.clone()
    }

    /// Stops after the patient in hand.
    pub fn cancel(&self) -> SamplesView {
        self.stop.store(true, Ordering::Release);
        self.view()
    }

    /// Begins, unless it is under way.
    pub fn begin(self: &Arc<Self>, engine: Engine, scope: Scope) -> SamplesView {
        let mut fresh = false;
        let view = self.change(|view| {
            fresh = !view.running;
            if fresh {
                *view = SamplesView { running: true, done: 0, cancelled: false, message: None, total: view.total };
            }
        });
        if fresh {
            self.stop.store(false, Ordering::Release);
            let samples = Arc::clone(self);
            tokio::spawn(async move { samples.make(&engine, &scope).await });
        }
        view
    }

    async fn make(&self, engine: &Engine, scope: &Scope) {
        let mut message = None;
        for recipe in demo::patients() {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            match demo::send_once(engine, scope, recipe).await {
                Ok(()) => drop(self.change(|view| view.done += 1)),
                Err(error) => {
                    tracing::error!(error = sentence(&error), "sample patients");
                    message = Some(sentence(&error));
                    break;
                }
            }
        }
        let stopped = self.stop.load(Ordering::Acquire);
        self.change(|view| {
            view.running = false;
            view.cancelled = stopped && view.done < view.total;
            view.message = message;
        });
    }
}
