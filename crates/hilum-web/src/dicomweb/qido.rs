//! QIDO-RS: the Search transaction (PS3.18 10.6) over the engine's search by keys.

use axum::{
    extract::{RawPathParams, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use hilum_dicom::data_set::Value;
use hilum_dicom::header::dictionary_vr;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_dicom::{DataSet, json, native_model};
use hilum_engine::{Answer, Attribute, EngineError, Find, Found, Zone, attributes};
use std::collections::BTreeSet;

use super::VIEW;
use super::query::Parameters;
use super::retrieve::{Accept, BodyParts, DICOM_JSON, MULTIPART_XML, Model, base};
use crate::{
    doors::{App, Doors},
    error::ApiError,
    openapi::{
        Said, bytes,
        schemas::{self, number},
    },
};
use serde_json::{Value as Json, json};

/// Matches in an answer where no limit is asked for, and at most.
const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 5000;
/// Bytes that a study's answer usually has.
const USUAL_ANSWER: usize = 768;
/// Items that one key may lie below.
const DEEPEST_KEY: usize = 4;

pub(super) fn doors(doors: Doors) -> Doors {
    doors
        .get("/studies", VIEW, studies, said("Searches studies (QIDO-RS, PS3.18 10.6)"))
        .get("/series", VIEW, series, said("Searches series (QIDO-RS, PS3.18 10.6)"))
        .get("/instances", VIEW, instances, said("Searches instances (QIDO-RS, PS3.18 10.6)"))
        .get("/studies/{study_uid}/series", VIEW, series, said("Searches series of a study (QIDO-RS)"))
        .get("/studies/{study_uid}/instances", VIEW, instances, said("Searches instances of a study (QIDO-RS)"))
        .get(
            "/studies/{study_uid}/series/{series_uid}/instances",
            VIEW,
            instances,
            said("Searches instances of a series (QIDO-RS)"),
        )
}

/// What no type says of searching. Every attribute of the standard may be a key, by its keyword or tag; those are named that a study has.
fn said(summary: &'static str) -> Said {
    let text = || json!({"type": "string"});
    let flag = || json!({"type": "boolean"});
    let said = Said::from(summary)
        .query("limit", "Matches in the answer; 5000 at most", number(1, u64::MAX))
        .query("offset", "Matches that are passed over", number(0, u64::MAX))
        .query("fuzzymatching", "Names that sound or are written alike", flag())
        .query("emptyvaluematching", "An empty key matches empty values alone", flag())
        .query("total", "X-Total-Count says how many match", flag())
        .query("includefield", "Attributes that are wanted besides: keywords or tags, separated by commas, or `all`", {
            json!({"type": "string", "pattern": "^(all|[0-9A-F]{8}(,[0-9A-F]{8})*)?$"})
        })
        .query("StudyInstanceUID", "Key, as every attribute may be one: a UID, or several divided by commas", text())
        .query("PatientID", "Key", text())
        .query("PatientName", "Key, with * and ? as wildcards", text())
        .query("AccessionNumber", "Key", text())
        .query("StudyDate", "Key: a date or a range", {
            json!({"type": "string", "pattern": "^((19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])(-((19|20)[0-9]{2}1231)?)?)?$"})
        });
    said.gives(200, DICOM_JSON, schemas::data_sets())
        .gives(200, "application/json", schemas::data_sets())
        .gives(200, MULTIPART_XML, bytes())
        .gives(204, "", Json::Null)
        .refuses(&[406])
}

/// Parts of the path, decoded.
type Path = Result<RawPathParams, RawPathParamsRejection>;

async fn studies(app: App, path: Path, uri: Uri, headers: HeaderMap, accept: Accept) -> Result<Response, ApiError> {
    search(app, Level::Study, &path?, &uri, &headers, &accept).await
}

async fn series(app: App, path: Path, uri: Uri, headers: HeaderMap, accept: Accept) -> Result<Response, ApiError> {
    search(app, Level::Series, &path?, &uri, &headers, &accept).await
}

async fn instances(app: App, path: Path, uri: Uri, headers: HeaderMap, accept: Accept) -> Result<Response, ApiError> {
    search(app, Level::Image, &path?, &uri, &headers, &accept).await
}

async fn search(
    app: App,
    level: Level,
    path: &RawPathParams,
    uri: &Uri,
    headers: &HeaderMap,
    accept: &Accept,
) -> Result<Response, ApiError> {
    let model = Model::wanted(accept)?;
    let mut question = Question::read(&Parameters::of(uri.query())?)?;
    let mut below = Vec::new();
    for (name, value) in path {
        let (tag, what) = if name == "study_uid" {
            (tags::STUDY_INSTANCE_UID, "study")
        } else {
            (tags::SERIES_INSTANCE_UID, "series")
        };
        let uid: hilum_dicom::StudyUid =
            value.parse().map_err(|error| ApiError::bad_request(format!("the address names no {what}: {error}")))?;
        question.keys.set(tag, uid.as_str());
        below.push(tag);
    }
    let find = Find {
        zone: Zone::Clinical,
        level,
        keys: question.keys.clone(),
        options: question.options,
        after: None,
        limit: question.limit,
    };
    let found = app.engine.find_at(&app.scope, &find, question.offset).await?;
    let total = if question.total { Some(app.engine.count(&app.scope, &find).await?) } else { None };
    let base = base(headers, app.port);
    let shown = shown(level, &question, &below);
    let mut data_sets = String::with_capacity(USUAL_ANSWER * found.answers.len());
    for (index, answer) in found.answers.iter().enumerate() {
        if index > 0 {
            data_sets.push(',');
        }
        write(level, &shown, answer, &base, &mut data_sets)?;
    }
    let mut response = body(data_sets, model)?;
    response.headers_mut().extend(told(&found, total));
    Ok(response)
}

/// What is said about an answer in its head.
fn told(found: &Found, total: Option<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut warnings = Vec::new();
    if found.next.is_some() {
        // PS3.18 8.3.4.4: the peer may ask for the rest.
        warnings.push(
            "299 hilum \"The number of results exceeded the limit. There are more: ask again with offset\"".to_owned(),
        );
    }
    if !found.unsupported.is_empty() {
        let names: Vec<String> = found.unsupported.iter().map(|tag| format!("{:04X}{:04X}", tag.0, tag.1)).collect();
        warnings.push(format!("299 hilum \"These keys are not matched here and were left out: {}\"", names.join(", ")));
    }
    for warning in warnings {
        if let Ok(value) = HeaderValue::from_str(&warning) {
            headers.append(header::WARNING, value);
        }
    }
    if let Some(total) = total {
        headers.insert("x-total-count", HeaderValue::from(total));
    }
    headers
}

/// Data sets in DICOM JSON, with commas between them, as the answer that was asked for; without any there is no content in either
/// model.
pub(super) fn body(mut data_sets: String, model: Model) -> Result<Response, ApiError> {
    let essence = match model {
        Model::Json(essence) => essence,
        Model::Xml if data_sets.is_empty() => native_model::MEDIA_TYPE,
        Model::Xml => {
            let parts = BodyParts::new();
            let mut body = String::new();
            for document in native_model::documents(data_sets.as_bytes()) {
                let document =
                    document.map_err(|_| EngineError::Internal("an answer cannot be read again".to_owned()))?;
                body.push_str(&parts.start(native_model::MEDIA_TYPE, ""));
                body.push_str(&document);
            }
            body.push_str(&parts.end());
            return Ok(parts.response(native_model::MEDIA_TYPE, body.into()));
        }
    };
    let content_type = [(header::CONTENT_TYPE, essence)];
    if data_sets.is_empty() {
        return Ok((StatusCode::NO_CONTENT, content_type).into_response());
    }
    data_sets.insert(0, '[');
    data_sets.push(']');
    Ok((content_type, data_sets).into_response())
}

/// A member of an answer.
enum Shown {
    Attribute(&'static Attribute),
    RetrieveUrl,
}

/// What an answer says of an entity (PS3.18 10.6.3.3), by tag: its own attributes, those of the levels above that the address does
/// not name already, the keys, and what was asked for besides.
fn shown(level: Level, question: &Question, below: &[Tag]) -> Vec<Shown> {
    let asked = |tag| question.everything || question.fields.contains(&tag) || question.keys.get(tag).is_some();
    let mut shown: Vec<Shown> = attributes(level)
        .iter()
        .filter(|attribute| asked(attribute.tag) || is_default(level, below, attribute.tag))
        .map(Shown::Attribute)
        .collect();
    let url_at = shown
        .iter()
        .position(|shown| matches!(shown, Shown::Attribute(attribute) if attribute.tag > tags::RETRIEVE_URL))
        .unwrap_or(shown.len());
    shown.insert(url_at, Shown::RetrieveUrl);
    shown
}

fn write(level: Level, shown: &[Shown], answer: &Answer, base: &str, out: &mut String) -> Result<(), EngineError> {
    let values = answer.values();
    out.push('{');
    for (index, shown) in shown.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match shown {
            Shown::Attribute(attribute) if attribute.vr == VR::SQ => {
                json::write_items(attribute.tag, &values.items(attribute)?, out);
            }
            Shown::Attribute(attribute) => {
                let text = values.of(attribute)?;
                json::write_attribute(attribute.tag, attribute.vr, attribute.split(&text), out);
            }
            Shown::RetrieveUrl => {
                let [study, series, instance] = values.uids();
                let url = match level {
                    Level::Patient | Level::Study => [base, "studies/", study].concat(),
                    Level::Series => [base, "studies/", study, "/series/", series].concat(),
                    Level::Image => [base, "studies/", study, "/series/", series, "/instances/", instance].concat(),
                };
                json::write_attribute(tags::RETRIEVE_URL, VR::UR, std::iter::once(url.as_str()), out);
            }
        }
    }
    out.push('}');
    Ok(())
}

/// PS3.18 Tables 10.6.3-3 to 10.6.3-5. What the address names already is left out, its UIDs aside.
fn is_default(level: Level, below: &[Tag], tag: Tag) -> bool {
    const SERIES: [Tag; 9] = [
        tags::MODALITY,
        tags::SERIES_DESCRIPTION,
        tags::SERIES_INSTANCE_UID,
        tags::SERIES_NUMBER,
        tags::NUMBER_OF_SERIES_RELATED_INSTANCES,
        tags::BODY_PART_EXAMINED,
        tags::PERFORMED_PROCEDURE_STEP_START_DATE,
        tags::PERFORMED_PROCEDURE_STEP_START_TIME,
        tags::REQUEST_ATTRIBUTES_SEQUENCE,
    ];
    const IMAGE: [Tag; 8] = [
        tags::SOP_CLASS_UID,
        tags::SOP_INSTANCE_UID,
        tags::INSTANCE_NUMBER,
        tags::ROWS,
        tags::COLUMNS,
        tags::BITS_ALLOCATED,
        tags::NUMBER_OF_FRAMES,
        tags::AVAILABLE_TRANSFER_SYNTAX_UID,
    ];
    const UIDS: [Tag; 2] = [tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID];
    const ONLY_ASKED_FOR: [Tag; 4] =
        [tags::STUDY_DESCRIPTION, tags::ISSUER_OF_PATIENT_ID, tags::LATERALITY, tags::STATION_NAME];
    if UIDS.contains(&tag) || tag == tags::INSTANCE_AVAILABILITY {
        return true;
    }
    if SERIES.contains(&tag) {
        return level == Level::Series || level == Level::Image && !below.contains(&tags::SERIES_INSTANCE_UID);
    }
    if IMAGE.contains(&tag) {
        return level == Level::Image;
    }
    // Attributes of patient and study.
    let of_study = matches!(tag.0, 0x0008 | 0x0010 | 0x0020) && !ONLY_ASKED_FOR.contains(&tag) && !of_lower_level(tag);
    of_study && (level == Level::Study || !below.contains(&tags::STUDY_INSTANCE_UID))
}

/// Attributes of series and instances that an answer holds only where they are asked for.
fn of_lower_level(tag: Tag) -> bool {
    const ASKED_FOR: [Tag; 9] = [
        tags::SERIES_DATE,
        tags::SERIES_TIME,
        tags::MANUFACTURER,
        tags::INSTITUTION_NAME,
        tags::MANUFACTURER_MODEL_NAME,
        tags::IMAGE_TYPE,
        tags::ACQUISITION_NUMBER,
        tags::STATION_NAME,
        tags::LATERALITY,
    ];
    ASKED_FOR.contains(&tag)
}

/// What the parameters ask.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) keys: DataSet,
    pub(super) options: QueryOptions,
    pub(super) fields: BTreeSet<Tag>,
    pub(super) everything: bool,
    pub(super) limit: usize,
    pub(super) offset: usize,
    total: bool,
}

impl Question {
    pub(super) fn read(parameters: &Parameters) -> Result<Self, ApiError> {
        let limit = parameters.number("limit")?.map_or(DEFAULT_LIMIT, |limit| (limit as usize).min(LARGEST_LIMIT));
        if limit == 0 {
            return Err(ApiError::bad_request("parameter limit is out of range; expected a number from 1"));
        }
        let mut question = Self {
            keys: DataSet::new(),
            options: QueryOptions {
                fuzzy_names: parameters.flag("fuzzymatching")?,
                empty_values: parameters.flag("emptyvaluematching")?,
                combined_date_times: true,
                ..QueryOptions::default()
            },
            fields: BTreeSet::new(),
            everything: false,
            limit,
            offset: parameters.number("offset")?.map_or(0, |offset| usize::try_from(offset).unwrap_or(usize::MAX)),
            total: parameters.flag("total")?,
        };
        for (name, value) in parameters.iter() {
            match name.to_ascii_lowercase().as_str() {
                "limit" | "offset" | "fuzzymatching" | "emptyvaluematching" | "total" | "accept" | "charset" => {}
                "includefield" => {
                    for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                        if field.eq_ignore_ascii_case("all") {
                            question.everything = true;
                        } else {
                            let path = path(field, "includefield")?;
                            question.fields.extend(path.first());
                        }
                    }
                }
                _ => put_key(&mut question.keys, name, value)?,
            }
        }
        Ok(question)
    }
}

