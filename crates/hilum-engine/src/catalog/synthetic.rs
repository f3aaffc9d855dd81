//! Synthetic rows for measuring how the catalogue scales: no objects lie behind them, so they are for throw-away folders only.

use super::dialect::Dialect;
use super::search::index;
use super::search::text::{self, StudyText};
use super::{Catalog, CatalogError, now};
use crate::access::Scope;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, Value};

const SURNAMES: [(&str, &str, &str, u64); 10] = [
    ("Kim", "金", "김", 215),
    ("Lee", "李", "이", 147),
    ("Park", "朴", "박", 84),
    ("Choi", "崔", "최", 47),
    ("Jung", "鄭", "정", 43),
    ("Kang", "姜", "강", 23),
    ("Cho", "趙", "조", 21),
    ("Hong", "洪", "홍", 10),
    ("Namgung", "南宮", "남궁", 1),
    ("Sonu", "鮮于", "선우", 1),
];
const SYLLABLES: [(&str, &str, &str); 24] = [
    ("Min", "敏", "민"),
    ("Ji", "智", "지"),
    ("Seo", "瑞", "서"),
    ("Jun", "俊", "준"),
    ("Hyun", "賢", "현"),
    ("Woo", "宇", "우"),
    ("Young", "英", "영"),
    ("Soo", "洙", "수"),
    ("Hee", "姬", "희"),
    ("Chul", "哲", "철"),
    ("Gil", "吉", "길"),
    ("Dong", "童", "동"),
    ("Kyung", "京", "경"),
    ("Eun", "恩", "은"),
    ("Jin", "珍", "진"),
    ("Sang", "相", "상"),
    ("Hwa", "花", "화"),
    ("Tae", "泰", "태"),
    ("Hyo", "孝", "효"),
    ("Nam", "南", "남"),
    ("Bong", "鳳", "봉"),
    ("Da", "多", "다"),
    ("Ye", "藝", "예"),
    ("Rin", "璘", "린"),
];
/// Description of a study, its modality, the body part of its series, and how frequent it is.
const DESCRIPTIONS: [(&str, &str, &str, u64); 12] = [
    ("CT KUB", "CT", "ABDOMEN", 60),
    ("CT ABDOMEN+PELVIS (CE)", "CT", "ABDOMEN", 200),
    ("조영 복부 CT", "CT", "ABDOMEN", 120),
    ("CHEST CT", "CT", "CHEST", 150),
    ("BRAIN CT", "CT", "HEAD", 70),
    ("MRI LIVER DYNAMIC", "MR", "LIVER", 60),
    ("뇌 MRI", "MR", "HEAD", 90),
    ("CHEST PA", "CR", "CHEST", 180),
    ("KNEE AP/LAT", "DX", "KNEE", 50),
    ("ABDOMEN US", "US", "ABDOMEN", 15),
    ("MAMMOGRAPHY BOTH", "MG", "BREAST", 4),
    ("PET-CT TORSO", "PT", "WHOLEBODY", 1),
];

/// So many of the newest studies nobody has read yet.
const UNREAD: i64 = 5_000;

/// What the worklist has of a study, as rows that came one by one have it: one in 400 is stat, one in 40 high, one in 7 has stones.
const KEYS: &str = "UPDATE study SET dated = study_date || ' ' || study_time, described = lower(description), \
    name_key = (SELECT replace(p.name_phonetic, '^', '') FROM patient p WHERE p.id = study.patient_row), \
    patient_key = (SELECT lower(p.patient_id) FROM patient p WHERE p.id = study.patient_row), \
    priority = CASE WHEN id % 400 = 0 THEN 2 WHEN id % 40 = 0 THEN 1 ELSE 0 END, \
    workflow = CASE WHEN id > ? THEN 0 ELSE 2 END, stones = CASE WHEN id % 7 = 0 THEN 1 ELSE 0 END, \
    contrast = id % 2, body_parts = CASE WHEN id % 3 = 0 THEN 'ABDOMEN' ELSE 'CHEST' END WHERE id > ? AND id <= ?";

/// Studies of one transaction.
const CHUNK: u64 = 5_000;
/// Days over which the studies are spread, ten years up to the end of 2025.
const DAYS: u64 = 3650;

/// Numbers that look drawn, the same in every run (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    fn weighted<T>(&mut self, list: &[T], weight: fn(&T) -> u64) -> usize {
        let mut at = self.below(list.iter().map(weight).sum());
        list.iter()
            .position(|one| {
                at.checked_sub(weight(one)).is_none_or(|rest| {
                    at = rest;
                    false
                })
            })
            .unwrap_or(0)
    }
}

