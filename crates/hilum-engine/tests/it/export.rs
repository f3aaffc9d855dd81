//! An export is a file-set that others read, and the same whatever happened on the way.

use crate::fixture::{Ct, change_object, dcmtk, engine, files, python, send, shared, viewer};
use hilum_dicom::StudyUid;
use hilum_engine::export::{ExportError, ExportSummary};
use hilum_engine::{Engine, EngineError, Scope, Selection, WorkControl, Zone};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::tempdir;

async fn studies(engine: &Engine) -> Vec<StudyUid> {
    let mut search = hilum_engine::views::StudySearch { limit: Some(200), ..Default::default() };
    let mut studies = Vec::new();
    loop {
        let page = engine.studies(&Scope::local(), &search).await.unwrap();
        studies.extend(page.items.iter().map(|study| study.study_uid.parse::<StudyUid>().unwrap()));
        search.after = page.next;
        if search.after.is_none() {
            return studies;
        }
    }
}

async fn export(engine: &Engine, folder: &Path, control: &WorkControl) -> Result<ExportSummary, ExportError> {
    let selection = Selection { study: Some(studies(engine).await), ..Selection::default() };
    let file_set = "HILUM_TEST".parse().unwrap();
    engine.export(&Scope::local(), Zone::Clinical, &selection, file_set, folder, control).await
}

