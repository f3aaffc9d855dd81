//! What subscribers have not been told yet, and when to look.

use crate::access::{Permission, Scope};
use crate::engine::Engine;
use crate::error::EngineError;
use hilum_dicom::ups::scp_status;
use hilum_dicom::{AeTitle, json};

/// Events of a page.
const PAGE: u64 = 100;

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkTold {
    /// Its number: what was sent last is named by it.
    pub number: i64,
    /// DICOM JSON (PS3.18 8.10.5).
    pub message: String,
}

impl Engine {
    /// What an application entity is to be told: behind `after`, or, where nothing was sent on this connection, behind what it was sent before.
    pub async fn work_events(
        &self,
        scope: &Scope,
        title: &AeTitle,
        after: Option<i64>,
    ) -> Result<Vec<WorkTold>, EngineError> {
        scope.require(Permission::View)?;
        let events = self.catalog().work_events(scope, title, after, PAGE).await?;
        Ok(events.into_iter().map(|event| WorkTold { number: event.id, message: event.message }).collect())
    }

    /// It was sent everything up to an event: after a connection broke, the next one goes on behind it.
    pub async fn work_events_told(&self, scope: &Scope, title: &AeTitle, number: i64) -> Result<(), EngineError> {
        scope.require(Permission::View)?;
        Ok(self.catalog().work_events_told(scope, title, number).await?)
    }

    /// Changes when there may be something to tell.
    pub fn work_told(&self) -> tokio::sync::watch::Receiver<u64> {
        self.work_told_sender().subscribe()
    }

    /// This process has told of something; what others tell is found by looking.
    pub(crate) fn tell_work(&self) {
        self.work_told_sender().send_modify(|times| *times += 1);
    }

    /// Whoever is subscribed to anything is told that the server was restarted, and kept everything (PS3.4 CC.2.4.3).
    pub async fn announce_restart(&self) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        self.catalog().tell_all_subscribers(&scope, &scp_status(false)).await?;
        self.tell_work();
        Ok(())
    }

    /// The event for open connections when the server goes down; it is sent and not kept.
    pub fn going_down(&self) -> String {
        let mut message = String::new();
        json::write_data_set(&scp_status(true).message(hilum_dicom::ups::WELL_KNOWN_EVENTS, 1), &mut message);
        message
    }
}
