//! What to pull from a peer: studies of which it has more than is kept here.

use crate::access::Scope;
use crate::engine::Engine;
use crate::error::EngineError;
use hilum_dicom::{AeTitle, StudyUid};

impl Engine {
    /// Whether a study is to be pulled now. `announced` is how many instances the peer says it has, 0 where it does not say: then a study is
    /// pulled as long as nothing of it is here.
    pub async fn is_pull_due(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
        announced: u64,
    ) -> Result<bool, EngineError> {
        Ok(!self.has_pulled(scope, peer, study, announced).await?
            && self.catalog().may_pull(scope, peer, study, announced).await?)
    }

    /// Notes how a try to pull ended; what did not come whole waits longer each time.
    pub async fn end_pull(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
        announced: u64,
    ) -> Result<(), EngineError> {
        if self.has_pulled(scope, peer, study, announced).await? {
            return Ok(self.catalog().pulled_whole(scope, peer, study).await?);
        }
        Ok(self.catalog().pulled_in_part(scope, peer, study, announced).await?)
    }

    async fn has_pulled(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
        announced: u64,
    ) -> Result<bool, EngineError> {
        self.caught_up().await;
        Ok(self.catalog().shared_with(scope, peer, study).await? >= announced.max(1))
    }
}