/// Rows that are on their way into one statement a table.
#[derive(Default)]
struct Rows {
    patients: Vec<Value>,
    studies: Vec<Value>,
    series: Vec<Value>,
    instances: Vec<Value>,
}

/// Studies of one statement: SQLite takes 32,766 values.
const STATEMENT: u64 = 1_000;

impl Catalog {
    /// Adds `studies` synthetic studies, each of one series and one instance, two to a patient, in order of their dates. `told` hears
    /// how many there are.
    pub async fn fill_synthetic(&self, scope: &Scope, studies: u64, told: impl Fn(u64)) -> Result<(), CatalogError> {
        let during = || CatalogError::during("fill");
        let institution = self.home(scope).await?;
        let [before, after] = index::around_a_fill(self.dialect());
        for sql in before {
            self.write.execute_unprepared(sql).await.map_err(during())?;
        }
        let mut draw = Draw(studies);
        let mut done = 0;
        while done < studies {
            let txn = self.begin("fill").await?;
            let end = (done + CHUNK).min(studies);
            while done < end {
                let last = (done + STATEMENT).min(end);
                let mut rows = Rows::default();
                for index in done..last {
                    study(&mut rows, institution, index, studies, &mut draw).map_err(during())?;
                }
                rows.insert(&txn).await.map_err(during())?;
                let keys = self
                    .statement(KEYS, [((studies as i64) - UNREAD).into(), (done as i64).into(), (last as i64).into()]);
                txn.execute_raw(keys).await.map_err(during())?;
                let sql = format!("{} WHERE s.id > ? AND s.id <= ? ORDER BY s.id", text::SELECT);
                let new = self.statement(&sql, [(done as i64).into(), (last as i64).into()]);
                let new = StudyText::find_by_statement(new).all(&txn).await.map_err(during())?;
                txn.execute_raw(text::insert(self.dialect(), &new)).await.map_err(during())?;
                done = last;
            }
            txn.commit().await.map_err(during())?;
            told(done);
        }
        if self.dialect() == Dialect::Postgres {
            // Rows came with their numbers.
            let txn = self.begin("fill").await?;
            for table in ["patient", "study", "series", "instance"] {
                let sql =
                    format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))");
                txn.execute_unprepared(&sql).await.map_err(during())?;
            }
            txn.commit().await.map_err(during())?;
        }
        for sql in after {
            self.write.execute_unprepared(sql).await.map_err(during())?;
        }
        Ok(())
    }

    /// Bytes that the catalogue takes.
    pub async fn size(&self) -> Result<u64, CatalogError> {
        let sql = self.dialect().either(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            "SELECT pg_database_size(current_database())",
        );
        let row = self.read.query_one_raw(self.statement(sql, [])).await.map_err(CatalogError::during("weigh"))?;
        let size: Option<i64> =
            row.map(|row| row.try_get_by_index(0)).transpose().map_err(CatalogError::during("weigh"))?;
        Ok(size.unwrap_or(0) as u64)
    }
}

impl Rows {
    async fn insert(self, txn: &DatabaseTransaction) -> Result<(), sea_orm::DbErr> {
        let tables = [
            (
                "patient (id, institution_id, zone, issuer, patient_id, only_study_uid, name_alphabetic, name_ideographic, \
                 name_phonetic, birth_date, sex, created_at)",
                "(?, ?, 'clinical', '', ?, '', ?, ?, ?, ?, ?, ?)",
                self.patients,
            ),
            (
                "study (id, institution_id, zone, study_uid, patient_row, study_date, study_time, description, accession, \
                 study_id, referring_physician, synthetic, modalities, series_count, instance_count, revision, read_revision, created_at, updated_at)",
                "(?, ?, 'clinical', ?, ?, ?, ?, ?, ?, ?, ?, TRUE, ?, 1, 1, 1, 1, ?, ?)",
                self.studies,
            ),
            (
                "series (id, institution_id, study_row, series_uid, number, description, modality, body_part, performed_date, \
                 step_ids, procedure_ids, instance_count, frame_count, revision, settled_revision, quiet_at, created_at)",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1, 1, 1, 0, ?)",
                self.series,
            ),
            (
                "instance (id, institution_id, zone, sop_uid, series_row, sop_class_uid, transfer_syntax_uid, object_key, digest, \
                 bytes, frames, source, facts, received_at)",
                "(?, ?, 'clinical', ?, ?, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', '', '', 0, 1, 'stow', ?, ?)",
                self.instances,
            ),
        ];
        for (columns, row, values) in tables {
            let count = values.len() / row.matches('?').count();
            if count > 0 {
                let sql = format!("INSERT INTO {columns} VALUES {}", vec![row; count].join(", "));
                txn.execute_raw(Dialect::of(txn).statement(&sql, values)).await?;
            }
        }
        Ok(())
    }
}

