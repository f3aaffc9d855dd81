//! WADO-RS: the Retrieve transaction (PS3.18 10.4).

mod accept;
mod body;
mod bulk;
mod encoder;
mod frames;
mod instances;
mod metadata;
mod rendered;
mod transcode;
mod uri;

pub(super) use accept::Accept;
pub(super) use body::Parts as BodyParts;
pub(super) use metadata::{DICOM_JSON, MULTIPART_XML, Model, base};
pub(super) use uri::{retrieve as retrieve_by_uri, said as said_of_uri};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use hilum_dicom::dicomdir::RecordType;
use hilum_dicom::pixels::PixelError;
use hilum_dicom::{HeaderError, OutlineError, UidError};
use hilum_engine::{EngineError, Permission, Selection, StoredInstance, Zone};

use super::VIEW;
use crate::{
    doors::{App, Doors, Needs},
    error::ApiError,
    openapi::{Said, Sketch, Takes, bytes, schemas},
};

/// Routes below `/studies/{study_uid}`.
pub(super) fn doors(mut doors: Doors) -> Doors {
    let delete = Needs::May(Permission::Delete);
    let study = "/studies/{study_uid}";
    let series = format!("{study}/series/{{series_uid}}");
    let instance = format!("{series}/instances/{{sop_uid}}");
    let frames = format!("{instance}/frames/{{frames}}");
    for (level, of) in [(study, Of::Study), (series.as_str(), Of::Series), (instance.as_str(), Of::Instance)] {
        doors = doors
            .get(level, VIEW, instances::retrieve, said_of_instances(of))
            .delete(
                level,
                delete,
                instances::delete,
                // Not while it is read.
                Said::from(of.word("Deletes a study", "Deletes a series", "Deletes an instance")).refuses(&[409]),
            )
            .get(&format!("{level}/metadata"), VIEW, metadata::metadata, said_of_metadata(of))
            .get(
                &format!("{level}/rendered"),
                VIEW,
                rendered::rendered,
                rendered::said(of.word(
                    "A picture of a study (PS3.18 10.4.1.1.4)",
                    "A picture of a series (PS3.18 10.4.1.1.4)",
                    "A picture of an instance (PS3.18 10.4.1.1.4)",
                )),
            )
            .get(
                &format!("{level}/thumbnail"),
                VIEW,
                rendered::thumbnail,
                rendered::said(of.word(
                    "A small picture of a study",
                    "A small picture of a series",
                    "A small picture of an instance",
                )),
            );
    }
    doors
        .get(&frames, VIEW, frames::frames, frames::said())
        .get(&format!("{frames}/rendered"), VIEW, rendered::rendered, rendered::said("A picture of a frame"))
        .get(&format!("{frames}/thumbnail"), VIEW, rendered::thumbnail, rendered::said("A small picture of a frame"))
        .get(&format!("{instance}/bulkdata/{{*path}}"), VIEW, bulk::bulk_data, bulk::said())
}

/// What an address retrieves.
#[derive(Clone, Copy)]
enum Of {
    Study,
    Series,
    Instance,
}

impl Of {
    fn word(self, study: &'static str, series: &'static str, instance: &'static str) -> &'static str {
        match self {
            Self::Study => study,
            Self::Series => series,
            Self::Instance => instance,
        }
    }
}

fn said_of_instances(of: Of) -> Said {
    let summary = of.word(
        "All instances of a study (PS3.18 10.4.1.1.1)",
        "All instances of a series (PS3.18 10.4.1.1.1)",
        "An instance (PS3.18 10.4.1.1.1)",
    );
    let said = Said::from(summary).gives(200, "multipart/related; type=\"application/dicom\"", bytes());
    match of {
        Of::Instance => said.gives(200, "application/dicom", bytes()),
        Of::Study | Of::Series => said,
    }
}

fn said_of_metadata(of: Of) -> Said {
    let summary = of.word(
        "Metadata of a study (PS3.18 10.4.1.1.2)",
        "Metadata of a series (PS3.18 10.4.1.1.2)",
        "Metadata of an instance (PS3.18 10.4.1.1.2)",
    );
    Said::from(summary)
        .gives(200, DICOM_JSON, schemas::data_sets())
        .gives(200, "application/json", schemas::data_sets())
        .gives(200, MULTIPART_XML, bytes())
}

/// The resource that an address names.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) selection: Selection,
    /// Frame numbers as they stand in the address.
    pub(super) frames: Option<String>,
    /// Path of a bulk value.
    pub(super) bulk: Option<String>,
}

