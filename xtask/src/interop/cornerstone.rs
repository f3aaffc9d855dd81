//! Results as Cornerstone3D's adapters read them, with which OHIF opens segmentations, beside highdicom and the report.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::checks::{Check, READING_LIMIT};
use super::{Bench, Server};
use crate::run;

/// Every check of Cornerstone3D's adapters.
pub const ALL: &[(&str, Check)] = &[(
    "Cornerstone3D's adapters (OHIF) read the SEG's voxels and millimetres, and dcmjs the SR's numbers, as highdicom does and the report says",
    adapters_read,
)];

/// Seed, position and slice thickness of synthetic patients, in whom stones of several slices are found. The normals of their images point apart: to
/// the head, and to the feet.
const PATIENTS: [[&str; 3]; 2] = [["41", "hfs", "3"], ["43", "ffp", "4"]];

fn adapters_read(bench: &Bench) -> anyhow::Result<String> {
    let (images, data) = (bench.scratch.join("cornerstone-phantoms"), bench.scratch.join("cornerstone"));
    for [seed, position, thickness] in PATIENTS {
        let mut phantom = Command::new(&bench.hilum);
        phantom.arg("phantom").arg(&images).args(["--seed", seed, "--position", position, "--thickness", thickness]);
        run::output(phantom.args(["--matrix", "256", "--region", "abdomen", "--stones", "4"]))?;
    }
    run::output(Command::new(&bench.hilum).arg("import").arg(&images).arg("--data").arg(&data))?;
    let mut server = Server::start(bench, &data)?;
    server.settled(READING_LIMIT)?;
    let studies = server.studies()?;
    ensure!(studies.len() == PATIENTS.len(), "{} studies of {} patients", studies.len(), PATIENTS.len());
    let (mut stones, mut voxels, mut thick, mut numbers, mut annotations) = (0, 0, 0, 0, 0);
    for study in studies {
        let uid = study["study_uid"].as_str().context("no study UID")?;
        server.wait(Duration::from_mins(1), "make the objects", |server| {
            let there = |modality| server.get(&format!("/dicom-web/studies/{uid}/series?Modality={modality}"));
            Ok(there("SEG")?.0 == 200 && there("SR")?.0 == 200)
        })?;
        let asked = [format!("http://{}", server.http), server.token.clone(), uid.to_owned()];
        let mut adapters = Command::new("node");
        adapters.current_dir(run::root().join("ui")).arg("e2e/cornerstone.mjs").args(&asked);
        let mut highdicom = Command::new(&bench.python);
        highdicom.args(["-W", "ignore", "-c", include_str!("peers/highdicom_results.py")]).args(&asked);
        let adapters: Value = serde_json::from_str(&run::output(&mut adapters)?)?;
        let highdicom: Value = serde_json::from_str(&run::output(&mut highdicom)?)?;
        for part in ["segments", "groups"] {
            same(part, &adapters[part], &highdicom[part])?;
        }
        let (status, report) = server.get(&format!("/api/v1/studies/{uid}/report"))?;
        ensure!(status == 200, "the report answered {status}");
        let report: Value = serde_json::from_slice(&report)?;
        let listed = |value: &Value| value.as_array().cloned().context("no list");
        let (segments, groups) = (listed(&adapters["segments"])?, listed(&adapters["groups"])?);
        let reported = listed(&report["stones"])?;
        ensure!(segments.len() == reported.len() && groups.len() == reported.len(), "not as many as {reported:?}");
        for ((stone, segment), group) in reported.iter().zip(&segments).zip(&groups) {
            as_reported(stone, segment, group)?;
            voxels += segment["voxels"].as_u64().context("no voxels")?;
            thick += usize::from(segment["slices"].as_object().is_some_and(|slices| slices.len() > 1));
            numbers += listed(&group["numbers"])?.len();
        }
        stones += reported.len();
        annotations += adapters["annotations"].as_u64().context("no count of annotations")?;
    }
    ensure!(thick >= PATIENTS.len(), "only {thick} stones of several slices were found: {stones} stones");
    Ok(format!(
        "{stones} segments, {voxels} voxels, {numbers} numbers of two patients, head first and prone feet first; of the SR's groups, which name segments \
         and draw nothing, the adapters make {annotations} annotations"
    ))
}

/// Numbers of one meaning that went through different arithmetic.
fn equal(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

/// Fails with the place at which two readers differ.
fn same(place: &str, one: &Value, other: &Value) -> anyhow::Result<()> {
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            ensure!(fields.keys().eq(others.keys()), "{place}: {one} and {other}");
            fields.iter().try_for_each(|(name, value)| same(&format!("{place}.{name}"), value, &others[name]))
        }
        (Value::Array(items), Value::Array(others)) => {
            ensure!(items.len() == others.len(), "{place}: {} and {}", items.len(), others.len());
            items
                .iter()
                .zip(others)
                .enumerate()
                .try_for_each(|(at, (item, other))| same(&format!("{place}[{at}]"), item, other))
        }
        _ => {
            let numbers = one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| equal(one, other));
            ensure!(numbers || one == other, "{place}: Cornerstone3D reads {one}, highdicom {other}");
            Ok(())
        }
    }
}

/// Measurements of the report: their field, the concept and the derivation that they have in the SR, their unit there.
const MEASUREMENTS: [(&str, &str, Option<&str>, &str); 7] = [
    ("/largest_diameter_mm", "L0JK", None, "mm"),
    ("/axial_diameter_mm", "103339001", None, "mm"),
    ("/width_mm", "103340004", None, "mm"),
    ("/volume_mm3", "118565006", None, "mm3"),
    ("/core_hu/value", "112031", Some("core"), "[hnsf'U]"),
    ("/hu/mean", "112031", Some("373098007"), "[hnsf'U]"),
    ("/hu/max", "112031", Some("56851009"), "[hnsf'U]"),
];

/// A segment has the voxels, and a measurement group the numbers, of the report's stone.
fn as_reported(stone: &Value, segment: &Value, group: &Value) -> anyhow::Result<()> {
    for (what, read) in [("number", &segment["number"]), ("number", &group["segment"]), ("voxels", &segment["voxels"])]
    {
        ensure!(*read == stone[what], "{what}: read {read}, reported {}", stone[what]);
    }
    for (field, concept, derivation, unit) in MEASUREMENTS {
        let reported =
            stone.pointer(field).and_then(Value::as_f64).with_context(|| format!("no {field} in {stone}"))?;
        let is_it = |number: &&Value| number["concept"] == concept && number["derivation"].as_str() == derivation;
        let read = group["numbers"].as_array().into_iter().flatten().find(is_it);
        let read = read.with_context(|| format!("no {field} in {group}"))?;
        let matches = read["unit"] == unit && read["value"].as_f64().is_some_and(|value| equal(value, reported));
        ensure!(matches, "{field}: read {read}, reported {reported}");
    }
    Ok(())
}
