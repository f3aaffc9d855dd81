//! Small CT series, a small model, an engine on a folder of its own, and the effects that can be seen on disk.

use crate::postgres_server as postgres;
use crate::s3_server as s3;
use bytes::Bytes;
use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::write::{CtSeriesIdentity, PatientPosition, PatientSex, SeriesKind, ct_series, uid_bits_from_seed};
use hilum_dicom::{PersonName, SeriesUid, StudyUid, read_facts};
use hilum_engine::storage::segment::{Purpose, Records};
use hilum_engine::{
    Accepted, AccountId, BucketSettings, CataloguePlace, Credentials, Endpoint, Engine, EngineConfig, InstitutionCode,
    ResultRules, Role, Scope, Sender, Source, StoragePlace, Zone,
};
use hilum_imaging::{Affine, Recipe, Volume, Window};
use hilum_infer::card::{
    Architecture, DenseLevel, DetectionMetrics, FalsePositives, Hashes, InputContract, Metrics, ModelCard, PostFilter,
    SpineColumn, Task, TrainingFacts,
};
use hilum_infer::model::sha256_hex;
use hilum_nn::{UNet2d, Weights};
use ndarray::Array3;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::{Date, Month, Time};
use walkdir::WalkDir;

/// A series to write; `..Ct::default()` gives an original axial, non-contrast, soft one.
#[derive(Clone)]
pub struct Ct {
    pub study: u64,
    pub series: u32,
    pub slices: usize,
    pub size: usize,
    pub spacing_mm: f64,
    pub hu: i16,
    pub patient_id: &'static str,
    pub name: &'static str,
    pub sex: PatientSex,
    pub study_date: (i32, u8, u8),
    pub study_description: &'static str,
    pub accession: &'static str,
    pub description: &'static str,
    pub kernel: &'static str,
    pub contrast: Option<&'static str>,
    pub kind: SeriesKind,
}

impl Default for Ct {
    fn default() -> Self {
        Self {
            study: 1,
            series: 1,
            slices: 8,
            size: 32,
            spacing_mm: 3.0,
            hu: 40,
            patient_id: "SYN-000001",
            name: "Hong^Gildong=洪^吉洞=홍^길동",
            sex: PatientSex::Male,
            study_date: (2026, 1, 5),
            study_description: "CT KUB",
            accession: "A1",
            description: "Abdomen 3.0",
            kernel: "Br40",
            contrast: None,
            kind: SeriesKind::OriginalAxial,
        }
    }
}

impl Ct {
    pub fn study_uid(&self) -> StudyUid {
        StudyUid::from_u128(uid_bits_from_seed(self.study, "study"))
    }

    /// PS3.10 files in order.
    pub fn files(&self) -> Vec<Bytes> {
        let geometry = Affine::axial([-160.0, -160.0, 0.0], [self.spacing_mm, 10.0, 10.0]).unwrap();
        let mut hu = Array3::from_elem((self.slices, self.size, self.size), self.hu);
        // No two slices alike.
        hu.indexed_iter_mut().for_each(|((z, _, _), value)| *value += z as i16);
        self.files_of(&Volume { hu, geometry })
    }

    /// The same of another volume.
    pub fn files_of(&self, volume: &Volume) -> Vec<Bytes> {
        // KS X 1001 has no half-width kana.
        let in_korean = !self.name.chars().any(|c| ('\u{FF61}'..='\u{FF9F}').contains(&c));
        let character_set = if in_korean { SpecificCharacterSet::korean() } else { SpecificCharacterSet::utf8() };
        let identity = CtSeriesIdentity {
            character_set,
            patient_name: PersonName::from_groups(self.name),
            patient_id: self.patient_id.into(),
            birth_date: None,
            sex: self.sex,
            age_years: None,
            study: self.study_uid(),
            series: SeriesUid::from_u128(uid_bits_from_seed(self.study, &format!("series {}", self.series))),
            study_date: date(self.study_date),
            study_time: Time::MIDNIGHT,
            study_description: self.study_description.into(),
            series_description: self.description.into(),
            accession_number: self.accession.into(),
            study_id: "1".into(),
            series_number: self.series,
            protocol: "KUB".into(),
            body_part: "ABDOMEN".into(),
            kernel: self.kernel.into(),
            kvp: 120.0,
            contrast_agent: self.contrast.map(str::to_owned),
            position: PatientPosition::Hfs,
            kind: self.kind,
        };
        ct_series(volume, &identity).unwrap().map(|instance| Bytes::from(instance.unwrap().1)).collect()
    }
}

