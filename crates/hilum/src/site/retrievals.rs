//! Studies that people fetch from peers: each in a task of its own, as long as this process runs. What came is kept as it comes; a
//! retrieval that was cut off is asked for again, and brings what is missing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hilum_dicom::StudyUid;
use hilum_dimse::Progress;
use hilum_engine::{InstitutionCode, Permission, Scope};
use hilum_web::{Retrieval, RetrievalState, SiteFault};
use tokio::sync::watch;

use crate::{
    failure::sentence,
    node::{
        Node,
        advice::explain,
        fetch::{Fetch, Sink},
    },
    settings::{KnownPeer, RetrieveBy, Settings},
};

/// Retrievals at a time.
const RUNNING: usize = 4;
/// Retrievals that are remembered.
const SHOWN: usize = 50;

/// All of them, the last first.
#[derive(Default)]
pub struct Retrievals(Mutex<VecDeque<Known>>);

struct Known {
    institution: InstitutionCode,
    view: Retrieval,
    cancel: watch::Sender<bool>,
}

impl Retrievals {
    fn all(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of institutions where the caller may take data in.
    pub fn list(&self, scope: &Scope) -> Vec<Retrieval> {
        let own = |known: &&Known| scope.may(Permission::Store, &known.institution);
        self.all().iter().filter(own).map(|known| known.view.clone()).collect()
    }

    /// Stops one after the instance in hand.
    pub fn cancel(&self, scope: &Scope, id: u64) -> Result<Retrieval, SiteFault> {
        let all = self.all();
        let found = all.iter().find(|known| known.view.id == id && scope.may(Permission::Store, &known.institution));
        let known = found.ok_or(SiteFault::Unknown("retrieval"))?;
        known.cancel.send_replace(true);
        Ok(known.view.clone())
    }

    /// Begins one, and says where it stands.
    pub fn begin(
        self: &Arc<Self>,
        node: Arc<Node>,
        settings: Arc<Settings>,
        known: KnownPeer,
        studies: Vec<StudyUid>,
    ) -> Result<Retrieval, SiteFault> {
        let (cancel, cancelled) = watch::channel(false);
        let mut all = self.all();
        if all.iter().filter(|known| known.view.state == RetrievalState::Running).count() >= RUNNING {
            return Err(SiteFault::Busy("four retrievals run already; wait for one of them, or cancel it"));
        }
        let view = Retrieval {
            id: all.front().map_or(1, |last| last.view.id + 1),
            peer: known.peer.ae_title.to_string(),
            state: RetrievalState::Running,
            studies: studies.len() as u64,
            studies_done: 0,
            completed: 0,
            failed: 0,
            remaining: None,
            message: None,
        };
        let institution = known.institution.clone();
        all.push_front(Known { institution, view: view.clone(), cancel });
        if all.len() > SHOWN
            && let Some(ended) = all.iter().rposition(|known| known.view.state != RetrievalState::Running)
        {
            all.remove(ended);
        }
        drop(all);
        let (retrievals, id) = (Arc::clone(self), view.id);
        tokio::spawn(async move { retrievals.fetch(id, node, &settings, &known, &studies, cancelled).await });
        Ok(view)
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Retrieval)) {
        if let Some(known) = self.all().iter_mut().find(|known| known.view.id == id) {
            change(&mut known.view);
        }
    }

    async fn fetch(
        &self,
        id: u64,
        node: Arc<Node>,
        settings: &Settings,
        known: &KnownPeer,
        studies: &[StudyUid],
        cancelled: watch::Receiver<bool>,
    ) {
        let sink = Sink::new(Arc::clone(&node));
        let fetch = Fetch { scu: &node.scu, known, by: known.retrieve_by, ae_title: &node.ae_title, sink: &sink };
        let (mut before, mut failed_before) = (0, 0);
        let mut message = None;
        for study in studies {
            if *cancelled.borrow() {
                break;
            }
            let mut asked = cancelled.clone();
            let cancel = async move {
                if asked.wait_for(|cancelled| *cancelled).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let (done_before, lost_before) = (before, failed_before);
            let hear = |progress: Progress| {
                let Progress { remaining, completed, failed, warning } = progress;
                self.change(id, |view| {
                    view.completed = done_before + u64::from(completed) + u64::from(warning);
                    view.failed = lost_before + u64::from(failed);
                    view.remaining = Some(u64::from(remaining));
                });
            };
            match fetch.fetch(study.as_str(), None, cancel, hear).await {
                Ok(report) => {
                    let Progress { completed, failed, warning, .. } = report.progress;
                    before += u64::from(completed) + u64::from(warning);
                    failed_before += u64::from(failed);
                    let (completed, failed) = (before, failed_before);
                    let stopped = *cancelled.borrow();
                    self.change(id, |view| {
                        (view.completed, view.failed, view.remaining) = (completed, failed, None);
                        view.studies_done += u64::from(!stopped);
                    });
                }
                Err(error) => {
                    message = Some(sentence(&explain(&error, &known.peer, settings)));
                    break;
                }
            }
        }
        let lost = failed_before + sink.refused();
        let nothing_came = before > 0 && known.retrieve_by == RetrieveBy::Get && sink.kept() == 0;
        let message = message.or_else(|| {
            if nothing_came {
                Some(format!("{} says that it sent {before} instances, and none came", known.peer.ae_title))
            } else if sink.refused() > 0 {
                Some(format!("{} instances came and could not be kept; the server's log says why", sink.refused()))
            } else if failed_before > 0 {
                Some(format!("{} could not send {failed_before} instances; its log says why", known.peer.ae_title))
            } else if before == 0 && !*cancelled.borrow() {
                Some(format!("{} has nothing of what was asked for", known.peer.ae_title))
            } else {
                None
            }
        });
        let state = match (&message, *cancelled.borrow()) {
            (_, true) => RetrievalState::Cancelled,
            (Some(_), false) => RetrievalState::Failed,
            (None, false) => RetrievalState::Done,
        };
        self.change(id, |view| {
            view.state = state;
            view.failed = lost;
            view.remaining = None;
            view.message = message;
        });
    }
}