/// Puts a key among others, by the name of a parameter.
pub(super) fn put_key(keys: &mut DataSet, name: &str, value: &str) -> Result<(), ApiError> {
    let path = path(name, name)?;
    put(keys, &path, value);
    Ok(())
}

/// An attribute by keyword or by eight hexadecimal digits, below sequences divided by dots.
fn path(text: &str, parameter: &str) -> Result<Vec<Tag>, ApiError> {
    let tags: Option<Vec<Tag>> = text.split('.').map(tag).collect();
    tags.filter(|tags| tags.len() <= DEEPEST_KEY).ok_or_else(|| {
        ApiError::bad_request(format!(
            "parameter {parameter} names no attribute; expected a keyword such as PatientID, or a tag such as 00100020"
        ))
    })
}

fn tag(text: &str) -> Option<Tag> {
    if text.len() == 8
        && let Ok(number) = u32::from_str_radix(text, 16)
    {
        return Some(Tag((number >> 16) as u16, number as u16));
    }
    StandardDataDictionary.by_name(text).map(DataDictionaryEntry::tag)
}

/// Commas and backslashes divide the values of a list (PS3.18 8.3.4.1); in names and free text a comma is a comma.
fn put(keys: &mut DataSet, path: &[Tag], value: &str) {
    let Some((tag, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        let vr = dictionary_vr(*tag);
        let lists = matches!(vr, VR::UI | VR::CS | VR::IS | VR::US | VR::AE | VR::DS);
        let dividers: &[char] = if lists { &[',', '\\'] } else { &['\\'] };
        let values = value.split(dividers).map(str::to_owned).collect();
        keys.insert(*tag, vr, Value::Text(values));
        return;
    }
    // Keys below one sequence are keys of one item.
    let mut item = keys.items(*tag).first().cloned().unwrap_or_default();
    put(&mut item, rest, value);
    keys.set_items(*tag, vec![item]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(query: &str) -> Result<Question, ApiError> {
        Question::read(&Parameters::of(Some(query)).unwrap())
    }

    #[test]
    fn keys_come_by_keyword_by_tag_and_below_sequences() {
        let asked = question(
            "PatientName=%2A%ED%99%8D%2A&00100020=KR0001&StudyInstanceUID=1.2,1.3%5C1.4&RequestAttributesSequence.\
             ScheduledProcedureStepID=7&00400275.00401001=R1&ModalitiesInStudy=CT&StudyDescription=a,b",
        )
        .unwrap();
        assert_eq!(asked.keys.text(tags::PATIENT_NAME), Some("*홍*"));
        assert_eq!(asked.keys.text(tags::PATIENT_ID), Some("KR0001"));
        assert_eq!(asked.keys.texts(tags::STUDY_INSTANCE_UID), ["1.2", "1.3", "1.4"]);
        assert_eq!(asked.keys.text(tags::STUDY_DESCRIPTION), Some("a,b"));
        let item = &asked.keys.items(tags::REQUEST_ATTRIBUTES_SEQUENCE)[0];
        assert_eq!(item.text(tags::SCHEDULED_PROCEDURE_STEP_ID), Some("7"));
        assert_eq!(item.text(tags::REQUESTED_PROCEDURE_ID), Some("R1"));
    }

    #[test]
    fn what_ohif_asks_is_understood() {
        let asked = question(
            "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090&PatientName=*%ED%99%8D*",
        )
        .unwrap();
        assert_eq!((asked.limit, asked.offset, asked.options.fuzzy_names, asked.everything), (101, 0, false, false));
        assert!(asked.fields.contains(&tags::STUDY_DESCRIPTION) && asked.fields.contains(&tags::MODALITY));
        assert_eq!(asked.keys.text(tags::PATIENT_NAME), Some("*홍*"));
        assert!(question("includefield=all").unwrap().everything);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_its_value_is_not() {
        for (query, named) in [
            ("PatientNam=Hong", "PatientNam"),
            ("limit=many", "limit"),
            ("limit=0", "limit"),
            ("fuzzymatching=perhaps", "fuzzymatching"),
            ("includefield=NoSuchField", "includefield"),
            ("0010002=7", "0010002"),
        ] {
            let message = question(query).unwrap_err().message;
            let value = query.split_once('=').unwrap().1;
            assert!(message.contains(named) && !message.contains(&format!("{value} ")), "{query}: {message}");
        }
    }
}