async fn exported(engine: &Engine, folder: &Path) -> ExportSummary {
    export(engine, folder, &WorkControl::new()).await.unwrap()
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let named = |path: PathBuf| (path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
    files(folder, "").into_iter().map(named).collect()
}

fn read_by_pydicom(python: &Path, folder: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/file_set.py");
    let output = Command::new(python).arg(script).arg(folder.join("DICOMDIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn pydicom_finds_every_object_by_the_directory_and_the_bytes_are_those_that_came() {
    let (Some(conformance), Some(head), Some(results), Some(python)) =
        (shared("dicom-conformance"), shared("ct-head-ge"), shared("dicom-seg-sr"), python())
    else {
        return;
    };
    let (data, out, made) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/documents.py");
    assert!(Command::new(&python).arg(script).arg(made.path()).status().unwrap().success());
    let engine = engine(data.path()).await;
    let sources = [conformance, head, results, made.path().to_owned()];
    let summary = engine.import(&Scope::local(), &sources, Zone::Clinical, &WorkControl::new()).await.unwrap();
    let came: Vec<Vec<u8>> =
        sources.iter().flat_map(|source| files(source, "")).flat_map(|file| contents(&file)).collect();
    let done = exported(&engine, out.path()).await;
    assert_eq!((done.instances, done.written, done.left_out), (summary.kept, summary.kept, vec![]));

    let read = read_by_pydicom(&python, out.path());
    assert_eq!(read["id"], "HILUM_TEST");
    let found = read["instances"].as_array().unwrap();
    let names: BTreeSet<&str> = found.iter().map(|instance| instance["file"].as_str().unwrap()).collect();
    assert_eq!(names.len() as u64, summary.kept, "every instance has a file of its own");
    assert_eq!(files(out.path(), "DICOM").len(), names.len(), "and no file is without a record");
    let mut kinds = BTreeSet::new();
    for instance in found {
        let [sop, _] = serde_json::from_value::<[String; 2]>(instance["referenced"].clone()).unwrap();
        assert_eq!(instance["sop"], sop.as_str());
        assert_eq!(instance["kind"], instance["kind_by_pydicom"], "{}", instance["referenced"]);
        assert_eq!(instance["differs"], serde_json::json!([]), "{}", instance["referenced"]);
        let bytes = fs::read(out.path().join(instance["file"].as_str().unwrap())).unwrap();
        // Before what came without them stand a preamble and file meta information.
        assert!(came.iter().any(|came| !came.is_empty() && bytes.ends_with(came)), "{sop} is not what came");
        kinds.insert(instance["kind"].as_str().unwrap());
    }
    let of_all_sorts =
        "IMAGE,SR DOCUMENT,RT PLAN,RT DOSE,RT STRUCTURE SET,WAVEFORM,VALUE MAP,KEY OBJECT DOC,PRESENTATION,ENCAP DOC";
    assert!(of_all_sorts.split(',').all(|kind| kinds.contains(kind)), "{kinds:?}");
    let of = |kind: &str| found.iter().find(|instance| instance["kind"] == kind).unwrap();
    let items = serde_json::json!({"ConceptNameCodeSequence": 1, "ContentSequence": 1});
    assert_eq!(of("KEY OBJECT DOC")["items"], items, "the modifier of the title, and nothing else of the document");
    assert_eq!(of("PRESENTATION")["records"]["PRESENTATION"]["ContentDescription"], "콩팥 창");
    assert_eq!(of("ENCAP DOC")["records"]["ENCAP DOC"]["DocumentTitle"], "판독문");
    dcmtk("dcmdump", &[Path::new("-q"), &out.path().join("DICOMDIR")]);
    let faults: Vec<String> = validated(&out.path().join("DICOMDIR"));
    assert_eq!(faults, Vec::<String>::new());
}

/// A file, or the members of a zip.
fn contents(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "zip") {
        return vec![bytes];
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let count = zip.len();
    let read = |index| {
        let mut member = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_index(index).unwrap(), &mut member).unwrap();
        member
    };
    (0..count).map(read).collect()
}

/// The errors that dicom3tools' dciodvfy finds, apart from UIDs that the objects brought and a type of record that it does not know yet.
fn validated(dicomdir: &Path) -> Vec<String> {
    const KNOWN: [&str; 2] = ["Illegal root for UID", "Unrecognized enumerated value <ANNOTATION>"];
    let Ok(output) = Command::new("dciodvfy").arg(dicomdir).output() else {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "dciodvfy is absent");
        println!("SKIPPED: dciodvfy is not installed (apt-get install dicom3tools)");
        return Vec::new();
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("BasicDirectory"), "dciodvfy knows a DICOMDIR: {said}");
    said.lines()
        .filter(|line| line.starts_with("Error") && !KNOWN.iter().any(|known| line.contains(known)))
        .map(str::to_owned)
        .collect()
}

async fn korean(data: &Path) -> Engine {
    let engine = engine(data).await;
    send(&engine, &Ct { slices: 3, ..Ct::default() }.files()).await;
    send(&engine, &Ct { series: 2, slices: 2, description: "복부 관상면", ..Ct::default() }.files()).await;
    send(&engine, &Ct { study: 2, slices: 1, study_description: "신장 CT", ..Ct::default() }.files()).await;
    let nameless = Ct { study: 3, slices: 1, patient_id: "B", name: "", ..Ct::default() };
    send(&engine, &nameless.files()).await;
    engine
}

#[tokio::test]
async fn dcmtk_makes_the_same_records_of_the_files_korean_text_included() {
    let Some(python) = python() else { return };
    let (data, out, copy) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let engine = korean(data.path()).await;
    assert_eq!(exported(&engine, out.path()).await.instances, 7);
    for (name, bytes) in tree(out.path()).into_iter().filter(|(name, _)| name != Path::new("DICOMDIR")) {
        let path = copy.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let dicomdir = copy.path().join("DICOMDIR");
    let arguments = ["-Pgp", "+r", "+I", "+F", "HILUM_TEST", "+id"].map(Path::new);
    let arguments = [&arguments[..], &[copy.path(), Path::new("+D"), &dicomdir]].concat();
    if dcmtk("dcmmkdir", &arguments).is_none() {
        return;
    }
    let by_sop = |read: Value| -> BTreeMap<String, Value> {
        let instances: Vec<Value> = serde_json::from_value(read["instances"].clone()).unwrap();
        instances.into_iter().map(|instance| (instance["sop"].as_str().unwrap().to_owned(), instance)).collect()
    };
    let (ours, theirs) = (by_sop(read_by_pydicom(&python, out.path())), by_sop(read_by_pydicom(&python, copy.path())));
    assert_eq!(ours.len(), 7);
    for (sop, their) in &theirs {
        let our = &ours[sop];
        assert_eq!((&our["file"], &our["referenced"]), (&their["file"], &their["referenced"]));
        for (kind, keys) in their["records"].as_object().unwrap() {
            let ascii = our["records"][kind].to_string().is_ascii();
            // dcmtk states the character set also where no key needs it.
            let needed = |key: &str| key != "SpecificCharacterSet" || !ascii;
            for (key, value) in keys.as_object().unwrap().iter().filter(|(key, _)| needed(key)) {
                assert_eq!(&our["records"][kind][key], value, "{kind} {key}");
            }
        }
    }
    let patients: BTreeSet<String> = ours.values().map(|our| our["records"]["PATIENT"].to_string()).collect();
    assert_eq!(patients.len(), 2, "a patient's studies are under one record: {patients:?}");
    assert!(patients.iter().any(|patient| patient.contains("홍^길동") && patient.contains("ISO 2022 IR 149")));
    let studies: BTreeSet<String> = ours.values().map(|our| our["records"]["STUDY"].to_string()).collect();
    assert!(studies.len() == 3 && studies.iter().any(|study| study.contains("신장 CT")), "{studies:?}");
    assert_eq!(validated(&out.path().join("DICOMDIR")), Vec::<String>::new());
}

#[tokio::test]
async fn an_export_is_imported_again_by_its_dicomdir() {
    let (data, out, second) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let first = korean(data.path()).await;
    exported(&first, out.path()).await;
    let other = engine(second.path()).await;
    let paths = [out.path().join("DICOMDIR")];
    let summary = other.import(&Scope::local(), &paths, Zone::Clinical, &WorkControl::new()).await.unwrap();
    assert_eq!((summary.kept, summary.refused.len(), summary.not_dicom), (7, 0, 0));
    let kept = |data: &Path| crate::fixture::objects(data).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(kept(second.path()), kept(data.path()));
}

#[tokio::test]
async fn the_same_export_twice_changes_nothing_and_a_late_slice_is_added() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = korean(data.path()).await;
    let target = out.path().join("a/b");
    exported(&engine, &target).await;
    let before = tree(&target);
    let times = |folder: &Path| -> Vec<_> {
        files(folder, "").iter().map(|file| fs::metadata(file).unwrap().modified().unwrap()).collect()
    };
    let written = times(&target);
    let again = exported(&engine, &target).await;
    assert_eq!((again.instances, again.written, again.there_before), (7, 0, 7));
    assert!(tree(&target) == before && times(&target) == written);

    send(&engine, &Ct { slices: 4, ..Ct::default() }.files()[3..]).await;
    let late = exported(&engine, &target).await;
    assert_eq!((late.instances, late.written, late.there_before), (8, 1, 7));
    let after = tree(&target);
    let kept = |(name, bytes): (&PathBuf, &Vec<u8>)| name == Path::new("DICOMDIR") || after[name] == *bytes;
    assert!(before.iter().all(kept), "no file changed its name");
    // And it is what an export from the beginning gives.
    exported(&engine, &out.path().join("c")).await;
    assert_eq!(tree(&out.path().join("c")), after);
}

#[tokio::test]
async fn a_folder_that_holds_anything_else_is_refused_and_stays_as_it_is() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = korean(data.path()).await;
    let refused = async |what: &str, folder: &Path| {
        let before = tree(folder);
        let error = export(&engine, folder, &WorkControl::new()).await.unwrap_err();
        assert!(matches!(&error, ExportError::Foreign(path) if path.ends_with(what)), "{error}");
        assert_eq!(tree(folder), before);
    };
    let folder = |name: &str| {
        let folder = out.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    let notes = folder("notes");
    fs::write(notes.join("notes.txt"), "mine").unwrap();
    refused("notes.txt", &notes).await;

    let medium = folder("medium");
    fs::write(medium.join("DICOMDIR"), "somebody's").unwrap();
    refused("DICOMDIR", &medium).await;

    let linked = folder("linked");
    std::os::unix::fs::symlink(&notes, linked.join("DICOM")).unwrap();
    refused("DICOM", &linked).await;

    // An export of more than is selected now.
    let more = out.path().join("more");
    exported(&engine, &more).await;
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(studies(&engine).await[0].clone())).await.unwrap();
    let before = tree(&more);
    assert!(matches!(export(&engine, &more, &WorkControl::new()).await, Err(ExportError::Foreign(_))));
    assert_eq!(tree(&more), before);
}