fn date((year, month, day): (i32, u8, u8)) -> Date {
    Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap()
}

/// An engine without a model.
pub async fn engine(data: &Path) -> Engine {
    Engine::open(config(data)).await.unwrap()
}

pub fn config(data: &Path) -> EngineConfig {
    EngineConfig {
        shipped_model: false,
        quiet_after: Duration::from_millis(200),
        catalogue: place(data),
        storage: store(data),
        results: ResultRules::none(),
        ..EngineConfig::new(data)
    }
}

/// Where the catalogue of a data folder is: in the folder, or in a database of its own where these tests run over PostgreSQL.
pub fn place(data: &Path) -> CataloguePlace {
    if postgres::is_asked_for() {
        server_place(data).expect("HILUM_TEST_CATALOGUE is postgres, which is not installed")
    } else {
        CataloguePlace::Folder
    }
}

/// Where the objects of a data folder are: in the folder, or in a bucket of its own where these tests run over S3.
pub fn store(data: &Path) -> StoragePlace {
    if s3::is_asked_for() {
        bucket_place(data).expect("HILUM_TEST_STORE is s3, and there is no moto")
    } else {
        StoragePlace::Folder
    }
}

/// A bucket that belongs to the data folder, made when it is first asked for.
pub fn bucket_place(data: &Path) -> Option<StoragePlace> {
    let (address, name) = s3::bucket_of(data)?;
    Some(StoragePlace::Bucket(BucketSettings {
        url: format!("s3://{name}/archive").parse().unwrap(),
        endpoint: Some(Endpoint::parse(&format!("http://{address}"), true).unwrap()),
        region: "us-east-1".into(),
        ca: None,
        credentials: Credentials {
            access_key_id: "test".into(),
            secret_access_key: "test".into(),
            session_token: None,
        },
    }))
}

/// A database that belongs to the data folder, made when it is first asked for.
pub fn server_place(data: &Path) -> Option<CataloguePlace> {
    let (socket, name) = (postgres::shared()?, database_of(data));
    if postgres::query(socket, "postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).unwrap()
        == ""
    {
        postgres::create(socket, &name).unwrap();
    }
    Some(CataloguePlace::Server(postgres::url(socket, &name).parse().unwrap()))
}

/// The catalogue of the data folder is gone, with every row.
pub fn lose_catalogue(data: &Path) {
    if postgres::is_asked_for() {
        let (socket, name) = (postgres::shared().unwrap(), database_of(data));
        postgres::query(socket, "postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        return;
    }
    for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let gone = std::fs::remove_file(data.join(name));
        assert!(gone.is_ok() || name != "catalog.sqlite");
    }
}

fn database_of(data: &Path) -> String {
    format!("t{}", &sha256_hex(data.as_os_str().as_encoded_bytes())[..32])
}

/// An engine with [`tiny_model`].
pub async fn reading_engine(data: &Path) -> Engine {
    let model = data.join("tiny-model");
    tiny_model(&model);
    Engine::open(EngineConfig { model_dir: Some(model), ..config(data) }).await.unwrap()
}

/// A sender that says what the file is.
pub fn sender_of(ae_title: &str, file: &[u8]) -> Sender {
    let facts = read_facts(file).unwrap();
    Sender { ae_title: ae_title.parse().unwrap(), sop_class: facts.sop_class, sop: facts.sop }
}

pub async fn send(engine: &Engine, files: &[Bytes]) -> Vec<Accepted> {
    send_to(engine, InstitutionCode::LOCAL, files).await
}

/// The same, for an institution.
pub async fn send_to(engine: &Engine, institution: &str, files: &[Bytes]) -> Vec<Accepted> {
    let scope = Scope::console(institution.parse().unwrap());
    let mut outcomes = Vec::new();
    for file in files {
        let outcome = engine.accept_instance(&scope, Zone::Clinical, file.clone(), Source::Stow).await;
        outcomes.push(outcome.unwrap());
    }
    outcomes
}

/// Rows of each table.
pub async fn rows(data: &Path) -> BTreeMap<&'static str, i64> {
    let tables = ["patient", "study", "series", "instance", "quarantine", "reading", "report", "study_conflict"];
    let mut counts = BTreeMap::new();
    for table in tables {
        counts.insert(table, number(data, &format!("SELECT count(*) FROM {table}")).await);
    }
    counts
}