impl Resource {
    /// Whether the address names one instance.
    pub(super) fn is_instance(&self) -> bool {
        self.selection.instance.is_some()
    }

    /// The instances in order; none is an error.
    pub(super) async fn instances(&self, app: &App) -> Result<Vec<StoredInstance>, ApiError> {
        let instances = app.engine.instances(&app.scope, Zone::Clinical, &self.selection).await?;
        if instances.is_empty() { Err(self.not_found()) } else { Ok(instances) }
    }

    /// The one instance of an address that names one.
    pub(super) async fn instance(&self, app: &App) -> Result<StoredInstance, ApiError> {
        self.instances(app).await.map(|mut instances| instances.swap_remove(0))
    }

    pub(super) fn not_found(&self) -> ApiError {
        let what = match (&self.selection.series, &self.selection.instance) {
            (_, Some(_)) => "instance",
            (Some(_), None) => "series",
            (None, None) => "study",
        };
        EngineError::NotFound { what }.into()
    }
}

/// What it names stands in the path; a kept object may be damaged.
impl Takes for Resource {
    fn told(sketch: &mut Sketch) {
        sketch.refuses(&[422]);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Resource {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::RawPathParams::from_request_parts(parts, state).await?;
        let mut resource = Self { selection: Selection::default(), frames: None, bulk: None };
        let no_uid =
            |what: &str, error: UidError| ApiError::bad_request(format!("the address names no {what}: {error}"));
        for (name, value) in &path {
            let selection = &mut resource.selection;
            match name {
                "study_uid" => selection.study = Some(vec![value.parse().map_err(|error| no_uid("study", error))?]),
                "series_uid" => selection.series = Some(vec![value.parse().map_err(|error| no_uid("series", error))?]),
                "sop_uid" => selection.instance = Some(vec![value.parse().map_err(|error| no_uid("instance", error))?]),
                "frames" => resource.frames = Some(value.to_owned()),
                _ => resource.bulk = Some(value.to_owned()),
            }
        }
        Ok(resource)
    }
}

/// Whether pictures can be made of an instance, as far as its SOP class says.
pub(super) fn is_image(instance: &StoredInstance) -> bool {
    // Of a class that is not known here nothing is said of pixels: it may have them.
    RecordType::of(&instance.sop_class, true) == RecordType::Image
}

/// What the peer is told when nothing of what it accepts can be given.
pub(super) fn not_acceptable(offered: &str) -> ApiError {
    let message = format!("nothing that the Accept header allows can be given; offered here: {offered}");
    ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
}

impl From<PixelError> for ApiError {
    fn from(error: PixelError) -> Self {
        match error {
            PixelError::NoPixelData => Self::new(StatusCode::NOT_FOUND, "no_pixel_data", error.to_string()),
            PixelError::NoSuchFrame { .. } => Self::new(StatusCode::NOT_FOUND, "no_such_frame", error.to_string()),
            PixelError::UnsupportedTransferSyntax(_) | PixelError::Photometric { .. } | PixelError::Bits { .. } => {
                Self::new(StatusCode::NOT_ACCEPTABLE, "cannot_be_decoded", error.to_string())
            }
            other => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "pixels_unreadable", other.to_string()),
        }
    }
}

impl From<HeaderError> for ApiError {
    fn from(error: HeaderError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "header_damaged", error.to_string())
    }
}

impl From<OutlineError> for ApiError {
    fn from(error: OutlineError) -> Self {
        match error {
            OutlineError::NoSuchFrame { .. } => Self::new(StatusCode::NOT_FOUND, "no_such_frame", error.to_string()),
            OutlineError::Read(error) => {
                tracing::error!(%error, "an object cannot be read");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "storage_failed",
                    "an internal error; the server's log says more",
                )
            }
            other => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "pixels_unreadable", other.to_string()),
        }
    }
}

/// Runs what waits for the disk or a decoder beside the network's threads.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(panic = error.is_panic(), "work for a request ended early");
        Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "an internal error; the server's log says more",
        ))
    })
}