#[tokio::test]
async fn an_export_that_was_cut_off_goes_on_and_what_is_not_whole_is_written_again() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = engine(data.path()).await;
    send(&engine, &Ct { slices: 120, size: 64, ..Ct::default() }.files()).await;
    let whole = out.path().join("whole");
    exported(&engine, &whole).await;

    let (target, control) = (out.path().join("cut"), WorkControl::new());
    let watcher = tokio::spawn({
        let control = control.clone();
        async move {
            while control.done() < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            control.cancel();
        }
    });
    let error = export(&engine, &target, &control).await.unwrap_err();
    watcher.await.unwrap();
    assert!(matches!(error, ExportError::Cancelled), "{error}");
    assert_eq!(control.total(), Some(120));
    let cut = files(&target, "DICOM");
    assert!(!target.join("DICOMDIR").exists() && (5..120).contains(&cut.len()), "{}", cut.len());
    // As a crash leaves them: cut short, and with its length but not its bytes; and a directory that has no name yet.
    fs::OpenOptions::new().write(true).open(&cut[0]).unwrap().set_len(500).unwrap();
    let length = fs::metadata(&cut[1]).unwrap().len() as usize;
    fs::write(&cut[1], vec![0; length]).unwrap();
    fs::write(target.join("DICOMDIR.NEW"), "half").unwrap();
    let done = exported(&engine, &target).await;
    assert_eq!((done.instances, done.there_before), (120, cut.len() as u64 - 2));
    assert_eq!(tree(&target), tree(&whole));
}

