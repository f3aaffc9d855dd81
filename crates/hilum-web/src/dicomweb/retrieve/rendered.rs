//! Pictures for people: rendered frames and thumbnails (PS3.18 10.4.1.1.4, 8.3.5).

use axum::{
    body::Body,
    http::{Uri, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::Outline;
use hilum_dicom::pixels::ImageDescription;
use hilum_dicom::render::{Picture, VoiFunction, VoiWindow, render};
use hilum_dicom::uid::PixelCoding;
use hilum_engine::{InstanceBytes, StoredInstance};

use super::super::query::Parameters;
use super::accept::{Accept, Form};
use super::body::{Parts, pieces};
use super::{Resource, aside, is_image, not_acceptable};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Said, bytes, schemas::number},
};
use serde_json::json;

const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";

/// Quality where none is asked for, 1 to 100.
pub(super) const QUALITY: u8 = 90;
/// Largest side of a picture that is asked for.
pub(super) const LARGEST_SIDE: u32 = 8192;
/// Longer side of a thumbnail.
const THUMBNAIL: u32 = 200;

/// `GET .../rendered`: a frame, the first one of an instance, or of the middle instance of a series or study.
pub(super) async fn rendered(app: App, accept: Accept, uri: Uri, resource: Resource) -> Result<Response, ApiError> {
    let parameters = Parameters::of(uri.query())?;
    let viewport = parameters.first("viewport").map(Viewport::read).transpose()?;
    picture(&app, &accept, &parameters, viewport, &resource).await
}

/// `GET .../thumbnail`
pub(super) async fn thumbnail(app: App, accept: Accept, uri: Uri, resource: Resource) -> Result<Response, ApiError> {
    let parameters = Parameters::of(uri.query())?;
    let small = Viewport { width: THUMBNAIL, height: THUMBNAIL, part: None };
    let viewport = parameters.first("viewport").map_or(Ok(small), Viewport::read)?;
    picture(&app, &accept, &parameters, Some(viewport), &resource).await
}

/// What no type says of pictures.
pub(super) fn said(summary: &'static str) -> Said {
    let numbers = |pattern: &str| json!({"type": "string", "pattern": pattern});
    Said::from(summary)
        .query("window", "center,width,function (PS3.18 8.3.5.1.4)", {
            numbers("^-?[0-9]{1,5},[1-9][0-9]{0,4},(linear|linear-exact|sigmoid)$")
        })
        .query("quality", "Of a JPEG", number(1, 100))
        .query("viewport", "width,height in pixels, and the part of the image that is shown (PS3.18 8.3.5.1.3)", {
            numbers("^[1-9][0-9]{0,2},[1-9][0-9]{0,2}$")
        })
        .gives(200, JPEG, bytes())
        .gives(200, PNG, bytes())
        .gives(200, "multipart/related; type=\"image/jpeg\"", bytes())
        .refuses(&[406])
}

async fn picture(
    app: &App,
    accept: &Accept,
    parameters: &Parameters,
    viewport: Option<Viewport>,
    resource: &Resource,
) -> Result<Response, ApiError> {
    let range = accept.0.iter().find(|range| range.takes(JPEG) || range.takes(PNG));
    let range = range.ok_or_else(|| not_acceptable("image/jpeg and image/png"))?;
    let essence = if range.takes(JPEG) { JPEG } else { PNG };
    let window = parameters.first("window").map(window).transpose()?;
    let quality = match parameters.number("quality")? {
        None => QUALITY,
        Some(quality @ 1..=100) => quality as u8,
        Some(_) => return Err(ApiError::bad_request("parameter quality is out of range; expected 1 to 100")),
    };
    let frame = match resource.frames.as_deref() {
        None => 0,
        Some(text) => text
            .parse::<u32>()
            .ok()
            .and_then(|number| number.checked_sub(1))
            .ok_or_else(|| ApiError::bad_request("the address names no frame; expected one number from 1"))?,
    };
    let instance = shown(resource.instances(app).await?);
    let engine = app.engine.clone();
    let file = aside(move || {
        let bytes = engine.open_instance_blocking(&instance)?;
        encoded(&picture_of(&bytes, frame, window, viewport)?, essence, quality)
    })
    .await?;
    if range.form == Form::Multipart {
        let parts = Parts::new();
        let body = pieces([parts.start(essence, "").into(), file.into(), parts.end().into()]);
        return Ok(parts.response(essence, body));
    }
    Ok(([(header::CONTENT_TYPE, essence)], Body::from(file)).into_response())
}

