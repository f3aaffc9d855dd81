//! How the series of a study were taken: what the headers say of protocol, tube, reconstruction and dose. Nothing is computed; what is
//! not stated is not there.

use crate::access::Scope;
use crate::archive::{StoredInstance, aside};
use crate::audit::Subject;
use crate::engine::{Engine, Zone};
use crate::error::EngineError;
use crate::{Selection, views::Note};
use dicom_core::Tag;
use hilum_dicom::{DataSet, Outline, StudyUid};
use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

/// `GET /api/v1/studies/{study_uid}/acquisition`, one series. Numbers are as the first, the middle and the last image state them, the
/// lowest and the highest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Acquisition {
    /// Series Instance UID.
    pub series_uid: String,
    /// Body Part Examined (0018,0015).
    pub body_part: Option<String>,
    /// Protocol Name (0018,1030).
    pub protocol: Option<String>,
    /// Manufacturer (0008,0070).
    pub manufacturer: Option<String>,
    /// Manufacturer's Model Name (0008,1090).
    pub model: Option<String>,
    /// Convolution Kernel (0018,1210).
    pub kernel: Option<String>,
    /// Contrast/Bolus Agent (0018,0010).
    pub contrast_agent: Option<String>,
    /// Patient Position (0018,5100).
    pub patient_position: Option<String>,
    /// Patient Orientation of the reconstruction: Image Type (0008,0008), its values joined by backslashes.
    pub image_type: Option<String>,
    /// KVP (0018,0060), kV.
    pub kvp: Option<Range>,
    /// X-Ray Tube Current (0018,1151), mA.
    pub tube_current_ma: Option<Range>,
    /// Exposure (0018,1152), mAs; from Exposure in µAs (0018,1153) where only that is stated.
    pub exposure_mas: Option<Range>,
    /// Exposure Time (0018,1150), ms.
    pub exposure_time_ms: Option<Range>,
    /// CTDIvol (0018,9345), mGy.
    pub ctdi_vol_mgy: Option<Range>,
    /// Spiral Pitch Factor (0018,9311).
    pub pitch: Option<Range>,
    /// Slice Thickness (0018,0050), mm.
    pub slice_thickness_mm: Option<Range>,
    /// Reconstruction Diameter (0018,1100), mm.
    pub reconstruction_diameter_mm: Option<Range>,
    /// Gantry/Detector Tilt (0018,1120), degrees.
    pub gantry_tilt_degrees: Option<Range>,
    /// Rows and columns.
    pub matrix: Option<[u32; 2]>,
    /// Images of the series could not be looked at.
    pub unreadable: Option<Note>,
}

/// The lowest and the highest value that is stated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
}

const BODY_PART: Tag = Tag(0x0018, 0x0015);
const PROTOCOL: Tag = Tag(0x0018, 0x1030);
const MANUFACTURER: Tag = Tag(0x0008, 0x0070);
const MODEL: Tag = Tag(0x0008, 0x1090);
const KERNEL: Tag = Tag(0x0018, 0x1210);
const CONTRAST_AGENT: Tag = Tag(0x0018, 0x0010);
const PATIENT_POSITION: Tag = Tag(0x0018, 0x5100);
const IMAGE_TYPE: Tag = Tag(0x0008, 0x0008);
const KVP: Tag = Tag(0x0018, 0x0060);
const TUBE_CURRENT: Tag = Tag(0x0018, 0x1151);
const EXPOSURE: Tag = Tag(0x0018, 0x1152);
const EXPOSURE_UAS: Tag = Tag(0x0018, 0x1153);
const EXPOSURE_TIME: Tag = Tag(0x0018, 0x1150);
const CTDI_VOL: Tag = Tag(0x0018, 0x9345);
const PITCH: Tag = Tag(0x0018, 0x9311);
const SLICE_THICKNESS: Tag = Tag(0x0018, 0x0050);
const RECONSTRUCTION_DIAMETER: Tag = Tag(0x0018, 0x1100);
const GANTRY_TILT: Tag = Tag(0x0018, 0x1120);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);

/// Series of a study that are looked at.
const MOST_SERIES: usize = 200;

impl Engine {
    /// How each series was taken, in order of series number.
    pub async fn acquisition(&self, scope: &Scope, study: &StudyUid) -> Result<Vec<Acquisition>, EngineError> {
        let mut selected = self.select_unseen(scope, Zone::Clinical, &Selection::study(study.clone())).await?;
        if selected.is_empty() {
            return Err(EngineError::NotFound { what: "study" });
        }
        let mut told = Vec::new();
        while let Some(instances) = selected.next_series().await?.filter(|_| told.len() < MOST_SERIES) {
            let engine = self.clone();
            told.push(aside("reading how a series was taken", move || Ok(engine.taken(&instances))).await?);
        }
        self.note_view(scope, Subject::Study, study, None).await?;
        Ok(told)
    }