/// One number from the catalogue, read behind the engine's back.
pub async fn number(data: &Path, sql: &str) -> i64 {
    if postgres::is_asked_for() {
        return query_server(data, sql).lines().next().unwrap().parse().unwrap();
    }
    let database = Database::connect(format!("sqlite://{}", data.join("catalog.sqlite").display())).await.unwrap();
    let row = database.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap().unwrap();
    database.close().await.unwrap();
    row.try_get_by_index(0).unwrap()
}

/// One column of texts from the catalogue, read behind the engine's back.
pub async fn texts(data: &Path, sql: &str) -> Vec<String> {
    if postgres::is_asked_for() {
        return query_server(data, sql).lines().map(str::to_owned).collect();
    }
    let database = Database::connect(format!("sqlite://{}", data.join("catalog.sqlite").display())).await.unwrap();
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap();
    database.close().await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Changes the catalogue behind the engine's back.
pub async fn execute(data: &Path, sql: &str) {
    if postgres::is_asked_for() {
        query_server(data, sql);
        return;
    }
    let database = Database::connect(format!("sqlite://{}", data.join("catalog.sqlite").display())).await.unwrap();
    database.execute_unprepared(sql).await.unwrap();
    database.close().await.unwrap();
}

/// Somebody else holds the catalogue's write lock until the connection is closed.
pub async fn lock(data: PathBuf) -> DatabaseConnection {
    // Of a server: its advisory lock "HILUM".
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock({})", i64::from_be_bytes(*b"\0\0\0HILUM"));
    let (url, hold) = if postgres::is_asked_for() {
        (postgres::url(postgres::shared().unwrap(), &database_of(&data)), hold)
    } else {
        (format!("sqlite://{}", data.join("catalog.sqlite").display()), "BEGIN IMMEDIATE".to_owned())
    };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared(&hold).await.unwrap();
    other
}

/// From now on, or no longer, every transaction that records an instance fails at its commit: a deferred constraint does not hold.
pub async fn refuse_commits(data: &Path, refuse: bool) {
    let tables = "CREATE TABLE test_one (id INT PRIMARY KEY); \
                  CREATE TABLE test_other (id INT REFERENCES test_one (id) DEFERRABLE INITIALLY DEFERRED);";
    if postgres::is_asked_for() {
        let sql = format!(
            "{tables} CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN INSERT INTO test_other VALUES (1); RETURN NEW; END$$; \
             CREATE TRIGGER test_refuse AFTER INSERT ON instance FOR EACH ROW EXECUTE FUNCTION test_refuse();"
        );
        query_server(data, if refuse { &sql } else { "DROP TRIGGER test_refuse ON instance" });
        return;
    }
    let sql = format!(
        "{tables} CREATE TRIGGER test_refuse AFTER INSERT ON instance BEGIN INSERT INTO test_other VALUES (1); END;"
    );
    let database = Database::connect(format!("sqlite://{}", data.join("catalog.sqlite").display())).await.unwrap();
    database.execute_unprepared(if refuse { &sql } else { "DROP TRIGGER test_refuse" }).await.unwrap();
    database.close().await.unwrap();
}

/// What `psql` tells of the data folder's database.
pub fn query_server(data: &Path, sql: &str) -> String {
    postgres::query(postgres::shared().unwrap(), &database_of(data), sql).unwrap()
}

/// Files below one of the data folder's folders.
pub fn files(data: &Path, folder: &str) -> Vec<PathBuf> {
    let walk = WalkDir::new(data.join(folder)).sort_by_file_name().into_iter().filter_map(Result::ok);
    walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// The objects that lie in the segments, as bytes, in order of their segments and offsets.
pub fn objects(data: &Path) -> Vec<Vec<u8>> {
    records(data, Purpose::Instance)
}

/// The objects that were put aside.
pub fn aside(data: &Path) -> Vec<Vec<u8>> {
    records(data, Purpose::Quarantine)
}

fn records(data: &Path, purpose: Purpose) -> Vec<Vec<u8>> {
    if s3::is_asked_for() {
        return records_in_bucket(data, purpose);
    }
    let mut found = Vec::new();
    for file in files(data, "objects") {
        let mut records = Records::open(&file).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            assert!(records.is_whole(&record).unwrap(), "a record whose bytes are not those of its header");
            // docs: a header of 512 bytes, then the object.
            let start = record.offset as usize + 512;
            if record.header.provenance.purpose == purpose {
                found.push(bytes[start..start + record.header.length as usize].to_vec());
            }
        }
    }
    found
}

/// Changes an object where it lies, behind the engine's back; one that gets shorter is the last of its segment.
pub fn change_object(data: &Path, index: usize, change: impl FnOnce(&mut Vec<u8>)) {
    if s3::is_asked_for() {
        let (address, bucket) = s3::bucket_of(data).unwrap();
        let path = format!("/{bucket}/{}", in_bucket(data, "objects")[index]);
        let mut bytes = s3::ask(address, "GET", &path, &[]).unwrap();
        let mut object = bytes.split_off(512);
        change(&mut object);
        s3::ask(address, "PUT", &path, &[bytes, object].concat()).unwrap();
        return;
    }
    let file = files(data, "objects").remove(0);
    let mut records = Records::open(&file).unwrap();
    let record = (0..=index).map(|_| records.next_record().unwrap().unwrap()).last().unwrap();
    let (start, length) = (record.offset as usize + 512, record.header.length as usize);
    let mut bytes = std::fs::read(&file).unwrap();
    let mut object = bytes[start..start + length].to_vec();
    change(&mut object);
    bytes[start..start + object.len()].copy_from_slice(&object);
    if object.len() < length {
        bytes.truncate(start + object.len());
    }
    std::fs::write(&file, bytes).unwrap();
}

/// Every object is gone, behind the engine's back; not while one is open.
pub fn lose_objects(data: &Path) {
    if s3::is_asked_for() {
        let (address, bucket) = s3::bucket_of(data).unwrap();
        for name in in_bucket(data, "objects") {
            s3::ask(address, "DELETE", &format!("/{bucket}/{name}"), &[]).unwrap();
        }
        return;
    }
    for file in files(data, "objects") {
        std::fs::remove_file(file).unwrap();
    }
}

/// Names of what lies in a folder of the data folder's bucket.
pub fn in_bucket(data: &Path, folder: &str) -> Vec<String> {
    let (address, bucket) = s3::bucket_of(data).unwrap();
    let names = s3::names(address, &bucket).unwrap();
    names.into_iter().filter(|name| name.starts_with(&format!("archive/{folder}/"))).collect()
}

/// Packed metadata of series, in files.
pub fn packs(data: &Path) -> usize {
    if s3::is_asked_for() { in_bucket(data, "metadata").len() } else { files(data, "metadata").len() }
}

/// Blocks of 512 bytes that the objects take up.
pub fn blocks(data: &Path) -> u64 {
    if s3::is_asked_for() {
        return objects(data).iter().map(|object| (object.len() as u64 + 512).div_ceil(512)).sum();
    }
    let files = files(data, "objects");
    files.iter().map(|file| std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(file).unwrap())).sum()
}

