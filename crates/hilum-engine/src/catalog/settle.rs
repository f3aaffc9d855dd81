//! Settling a series: its instances out, its checked geometry and tags in.

use super::entity::{instance, series};
use super::ups::wake_work;
use super::work::{self, SeriesMarks};
use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::storage::ObjectKey;
use crate::tagging::SeriesTags;
use hilum_dicom::geometry::StackCheck;
use hilum_dicom::{InstanceFacts, SeriesUid};
use sea_orm::sea_query::{Expr, NullOrdering};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder};

/// An instance of a series.
#[derive(Clone, Debug)]
pub struct SeriesInstance {
    /// What its header says.
    pub facts: InstanceFacts,
    /// Where its bytes lie.
    pub object: ObjectKey,
    /// Digest of its bytes, as it is written.
    pub digest: String,
    /// Name of the file it came in, if it was imported.
    pub file_name: Option<String>,
}

/// A series that wants to be settled.
#[derive(Clone, Debug)]
pub struct UnsettledSeries {
    /// Row id.
    pub row: i64,
    /// Row of its study.
    pub study_row: i64,
    /// The revision that these instances make.
    pub revision: i64,
    /// Its instances, in order of arrival.
    pub instances: Vec<SeriesInstance>,
}

/// A series with its checked geometry and tags.
#[derive(Clone, Debug)]
pub struct SettledSeries {
    /// Row id.
    pub row: i64,
    /// Series Instance UID.
    pub uid: SeriesUid,
    /// Series Number.
    pub number: Option<i64>,
    /// Series Description.
    pub description: String,
    /// The geometry of its stack.
    pub stack: StackCheck,
    /// What it is, with evidence.
    pub tags: SeriesTags,
}

const ACT: &str = "settle a series";

impl Catalog {
    /// The series, if it is still unsettled at `revision`; `None` says that there is nothing to do.
    pub async fn unsettled_series(
        &self,
        scope: &Scope,
        row: i64,
        revision: i64,
    ) -> Result<Option<UnsettledSeries>, CatalogError> {
        let found = series::Entity::find_by_id(row)
            .filter(series::Column::InstitutionId.is_in(self.visible(scope).await?))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        match found {
            Some(series) if series.revision == revision && series.settled_revision < revision => {
                let (study_row, instances) = (series.study_row, self.series_instances(scope, row).await?);
                Ok(Some(UnsettledSeries { row, study_row, revision, instances }))
            }
            _ => Ok(None),
        }
    }

    /// The instances of a series, in order of arrival.
    pub async fn series_instances(&self, scope: &Scope, row: i64) -> Result<Vec<SeriesInstance>, CatalogError> {
        let rows = instance::Entity::find()
            .filter(instance::Column::SeriesRow.eq(row))
            .filter(instance::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_asc(instance::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("list the instances of a series"))?;
        rows.into_iter()
            .map(|row| {
                Ok(SeriesInstance {
                    facts: serde_json::from_str(&row.facts).map_err(|_| CatalogError::Corrupt { what: "header" })?,
                    object: ObjectKey::from_catalogue(row.object_key),
                    digest: row.digest,
                    file_name: row.file_name,
                })
            })
            .collect()
    }

    /// Writes geometry and tags, unless a late instance has raised the revision meanwhile (then the series is due again).
    pub async fn settle_series(
        &self,
        scope: &Scope,
        series: &UnsettledSeries,
        stack: &StackCheck,
        tags: &SeriesTags,
    ) -> Result<(), CatalogError> {
        let json =
            |value: Result<String, _>| value.map_err(|_: serde_json::Error| CatalogError::Corrupt { what: "geometry" });
        let body_part = series.instances.iter().find_map(|instance| instance.facts.series.body_part.as_deref());
        let marks = SeriesMarks::of(tags, body_part);
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let settled = series::Entity::update_many()
            .col_expr(series::Column::SettledRevision, Expr::value(series.revision))
            .col_expr(series::Column::Stack, Expr::value(json(serde_json::to_string(stack))?))
            .col_expr(series::Column::Tags, Expr::value(json(serde_json::to_string(tags))?))
            .col_expr(series::Column::BodyPart, Expr::value(marks.body_part))
            .col_expr(series::Column::Contrast, Expr::value(marks.contrast))
            .filter(series::Column::Id.eq(series.row))
            .filter(series::Column::Revision.eq(series.revision))
            .filter(series::Column::InstitutionId.is_in(visible))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        if settled.rows_affected > 0 {
            work::refresh(&txn, series.study_row).await?;
            wake_work(&txn, series.study_row).await?;
        }
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// The settled series of a study that readings choose from, in order of series number: not those that are results themselves.
    pub async fn settled_series(&self, scope: &Scope, study_row: i64) -> Result<Vec<SettledSeries>, CatalogError> {
        let rows = series::Entity::find()
            .filter(series::Column::StudyRow.eq(study_row))
            .filter(series::Column::InstitutionId.is_in(self.visible(scope).await?))
            .filter(Expr::cust(
                "EXISTS (SELECT 1 FROM instance WHERE instance.series_row = series.id AND instance.source <> 'result')",
            ))
            .order_by_with_nulls(series::Column::Number, Order::Asc, NullOrdering::First)
            .order_by_asc(series::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("list the series of a study"))?;
        rows.into_iter().filter(|row| row.stack.is_some()).map(settled).collect()
    }
}

fn settled(row: series::Model) -> Result<SettledSeries, CatalogError> {
    let corrupt = CatalogError::Corrupt { what: "settled series" };
    let read = (
        row.series_uid.parse(),
        row.stack.as_deref().map(serde_json::from_str),
        row.tags.as_deref().map(serde_json::from_str),
    );
    let (Ok(uid), Some(Ok(stack)), Some(Ok(tags))) = read else { return Err(corrupt) };
    let description = row.description.unwrap_or_default();
    Ok(SettledSeries { row: row.id, uid, number: row.number, description, stack, tags })
}