fn study(rows: &mut Rows, institution: i64, index: u64, studies: u64, draw: &mut Draw) -> Result<(), sea_orm::DbErr> {
    let patient = (index / 2 + 1) as i64;
    if index.is_multiple_of(2) {
        let family = SURNAMES[draw.weighted(&SURNAMES, |surname| surname.3)];
        let (first, second) = (SYLLABLES[draw.below(24) as usize], SYLLABLES[draw.below(24) as usize]);
        let sex = if draw.below(2) == 0 { "M" } else { "F" };
        rows.patients.extend([
            patient.into(),
            institution.into(),
            format!("P{patient:08}").into(),
            format!("{}^{}{}", family.0, first.0, second.0.to_lowercase()).into(),
            format!("{}^{}{}", family.1, first.1, second.1).into(),
            format!("{}^{}{}", family.2, first.2, second.2).into(),
            format!("19{:02}-{:02}-{:02}", 30 + draw.below(70), 1 + draw.below(12), 1 + draw.below(28)).into(),
            Value::from(sex),
            now().into(),
        ]);
    }
    let (description, modality, body_part, _) = DESCRIPTIONS[draw.weighted(&DESCRIPTIONS, |description| description.3)];
    let row = index as i64 + 1;
    let day = time::Date::from_ordinal_date(2016, 1).map_err(|_| sea_orm::DbErr::Custom("date".into()))?
        + time::Duration::days((index * DAYS / studies) as i64);
    let uid = format!("2.25.{}", 1_000_000_000_000_u64 + index);
    let text = |value: &str| Value::from(value.to_owned());
    rows.studies.extend([
        row.into(),
        institution.into(),
        text(&uid),
        patient.into(),
        text(&day.to_string()),
        text(&format!("{:02}:{:02}:00", draw.below(24), draw.below(60))),
        text(description),
        text(&format!("A{}{index:08}", day.year())),
        text(&format!("S{index:08}")),
        text(&referrer(index)),
        text(modality),
        now().into(),
        now().into(),
    ]);
    // One in 50,000 shows what others do not, and has a number of its own.
    let rare = index % 50_000 == 777;
    let body_part = if rare { "PROSTATE" } else { body_part };
    let number = if rare { 901 } else { 1 + (index % 6) as i64 };
    let (step, procedure) = (format!("ST{index:08}"), format!("RP{index:08}"));
    rows.series.extend([
        row.into(),
        institution.into(),
        row.into(),
        text(&format!("{uid}.1")),
        number.into(),
        text(&format!("{description} {}.0 {}", 1 + index % 5, if rare { "RARE" } else { "AX" })),
        text(modality),
        text(body_part),
        text(&day.to_string()),
        text(&step),
        text(&procedure),
        now().into(),
    ]);
    let sop = format!("{uid}.1.1");
    let facts = serde_json::json!({
        "sop": sop, "sop_class": "1.2.840.10008.5.1.4.1.1.2", "transfer_syntax": "1.2.840.10008.1.2.1",
        "patient": {}, "study": {"uid": uid}, "equipment": {"manufacturer": "Synthetic", "model": "Bench"},
        "series": {
            "uid": format!("{uid}.1"), "body_part": body_part, "performed_date": day,
            "requests": [{"step": step, "procedure": procedure}],
        },
        "image": {"instance_number": 1, "frames": 1, "lossy": false, "truncated": false, "has_pixel_data": true},
    });
    rows.instances.extend([
        row.into(),
        institution.into(),
        text(&sop),
        row.into(),
        text(&facts.to_string()),
        now().into(),
    ]);
    Ok(())
}

/// One physician refers a quarter of the studies, two hundred others the rest, and one each 100,000th.
fn referrer(index: u64) -> String {
    if index % 100_000 == 777 {
        return "Sonu^Rin=鮮于^璘=선우^린".to_owned();
    }
    if index.is_multiple_of(4) {
        return "Park^Jisung=朴^智星=박^지성".to_owned();
    }
    let number = Draw(index).below(200) as usize;
    let ((family, _, hangul, _), (given, _, syllable)) = (SURNAMES[number % 8], SYLLABLES[number % 24]);
    format!("{family}^{given}=={hangul}^{syllable}")
}