/// The instance in the middle of those that are images, where there are any.
fn shown(instances: Vec<StoredInstance>) -> StoredInstance {
    let (mut images, mut others): (Vec<_>, Vec<_>) = instances.into_iter().partition(is_image);
    let from = if images.is_empty() { &mut others } else { &mut images };
    from.swap_remove(from.len() / 2)
}

/// A frame (from 0) as a picture.
pub(super) fn picture_of(
    bytes: &InstanceBytes,
    frame: u32,
    window: Option<VoiWindow>,
    viewport: Option<Viewport>,
) -> Result<Picture, ApiError> {
    let outline = Outline::read(bytes)?;
    let instance = outline.instance()?;
    let description = ImageDescription::of(&instance)?;
    let coded = description.read(&outline, frame, bytes)?;
    let syntax = outline.transfer_syntax();
    let samples = if syntax.pixel_coding() == PixelCoding::Native {
        description.from_native(coded)?
    } else {
        description.decode(syntax, &coded)?
    };
    let picture = render(&instance, &description, &samples, frame, window)?;
    match viewport {
        None => Ok(picture),
        Some(viewport) => viewport.of(&picture),
    }
}

/// A picture as a file.
pub(super) fn encoded(picture: &Picture, essence: &str, quality: u8) -> Result<Vec<u8>, ApiError> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a picture cannot be encoded");
        ApiError::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "an internal error; the server's log says more",
        )
    };
    let mut file = Vec::new();
    if essence == PNG {
        let mut encoder = png::Encoder::new(&mut file, picture.width, picture.height);
        encoder.set_color(if picture.samples == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
        writer.write_image_data(&picture.bytes).map_err(|error| failed(&error))?;
        writer.finish().map_err(|error| failed(&error))?;
        return Ok(file);
    }
    let side = |length: u32| {
        u16::try_from(length)
            .map_err(|_| ApiError::bad_request("the picture is too large for image/jpeg; ask for image/png"))
    };
    let (width, height) = (side(picture.width)?, side(picture.height)?);
    if let Some(file) = picture.to_grey_jpeg(quality) {
        return Ok(file);
    }
    let encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.encode(&picture.bytes, width, height, jpeg_encoder::ColorType::Rgb).map_err(|error| failed(&error))?;
    Ok(file)
}

/// `center,width,function` (PS3.18 8.3.5.1.4).
fn window(text: &str) -> Result<VoiWindow, ApiError> {
    let expected = || {
        ApiError::bad_request(
            "parameter window cannot be read; expected center,width,function with a function of linear, linear-exact or sigmoid",
        )
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (center, width, function) = match parts[..] {
        [center, width] => (center, width, "linear"),
        [center, width, function] => (center, width, function),
        _ => return Err(expected()),
    };
    let function: VoiFunction = function.parse().map_err(|()| expected())?;
    let number = |text: &str| text.parse::<f64>().map_err(|_| expected());
    VoiWindow::new(number(center)?, number(width)?, function).ok_or_else(expected)
}

/// `vw,vh` or `vw,vh,sx,sy,sw,sh` (PS3.18 8.3.5.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Viewport {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The part of the image that is shown.
    pub(super) part: Option<Part>,
}

/// A part of an image, mirrored or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    left: u32,
    top: u32,
    /// To the image's end where none is given, like the height.
    width: Option<u32>,
    height: Option<u32>,
    mirrored: [bool; 2],
}

