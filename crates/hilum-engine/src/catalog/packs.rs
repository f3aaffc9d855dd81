//! Which object holds a series' packed metadata.

use super::delete::doom;
use super::entity::series;
use super::{Catalog, CatalogError, SelectedSeries};
use crate::EngineError;
use crate::access::Scope;
use crate::storage::{ObjectKey, Staged, Storage};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};
use std::sync::Arc;

const ACT: &str = "record packed metadata";

impl Catalog {
    /// The pack of a series and its revision, if that is the series' own and it holds all that is selected.
    pub(crate) async fn metadata_pack(
        &self,
        scope: &Scope,
        series: SelectedSeries,
    ) -> Result<Option<(ObjectKey, i64)>, CatalogError> {
        let found = self.series_by_row(scope, series.row).await?;
        let current =
            found.filter(|row| row.metadata_revision == row.revision && row.instance_count == series.instances as i64);
        Ok(current.and_then(|row| Some((ObjectKey::from_catalogue(row.metadata_key?), row.revision))))
    }

    /// Row id of the institution that a series belongs to.
    pub(crate) async fn institution_of_series(
        &self,
        scope: &Scope,
        series_row: i64,
    ) -> Result<Option<i64>, CatalogError> {
        Ok(self.series_by_row(scope, series_row).await?.map(|row| row.institution_id))
    }

    async fn series_by_row(&self, scope: &Scope, series_row: i64) -> Result<Option<series::Model>, CatalogError> {
        series::Entity::find_by_id(series_row)
            .filter(series::Column::InstitutionId.is_in(self.visible(scope).await?))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(ACT))
    }

    /// Records a staged pack of `revision`, unless the series has changed meanwhile. The pack before is noted for removal.
    pub(crate) async fn record_metadata(
        &self,
        scope: &Scope,
        series_row: i64,
        revision: i64,
        staged: Staged,
        storage: &Arc<Storage>,
    ) -> Result<(), EngineError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let found = series::Entity::find_by_id(series_row)
            .filter(series::Column::InstitutionId.is_in(visible))
            .filter(series::Column::Revision.eq(revision))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let Some(row) = found else { return Ok(()) };
        doom(&txn, row.metadata_key.clone()).await?;
        let mut changed = row.into_active_model();
        changed.metadata_key = Set(Some(staged.target().as_str().to_owned()));
        changed.metadata_revision = Set(revision);
        changed.update(&txn).await.map_err(CatalogError::during(ACT))?;
        let place = Arc::clone(storage);
        let (placed, _staged) = tokio::task::spawn_blocking(move || (place.place([&staged]), staged))
            .await
            .map_err(|_| EngineError::Internal("placing packed metadata was aborted".to_owned()))?;
        let placed = placed?;
        if let Err(error) = txn.commit().await {
            self.take_back(storage, &placed).await?;
            return Err(CatalogError::during(ACT)(error).into());
        }
        Ok(())
    }
}
