//! Studies that were pulled and did not come whole: they are not pulled again at every turn.

use super::entity::pulled_study::{ActiveModel, Column, Entity};
use super::{Catalog, CatalogError, now};
use crate::access::Scope;
use crate::engine::{Source, Zone};
use crate::forwarding::ForwardState;
use hilum_dicom::{AeTitle, StudyUid};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Set, Value};

const ACT: &str = "remember what was pulled";
const FIRST_PAUSE_MS: i64 = 5 * 60_000;
const LONGEST_PAUSE_MS: i64 = 24 * 3_600_000;

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

impl Catalog {
    /// Whether a study may be pulled now: it was never tried, the peer announces more of it than then, or its pause is over.
    pub(crate) async fn may_pull(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
        announced: u64,
    ) -> Result<bool, CatalogError> {
        let row = self.pulled(scope, peer, study).await?;
        Ok(row.is_none_or(|row| row.announced != announced as i64 || row.next_at <= now()))
    }

    /// A try to pull a study ended without all that was announced; the pause before the next one doubles.
    pub(crate) async fn pulled_in_part(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
        announced: u64,
    ) -> Result<(), CatalogError> {
        let tries = match self.pulled(scope, peer, study).await? {
            Some(row) if row.announced == announced as i64 => row.tries + 1,
            _ => 1,
        };
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << (tries - 1).clamp(0, 16)).min(LONGEST_PAUSE_MS);
        Entity::insert(ActiveModel {
            institution_id: Set(self.home(scope).await?),
            peer: Set(peer.to_string()),
            study_uid: Set(study.to_string()),
            announced: Set(announced as i64),
            tries: Set(tries),
            next_at: Set(now() + pause),
            ..Default::default()
        })
        .on_conflict(
            OnConflict::columns([Column::InstitutionId, Column::Peer, Column::StudyUid])
                .update_columns([Column::Announced, Column::Tries, Column::NextAt])
                .to_owned(),
        )
        .exec_without_returning(&self.write)
        .await
        .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// A study came whole: nothing of it is to be remembered.
    pub(crate) async fn pulled_whole(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
    ) -> Result<(), CatalogError> {
        let institution = self.home(scope).await?;
        Entity::delete_many()
            .filter(Column::InstitutionId.eq(institution))
            .filter(Column::Peer.eq(peer.as_str()))
            .filter(Column::StudyUid.eq(study.as_str()))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// Instances of a study that are here and that the peer can have: what was made here counts once it was sent there.
    pub(crate) async fn shared_with(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
    ) -> Result<u64, CatalogError> {
        let sql = format!(
            "SELECT count(*) AS n FROM instance JOIN series ON series.id = instance.series_row JOIN study ON study.id = series.study_row \
             WHERE study.study_uid = ? AND study.zone = ? AND study.institution_id IN ({0}) AND instance.institution_id IN ({0}) \
             AND (instance.source <> ? OR EXISTS (SELECT 1 FROM forward WHERE forward.instance_row = instance.id \
                  AND forward.peer = ? AND forward.state = ?))",
            self.visible_list(scope).await?
        );
        let (made_here, sent) = (Source::Result.as_str(), ForwardState::Sent.as_str());
        let values = [study.as_str(), Zone::Clinical.as_str(), made_here, peer.as_str(), sent].map(Value::from);
        let found = Count::find_by_statement(self.statement(&sql, values)).one(&self.read).await;
        Ok(found.map_err(CatalogError::during(ACT))?.map_or(0, |count| count.n as u64))
    }

    async fn pulled(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        study: &StudyUid,
    ) -> Result<Option<super::entity::pulled_study::Model>, CatalogError> {
        let institution = self.home(scope).await?;
        Entity::find()
            .filter(Column::InstitutionId.eq(institution))
            .filter(Column::Peer.eq(peer.as_str()))
            .filter(Column::StudyUid.eq(study.as_str()))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(ACT))
    }
}