impl Viewport {
    fn read(text: &str) -> Result<Self, ApiError> {
        let expected = || {
            ApiError::bad_request(format!(
                "parameter viewport cannot be read; expected width,height or width,height,left,top,width,height in pixels, sides from 1 to \
                 {LARGEST_SIDE}, the last four empty for all of the image, the last two negative to mirror it"
            ))
        };
        let texts: Vec<&str> = text.split(',').map(str::trim).collect();
        let (width, height, part) = match texts[..] {
            [width, height] => (width, height, None),
            [width, height, left, top, across, down] => (width, height, Some([left, top, across, down])),
            _ => return Err(expected()),
        };
        let side = |text| whole(text).filter(|side| (1..=LARGEST_SIDE).contains(side)).ok_or_else(expected);
        // What is empty has its default.
        let given = |text: &str| if text.is_empty() { Ok(None) } else { whole(text).map(Some).ok_or_else(expected) };
        let part = match part {
            None => None,
            Some([left, top, across, down]) => {
                let ((across, mirrored_across), (down, mirrored_down)) =
                    (length_and_sign(across), length_and_sign(down));
                Some(Part {
                    left: given(left)?.unwrap_or(0),
                    top: given(top)?.unwrap_or(0),
                    width: given(across)?,
                    height: given(down)?,
                    mirrored: [mirrored_across, mirrored_down],
                })
            }
        };
        Ok(Self { width: side(width)?, height: side(height)?, part })
    }

    pub(super) fn of(self, picture: &Picture) -> Result<Picture, ApiError> {
        let Some(Part { left, top, width, height, mirrored: [across, down] }) = self.part else {
            return Ok(picture.fitted(self.width, self.height));
        };
        let cut = picture.cut(left, top, width.unwrap_or(picture.width), height.unwrap_or(picture.height));
        let cut = cut.ok_or_else(|| ApiError::bad_request("parameter viewport names no part of the image"))?;
        Ok(cut.fitted(self.width, self.height).mirrored(across, down))
    }
}

/// A length, and whether it is negative.
fn length_and_sign(text: &str) -> (&str, bool) {
    text.strip_prefix('-').map_or((text, false), |length| (length, true))
}

/// Some clients write pixels with a decimal point.
fn whole(text: &str) -> Option<u32> {
    let number = text.parse::<f64>().ok()?;
    (number >= 0.0 && number <= f64::from(u32::MAX)).then_some(number.round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_viewports_are_read_as_the_standard_writes_them() {
        assert_eq!(window("40,400,linear").unwrap(), VoiWindow::new(40.0, 400.0, VoiFunction::Linear).unwrap());
        assert_eq!(window("40, 400,LINEAR-EXACT").unwrap().function, VoiFunction::LinearExact);
        for bad in ["", "40", "40,0,linear", "a,b,linear", "40,400,cubic", "1,2,linear,4"] {
            assert!(window(bad).is_err(), "{bad}");
        }
        assert_eq!(Viewport::read("256,256").unwrap(), Viewport { width: 256, height: 256, part: None });
        let part = Part { left: 1, top: 2, width: Some(3), height: Some(4), mirrored: [false; 2] };
        assert_eq!(Viewport::read("8,8,1,2,3,4").unwrap().part, Some(part));
        assert_eq!(Viewport::read("8,8,1,2,-3,4").unwrap().part, Some(Part { mirrored: [true, false], ..part }));
        let all = Part { left: 0, top: 0, width: None, height: Some(4), mirrored: [false, true] };
        assert_eq!(Viewport::read("8,8,,,,-4").unwrap().part, Some(all));
        for bad in ["", "256", "0,1", "9000,1", "1,2,3", "-1,5", "a,b", "8,8,-1,0,1,1", "8,8,0,0,--1,1", ",,,,,"] {
            assert!(Viewport::read(bad).is_err(), "{bad}");
        }
    }
}