    fn taken(&self, instances: &[StoredInstance]) -> Acquisition {
        let last = instances.len().saturating_sub(1);
        let mut looked: Vec<usize> = vec![0, last / 2, last];
        looked.dedup();
        let mut headers = Vec::new();
        let mut unreadable = None;
        for instance in looked.into_iter().filter_map(|index| instances.get(index)) {
            match self.header_of(instance) {
                Ok(header) => headers.push(header),
                Err(error) => {
                    tracing::warn!(code = error.code(), "a header cannot be read");
                    let text = "Some of the images could not be read; the check of the archive says more.".to_owned();
                    unreadable = Some(Note { code: "header_unreadable".to_owned(), text });
                }
            }
        }
        let series = instances.first().map(|instance| instance.series.to_string()).unwrap_or_default();
        stated(series, &headers, unreadable)
    }

    fn header_of(&self, instance: &StoredInstance) -> Result<DataSet, EngineError> {
        let bytes = self.open_instance_blocking(instance)?;
        let outline = Outline::read(&bytes)?;
        let unreadable = |error| EngineError::from(hilum_dicom::OutlineError::from(error));
        DataSet::from_instance(&outline.instance().map_err(unreadable)?).map_err(unreadable)
    }
}

fn stated(series_uid: String, headers: &[DataSet], unreadable: Option<Note>) -> Acquisition {
    let text = |tag| headers.iter().find_map(|header| header.text(tag)).map(str::to_owned);
    let joined = |tag| headers.iter().map(|header| header.texts(tag)).find(|texts| !texts.is_empty());
    let number = |tag| range(headers.iter().filter_map(|header| number_of(header, tag)));
    let whole = |tag| headers.iter().find_map(|header| header.text(tag)?.trim().parse::<u32>().ok());
    let micro = || {
        let Range { low, high } = number(EXPOSURE_UAS)?;
        Some(Range { low: low / 1000.0, high: high / 1000.0 })
    };
    Acquisition {
        series_uid,
        body_part: text(BODY_PART),
        protocol: text(PROTOCOL),
        manufacturer: text(MANUFACTURER),
        model: text(MODEL),
        kernel: joined(KERNEL).map(|kernels| kernels.join("\\")),
        contrast_agent: text(CONTRAST_AGENT),
        patient_position: text(PATIENT_POSITION),
        image_type: joined(IMAGE_TYPE).map(|types| types.join("\\")),
        kvp: number(KVP),
        tube_current_ma: number(TUBE_CURRENT),
        exposure_mas: number(EXPOSURE).or_else(micro),
        exposure_time_ms: number(EXPOSURE_TIME),
        ctdi_vol_mgy: number(CTDI_VOL),
        pitch: number(PITCH),
        slice_thickness_mm: number(SLICE_THICKNESS),
        reconstruction_diameter_mm: number(RECONSTRUCTION_DIAMETER),
        gantry_tilt_degrees: number(GANTRY_TILT),
        matrix: whole(ROWS).zip(whole(COLUMNS)).map(|(rows, columns)| [rows, columns]),
        unreadable,
    }
}

/// A value that is a finite number; what is none says nothing.
fn number_of(header: &DataSet, tag: Tag) -> Option<f64> {
    header.text(tag)?.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn range(numbers: impl Iterator<Item = f64>) -> Option<Range> {
    numbers.fold(None, |range, number| {
        let Range { low, high } = range.unwrap_or(Range { low: number, high: number });
        Some(Range { low: low.min(number), high: high.max(number) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_is_told_and_nothing_is_made_up() {
        let mut first = DataSet::new();
        first.set(KVP, "120").set(EXPOSURE_UAS, "52000").set(TUBE_CURRENT, "210").set(PROTOCOL, "KUB low dose");
        let mut last = DataSet::new();
        last.set(KVP, "120.0").set(TUBE_CURRENT, "180").set(GANTRY_TILT, "n/a");
        let told = stated("1.2.3".to_owned(), &[first, last], None);
        assert_eq!(told.kvp, Some(Range { low: 120.0, high: 120.0 }));
        assert_eq!(told.tube_current_ma, Some(Range { low: 180.0, high: 210.0 }));
        assert_eq!(told.exposure_mas, Some(Range { low: 52.0, high: 52.0 }));
        assert_eq!(
            (told.protocol.as_deref(), told.ctdi_vol_mgy, told.gantry_tilt_degrees),
            (Some("KUB low dose"), None, None)
        );
    }
}
