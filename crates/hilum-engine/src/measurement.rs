//! Lengths, ellipses and probes that people put into the images of a study, kept with it. What they amount to (mm, HU) follows from the
//! points and the pixels, and is not kept.

use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Subject};
use crate::engine::Engine;
use crate::error::EngineError;
use hilum_dicom::{SopUid, StudyUid};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

/// No point lies further from the origin of patient coordinates (mm).
const FURTHEST_MM: f64 = 10_000.0;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasurementKind {
    /// Between two points.
    Length,
    /// Inside an ellipse: its centre, and the ends of two half axes.
    Ellipse,
    /// At a point.
    Probe,
}

impl MeasurementKind {
    const ALL: [Self; 3] = [Self::Length, Self::Ellipse, Self::Probe];

    /// The word in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Ellipse => "ellipse",
            Self::Probe => "probe",
        }
    }

    fn points(self) -> usize {
        match self {
            Self::Length => 2,
            Self::Ellipse => 3,
            Self::Probe => 1,
        }
    }
}

impl FromStr for MeasurementKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// One to three points `[x, y, z]`.
fn points() -> ArrayBuilder {
    let coordinate =
        ObjectBuilder::new().schema_type(Type::Number).minimum(Some(-FURTHEST_MM)).maximum(Some(FURTHEST_MM));
    let point = ArrayBuilder::new().items(coordinate).min_items(Some(3)).max_items(Some(3));
    ArrayBuilder::new().items(point).min_items(Some(1)).max_items(Some(3))
}

/// `POST /api/v1/studies/{study_uid}/measurements`
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMeasurement {
    /// The series in whose images it was made.
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)*$", max_length = 64)]
    pub series_uid: String,
    /// The image that it was made on; left out on a reformatted plane.
    #[serde(default)]
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)*$", max_length = 64)]
    pub sop_uid: Option<String>,
    /// Frame of Reference UID of the points.
    #[serde(default)]
    #[schema(pattern = r"^[0-9]+(\.[0-9]+)*$", max_length = 64)]
    pub frame_of_reference_uid: Option<String>,
    /// What is measured.
    pub kind: MeasurementKind,
    /// Patient coordinates in mm (PS3.3 C.7.6.2.1.1): two of a length, centre and ends of two half axes of an ellipse, one of a probe.
    #[schema(schema_with = points)]
    pub points: Vec<[f64; 3]>,
}

/// A measurement that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasurementView {
    /// Its number.
    pub id: i64,
    /// The series in whose images it was made.
    pub series_uid: String,
    /// The image that it was made on; null on a reformatted plane.
    pub sop_uid: Option<String>,
    /// Frame of Reference UID of the points.
    pub frame_of_reference_uid: Option<String>,
    /// What is measured.
    pub kind: MeasurementKind,
    /// Patient coordinates in mm.
    #[schema(schema_with = points)]
    pub points: Vec<[f64; 3]>,
    /// Who made it.
    pub by: String,
    /// The caller made it, and may take it back.
    pub own: bool,
    /// When, RFC 3339.
    pub at: String,
}

impl Engine {
    /// The measurements of a study, in the order in which they were made.
    pub async fn measurements(&self, scope: &Scope, study: &StudyUid) -> Result<Vec<MeasurementView>, EngineError> {
        let kept = self.catalog().measurements(scope, study).await?;
        let kept = kept.ok_or(EngineError::NotFound { what: "study" })?;
        self.note_view(scope, Subject::Study, study, None).await?;
        Ok(kept)
    }

    /// Keeps a measurement.
    pub async fn add_measurement(
        &self,
        scope: &Scope,
        study: &StudyUid,
        new: &NewMeasurement,
    ) -> Result<MeasurementView, EngineError> {
        let added = self.catalog().add_measurement(scope, study, new).await;
        self.judged(measuring(scope, study), Permission::Review, added).await
    }

    /// Takes back a measurement of the caller's own.
    pub async fn remove_measurement(&self, scope: &Scope, study: &StudyUid, id: i64) -> Result<(), EngineError> {
        let removed = self.catalog().remove_measurement(scope, study, id).await;
        self.judged(measuring(scope, study), Permission::Review, removed).await
    }
}

fn measuring(scope: &Scope, study: &StudyUid) -> AuditEvent {
    AuditEvent::by(scope, Action::Review).of(scope.home().clone()).about([study.clone()])
}

impl NewMeasurement {
    /// Refuses what is no measurement.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let refused = |field, expected| Err(EngineError::BadRequest { field, expected });
        for (field, uid) in [("sop_uid", &self.sop_uid), ("frame_of_reference_uid", &self.frame_of_reference_uid)] {
            if uid.as_ref().is_some_and(|uid| uid.parse::<SopUid>().is_err()) {
                return refused(field, "a DICOM UID");
            }
        }
        if self.points.len() != self.kind.points() {
            return refused("points", "two of a length, three of an ellipse, one of a probe");
        }
        if self.points.iter().flatten().any(|mm| !mm.is_finite() || mm.abs() > FURTHEST_MM) {
            return refused("points", "millimetres, from -10000 to 10000");
        }
        Ok(())
    }
}