/// Makes it look as if the process that wrote the objects had died, and not ended.
pub fn kill_writer(data: &Path) {
    if s3::is_asked_for() {
        kill_writer_of(data, &in_bucket(data, "objects")[0], "00000000-0000-0000-0000-000000000000");
        return;
    }
    let segment = files(data, "objects").remove(0).file_name().unwrap().to_owned();
    let gone = died(data, "7b0a2f4e-4c57-4a8e-9c80-0d8c5f6f0a11");
    std::fs::write(gone.join(format!("segment+{}", segment.to_str().unwrap())), []).unwrap();
}

/// As [`kill_writer`], of an object in the bucket; all that was kept before `since` has its row.
pub fn kill_writer_of(data: &Path, object: &str, since: &str) {
    let gone = died(data, object.split('/').nth(2).unwrap());
    std::fs::write(gone.join("bucket"), since).unwrap();
}

fn died(data: &Path, process: &str) -> PathBuf {
    let gone = data.join("incoming").join(process);
    std::fs::create_dir_all(&gone).unwrap();
    std::fs::write(gone.join("alive"), []).unwrap();
    gone
}

fn records_in_bucket(data: &Path, purpose: Purpose) -> Vec<Vec<u8>> {
    let (address, bucket) = s3::bucket_of(data).unwrap();
    let names = in_bucket(data, "objects");
    let got = names.iter().map(|name| s3::ask(address, "GET", &format!("/{bucket}/{name}"), &[]).unwrap());
    // docs: a header of 512 bytes, its purpose at 56, then the object.
    let of = if purpose == Purpose::Instance { 1 } else { 2 };
    got.filter(|bytes| bytes[56] == of).map(|bytes| bytes[512..].to_vec()).collect()
}

