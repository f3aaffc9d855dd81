//! The modality worklist: imported orders, and what a C-FIND finds among them (PS3.4 Annex K).

use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent};
use crate::engine::Engine;
use crate::error::EngineError;
use dicom_core::Tag;
use hilum_dicom::matching::{Query, QueryOptions};
use hilum_dicom::{DataSet, json};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);
const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0021);
pub(crate) const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
const SCHEDULED_PROCEDURE_STEP_SEQUENCE: Tag = Tag(0x0040, 0x0100);
const SCHEDULED_PROCEDURE_STEP_ID: Tag = Tag(0x0040, 0x0009);
const REQUESTED_PROCEDURE_ID: Tag = Tag(0x0040, 0x1001);
pub(crate) const REQUESTED_PROCEDURE_PRIORITY: Tag = Tag(0x0040, 0x1003);

/// Orders that are looked at between two answers.
const PAGE: u64 = 200;

/// Why a data set is no order. Names the attribute, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Nobody could be scheduled.
    #[error("an order names its patient: Patient ID (0010,0020) or Patient's Name (0010,0010)")]
    NoPatient,
    /// There is nothing to perform.
    #[error("an order has what is to be performed: an item in Scheduled Procedure Step Sequence (0040,0100)")]
    NoStep,
}

/// An order that can be scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(DataSet);

impl TryFrom<DataSet> for Order {
    type Error = OrderError;

    fn try_from(data_set: DataSet) -> Result<Self, OrderError> {
        if data_set.text(PATIENT_ID).is_none() && data_set.text(PATIENT_NAME).is_none() {
            return Err(OrderError::NoPatient);
        }
        if data_set.items(SCHEDULED_PROCEDURE_STEP_SEQUENCE).is_empty() {
            return Err(OrderError::NoStep);
        }
        Ok(Self(data_set))
    }
}

impl Order {
    /// What makes two orders the same: the patient, and the numbers that the ordering system gave. Without a number, the study that is to
    /// come; without that, all that the order says.
    fn key(&self) -> String {
        let text = |tag| self.0.text(tag).unwrap_or_default();
        let steps = self.0.items(SCHEDULED_PROCEDURE_STEP_SEQUENCE).iter();
        let steps: Vec<&str> = steps.filter_map(|step| step.text(SCHEDULED_PROCEDURE_STEP_ID)).collect();
        let numbers = [text(ACCESSION_NUMBER), text(REQUESTED_PROCEDURE_ID), &steps.join("\\")];
        let patient = [text(ISSUER_OF_PATIENT_ID), text(PATIENT_ID)];
        let said = if numbers.iter().any(|number| !number.is_empty()) {
            serde_json::json!(["numbers", patient, numbers])
        } else if let Some(study) = self.0.text(STUDY_INSTANCE_UID) {
            serde_json::json!(["study", patient, study])
        } else {
            let mut all = String::new();
            json::write_data_set(&self.0, &mut all);
            serde_json::json!(["all", all])
        };
        crate::storage::hex(&Sha256::digest(said.to_string()))
    }
}

/// What became of imported orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorklistSummary {
    /// Orders that were not there before.
    pub new: u64,
    /// Orders that say something else than before.
    pub changed: u64,
    /// Orders that were there already.
    pub unchanged: u64,
    /// Orders that are not on the worklist any more.
    pub removed: u64,
}

/// Some of the orders that match.
#[derive(Clone, Debug, Default)]
pub struct WorklistPage {
    /// Orders, whole.
    pub orders: Vec<DataSet>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<i64>,
}

impl Engine {
    /// Keeps orders of the caller's institution; the same order twice is one, and the newer says what it is. With `replace`, the
    /// worklist holds these orders alone.
    pub async fn import_worklist(
        &self,
        scope: &Scope,
        orders: Vec<Order>,
        replace: bool,
    ) -> Result<WorklistSummary, EngineError> {
        let may = scope.may(Permission::Store, scope.home());
        let event = AuditEvent::by(scope, Action::ImportWorklist).of(scope.home().clone());
        self.judged(event, Permission::Store, if may { Ok(()) } else { Err(EngineError::Forbidden) }).await?;
        let orders: Vec<(String, DataSet)> = orders.into_iter().map(|order| (order.key(), order.0)).collect();
        Ok(self.catalog().put_worklist(scope, &orders, replace).await?)
    }

    /// Takes orders of the caller's institution off the worklist, by their numbers; those that are not there change nothing.
    pub async fn withdraw_orders(&self, scope: &Scope, orders: &[Order]) -> Result<u64, EngineError> {
        let may = scope.may(Permission::Store, scope.home());
        let event = AuditEvent::by(scope, Action::ImportWorklist).of(scope.home().clone());
        self.judged(event, Permission::Store, if may { Ok(()) } else { Err(EngineError::Forbidden) }).await?;
        let keys: Vec<String> = orders.iter().map(Order::key).collect();
        Ok(self.catalog().remove_orders(scope, &keys).await?)
    }

    /// Orders that match, from `after` on: a page of those looked at, which may be empty where none of them matches.
    pub async fn worklist(
        &self,
        scope: &Scope,
        keys: &DataSet,
        options: QueryOptions,
        after: Option<i64>,
    ) -> Result<WorklistPage, EngineError> {
        let query = Query::read(keys, options).map_err(|_| EngineError::BadRequest {
            field: "worklist key",
            expected: "dates, times and ranges of PS3.4 C.2.2.2.5",
        })?;
        let rows = self.catalog().worklist_after(scope, after.unwrap_or(0), PAGE).await?;
        let next = if rows.len() < PAGE as usize { None } else { rows.last().map(|(row, _)| *row) };
        let orders = rows.into_iter().map(|(_, order)| order).filter(|order| query.matches(order)).collect();
        Ok(WorklistPage { orders, next })
    }
}