#[tokio::test]
async fn what_is_damaged_is_left_out_by_name_and_the_others_are_exported() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = engine(data.path()).await;
    send(&engine, &Ct { slices: 3, ..Ct::default() }.files()).await;
    // The last byte of pixel data of the second object.
    change_object(data.path(), 1, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let done = exported(&engine, out.path()).await;
    assert_eq!((done.instances, done.left_out.len(), done.left_out[0].code), (2, 1, "object_corrupt"));
    assert_eq!(files(out.path(), "DICOM").len(), 2);
    if let Some(python) = python() {
        let read = read_by_pydicom(&python, out.path());
        let named: Vec<&Value> = read["instances"].as_array().unwrap().iter().map(|found| &found["sop"]).collect();
        assert!(named.len() == 2 && !named.contains(&&Value::from(done.left_out[0].instance.as_str())));
    }
}

#[tokio::test]
async fn nothing_selected_is_an_error_and_makes_no_folder() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = korean(data.path()).await;
    let target = out.path().join("new");
    let selection = Selection::study("1.2.3".parse().unwrap());
    let file_set = "HILUM".parse().unwrap();
    let none = engine.export(&Scope::local(), Zone::Clinical, &selection, file_set, &target, &WorkControl::new()).await;
    assert!(matches!(none, Err(ExportError::Nothing)) && !target.exists());
    let other = Scope::console("OTHER".parse().unwrap());
    let all = Selection { study: Some(studies(&engine).await), ..Selection::default() };
    let file_set = "HILUM".parse().unwrap();
    let none = engine.export(&other, Zone::Clinical, &all, file_set, &target, &WorkControl::new()).await;
    assert!(matches!(none, Err(ExportError::Nothing)), "another institution's studies are not there");
    let here = viewer("LOCAL".parse().unwrap());
    let file_set = "HILUM".parse().unwrap();
    let refused = engine.export(&here, Zone::Clinical, &all, file_set, &target, &WorkControl::new()).await;
    assert!(matches!(refused, Err(ExportError::Engine(EngineError::Forbidden))), "{refused:?}");
    for wrong in ["lower", "TWO WORDS", "SEVENTEEN_LETTERS", "Ä"] {
        assert!(wrong.parse::<hilum_engine::export::FileSetId>().is_err(), "{wrong}");
    }
}