/// Files and folders that are neither kept nor gone.
pub fn on_the_way(data: &Path) -> usize {
    let entries = WalkDir::new(data.join("incoming")).min_depth(2).into_iter().filter_map(Result::ok);
    let settled = |name: &str| name == "alive" || name == "bucket" || name.starts_with("segment+");
    entries.filter(|entry| !entry.file_name().to_str().is_some_and(settled)).count()
}

/// A model with weights drawn at random: it reads, but knows nothing.
pub fn tiny_model(folder: &Path) {
    let config = UNet2d { in_channels: 1, out_channels: 1, base: 2, depth: 1 };
    let network = Architecture::Unet2d(config).build().unwrap();
    let weights = Weights::init(&network, 7).to_safetensors().unwrap();
    let metrics = DetectionMetrics {
        sensitivity: Vec::new(),
        false_positives: FalsePositives { count: 0, patients: 0, per_patient: 0.0, ci95: [0.0, 0.0] },
        dice: None,
    };
    let card = ModelCard {
        statement: "synthetic-trained: random weights for tests".into(),
        name: "tiny".into(),
        task: Task::UrinaryStoneSegmentation,
        synthetic_trained: true,
        classes: vec!["stone".into()],
        threshold: 0.999,
        mask_threshold: 0.999,
        trained_at: "2026-01-01T00:00:00Z".into(),
        training_seconds: 0,
        software_version: "0.1.0".into(),
        engine: "none".into(),
        input: InputContract {
            modality: "CT".into(),
            plane: "axial".into(),
            unit: "HU".into(),
            slice_distance_mm: [0.5, 10.0],
            suitable_for: "tests".into(),
        },
        preprocessing: Recipe {
            in_plane_mm: 10.0,
            window: Window::URINARY_STONE,
            context_step_mm: 3.0,
            context_slices: 0,
            multiple_of: 2,
        },
        network: Architecture::Unet2d(config),
        post_filter: PostFilter {
            min_voxels: 1,
            min_volume_mm3: 0.0,
            largest_stone_mm: 40.0,
            dense_share: 0.5,
            dense: vec![DenseLevel { hu: 200, up_to_hu: None }],
            spine: SpineColumn { half_width_mm: 0.0, front_mm: 0.0 },
        },
        hashes: Hashes {
            plan: sha256_hex(b"plan"),
            data: sha256_hex(b"data"),
            weights: sha256_hex(&weights),
            onnx: sha256_hex(b"onnx"),
        },
        training: TrainingFacts {
            data: "none".into(),
            training_patients: 0,
            validation_patients: 0,
            training_patches: 0,
            epochs: 0,
            best_epoch: 0,
            best_validation_loss: 0.0,
            stopped_because: "never trained".into(),
        },
        metrics: Metrics {
            patients_from: "none".into(),
            matching_rule: "none".into(),
            patients: 0,
            stones: 0,
            model: metrics.clone(),
            baseline: metrics,
        },
    };
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("model.toml"), toml::to_string(&card).unwrap()).unwrap();
    std::fs::write(folder.join("weights.safetensors"), weights).unwrap();
    std::fs::write(folder.join("model.onnx"), b"onnx").unwrap();
}

/// The folder of real data, or `None` with a printed reason.
pub fn shared(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HILUM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = folder.join("data").join(what);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("HILUM_REQUIRE_SHARED").is_none(), "HILUM_REQUIRE_SHARED is set, but {what} is absent");
    println!("SKIPPED: {what} is not there (set HILUM_SHARED)");
    None
}

/// The Python interpreter that plays the oracle, or `None` with a printed reason.
pub fn python() -> Option<PathBuf> {
    let python = std::env::var_os("HILUM_ORACLE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(),
            "HILUM_REQUIRE_ORACLES is set, HILUM_ORACLE_PYTHON is not"
        );
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no interpreter");
    }
    python
}

/// A program of Debian's dcmtk, or `None` with a printed reason.
pub fn dcmtk(program: &str, arguments: &[&Path]) -> Option<()> {
    let Ok(output) = std::process::Command::new(program).args(arguments).output() else {
        assert!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(),
            "HILUM_REQUIRE_ORACLES is set, {program} is absent"
        );
        println!("SKIPPED: {program} is not installed (apt-get install dcmtk)");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// Somebody who may look at the studies of an institution.
pub fn viewer(institution: InstitutionCode) -> Scope {
    let permissions = Role::Viewer.permissions();
    Scope::account(AccountId(1), vec![(institution, permissions)])
}
