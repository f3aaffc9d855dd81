//! Sample patients, so that somebody who tries it sees it work: made by the phantom, taken in by the way that instances come in. The same
//! patients again are the same studies.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use hilum_engine::{Engine, InstitutionCode, Scope};
use hilum_web::SamplesView;

use crate::{commands::demo, failure::sentence};

/// Where the making stands, by the institution that the patients are made for.
#[derive(Default)]
pub struct Samples(Mutex<HashMap<InstitutionCode, Making>>);

struct Making {
    view: SamplesView,
    stop: bool,
}

impl Default for Making {
    fn default() -> Self {
        let total = demo::patients().len() as u64;
        Self { view: SamplesView { running: false, done: 0, total, cancelled: false, message: None }, stop: false }
    }
}

impl Samples {
    /// As it is now.
    pub fn view(&self, institution: &InstitutionCode) -> SamplesView {
        self.change(institution, |_| ())
    }

    fn change(&self, institution: &InstitutionCode, change: impl FnOnce(&mut Making)) -> SamplesView {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let making = all.entry(institution.clone()).or_default();
        change(making);
        making.view.clone()
    }

    fn is_stopped(&self, institution: &InstitutionCode) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(institution).is_some_and(|making| making.stop)
    }

    /// Stops after the patient in hand.
    pub fn cancel(&self, institution: &InstitutionCode) -> SamplesView {
        self.change(institution, |making| making.stop = true)
    }

    /// Begins, unless it is under way.
    pub fn begin(self: &Arc<Self>, engine: Engine, scope: Scope) -> SamplesView {
        let mut fresh = false;
        let view = self.change(scope.home(), |making| {
            fresh = !making.view.running;
            if fresh {
                *making = Making::default();
                making.view.running = true;
            }
        });
        if fresh {
            let samples = Arc::clone(self);
            tokio::spawn(async move { samples.make(&engine, &scope).await });
        }
        view
    }

    async fn make(&self, engine: &Engine, scope: &Scope) {
        let institution = scope.home();
        let mut message = None;
        for recipe in demo::patients() {
            if self.is_stopped(institution) {
                break;
            }
            match demo::send_once(engine, scope, recipe).await {
                Ok(()) => drop(self.change(institution, |making| making.view.done += 1)),
                Err(error) => {
                    tracing::error!(error = sentence(&error), "sample patients");
                    message = Some(sentence(&error));
                    break;
                }
            }
        }
        self.change(institution, |making| {
            making.view.running = false;
            making.view.cancelled = making.stop && making.view.done < making.view.total;
            making.view.message = message;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_institution_makes_or_stops_is_none_of_anothers() {
        let samples = Samples::default();
        let (here, there) = (InstitutionCode::local(), "ELSEWHERE".parse().unwrap());
        samples.change(&here, |making| making.view.running = true);
        samples.cancel(&there);
        assert_eq!((samples.view(&here).running, samples.is_stopped(&here)), (true, false));
        assert_eq!((samples.view(&there).running, samples.is_stopped(&there)), (false, true));
    }
}
