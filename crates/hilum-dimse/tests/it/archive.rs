//! An archive in memory, with every service, and the objects in it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::AtomicBool,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dicom_core::Tag;
use futures::{StreamExt, stream};
use hilum_dicom::{
    AeTitle, DataSet,
    charset::SpecificCharacterSet,
    data_set::Stated,
    matching::{Query, QueryOptions},
};
use hilum_dimse::{
    Caller, CommitFuture, CommitmentFailure, CommitmentHandler, CommitmentRequest, CommitmentResult, CommitmentResults,
    DestinationFuture, FindHandler, FindRequest, InstanceSource, Level, LoadFuture, Matches, Peer, Refusal,
    RequestorFuture, RetrieveHandler, RetrieveRequest, ScpConfig, SelectFuture, Selected, StoredInstance, TakeFuture,
    read_meta,
};

use crate::server::{CT, EXPLICIT, Running, start_serving};

pub const J2K: &str = "1.2.840.10008.1.2.4.90";
pub const RLE: &str = "1.2.840.10008.1.2.5";
pub const STUDY: &str = "1.2.826.0.1.3680043.8.498.1";
pub const KOREAN: &str = "Hong^Gildong=洪^吉洞=홍^길동";

pub const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
pub const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
pub const STUDY_UID: Tag = Tag(0x0020, 0x000D);
pub const SERIES_UID: Tag = Tag(0x0020, 0x000E);
pub const SOP_UID: Tag = Tag(0x0008, 0x0018);

/// A whole CT file with a Korean name in ISO 2022 IR 149; the pixel data is encapsulated where the syntax wants that.
pub fn object(sop: &str, transfer_syntax: &str, pixels: usize) -> Vec<u8> {
    let mut header = DataSet::new();
    header
        .set(Tag(0x0008, 0x0016), CT)
        .set(SOP_UID, sop)
        .set(Tag(0x0008, 0x0020), "20260228")
        .set(Tag(0x0008, 0x0030), "101530")
        .set(Tag(0x0008, 0x0050), "A1")
        .set(Tag(0x0008, 0x0060), "CT")
        .set(PATIENT_NAME, KOREAN)
        .set(PATIENT_ID, "KR0001")
        .set(Tag(0x0010, 0x0030), "19700101")
        .set(Tag(0x0010, 0x0040), "M")
        .set(STUDY_UID, STUDY)
        .set(SERIES_UID, "1.2.826.0.1.3680043.8.498.2")
        .set(Tag(0x0020, 0x0010), "S1")
        .set(Tag(0x0020, 0x0011), "1")
        .set(Tag(0x0020, 0x0013), "1");
    let mut out = crate::server::part10_of(sop, transfer_syntax);
    out.extend(header.write(true, &SpecificCharacterSet::korean(), Stated::Always).unwrap());
    let samples: Vec<u8> = (0..pixels).map(|index| (index % 251) as u8).collect();
    if transfer_syntax == EXPLICIT {
        out.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
        out.extend((pixels as u32).to_le_bytes());
        out.extend(samples);
    } else {
        out.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        out.extend([0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0x00, 0xE0]);
        out.extend((pixels as u32).to_le_bytes());
        out.extend(samples);
        out.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    }
    out
}

pub fn sop(number: usize) -> String {
    format!("1.2.826.0.1.3680043.8.498.7.{number}")
}

/// Files by what must be known to send them.
#[derive(Default)]
pub struct Files(pub Vec<(StoredInstance, Vec<u8>)>);

impl Files {
    pub fn of(files: Vec<Vec<u8>>) -> Self {
        Self(files.into_iter().map(|file| (read_meta(&file).unwrap().0, file)).collect())
    }

    pub fn instances(&self) -> Vec<StoredInstance> {
        self.0.iter().map(|(instance, _)| instance.clone()).collect()
    }
}

impl InstanceSource for Files {
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a> {
        Box::pin(async move {
            let found = self.0.iter().find(|(known, _)| known == instance);
            found.map(|(_, file)| file.clone().into()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
        })
    }
}

#[derive(Default)]
pub struct Archive {
    pub files: Files,
    /// Rows that queries look through.
    pub rows: Vec<DataSet>,
    pub worklist: Vec<DataSet>,
    pub destinations: Mutex<HashMap<AeTitle, Peer>>,
    /// Before each match, and before each file that is loaded.
    pub delay: Duration,
    /// Matches handed out, and files loaded.
    pub handed_out: AtomicUsize,
    pub commit_delay: Duration,
    pub results: Mutex<Vec<CommitmentResult>>,
    pub undelivered: Mutex<Vec<CommitmentResult>>,
    /// Transactions that were noted and told.
    pub noted: Mutex<Vec<String>>,
    pub told: Mutex<Vec<String>>,
    pub cannot_note: AtomicBool,
}

impl Archive {
    /// `files` with the texts of their headers as rows.
    pub fn of(files: Vec<Vec<u8>>) -> Self {
        let rows = files.iter().map(|file| {
            let instance = hilum_dicom::Instance::parse(file).unwrap();
            DataSet::from_instance(&instance).unwrap()
        });
        Self { rows: rows.collect(), files: Files::of(files), ..Self::default() }
    }

    /// `count` files in turn as they are, as JPEG 2000 and as RLE.
    pub fn with(count: usize) -> Self {
        let syntaxes = [EXPLICIT, J2K, RLE];
        Self::of((0..count).map(|number| object(&sop(number), syntaxes[number % 3], 10_000)).collect())
    }

    pub fn knows(&self, title: &str, port: u16) {
        let title: AeTitle = title.parse().unwrap();
        self.destinations.lock().unwrap().insert(title.clone(), Peer::new(title, "127.0.0.1", port));
    }

    fn rows_at(&self, level: Option<Level>, keys: &DataSet, options: QueryOptions) -> Result<Vec<DataSet>, Refusal> {
        let query = Query::read(keys, options).map_err(|_| Refusal::CannotUnderstand)?;
        let rows = if level.is_some() { &self.rows } else { &self.worklist };
        let mut found: Vec<DataSet> = Vec::new();
        for row in rows.iter().filter(|row| query.matches(row)) {
            let known = |level: Level| found.iter().any(|f| f.text(level.unique_key()) == row.text(level.unique_key()));
            if !level.is_some_and(known) {
                found.push(row.clone());
            }
        }
        Ok(found)
    }
}

pub async fn serve(config: ScpConfig, archive: &Arc<Archive>) -> Running {
    start_serving(config, Duration::ZERO, |mut services| {
        services.find = Some(Arc::clone(archive) as _);
        services.worklist = Some(Arc::clone(archive) as _);
        services.retrieve = Some(Arc::clone(archive) as _);
        services.commitment = Some(Arc::clone(archive) as _);
        services.commitment_results = Some(Arc::clone(archive) as _);
        services
    })
    .await
}

impl FindHandler for Archive {
    fn find(&self, request: FindRequest) -> Matches<'_> {
        let found = match self.rows_at(request.level, &request.keys, request.options) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(refusal) => vec![Err(refusal)],
        };
        let delayed = stream::iter(found).then(async |found| {
            tokio::time::sleep(self.delay).await;
            self.handed_out.fetch_add(1, Ordering::SeqCst);
            found
        });
        delayed.boxed()
    }

    fn supports(&self, proposed: QueryOptions) -> QueryOptions {
        proposed
    }
}

impl InstanceSource for Archive {
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a> {
        Box::pin(async move {
            tokio::time::sleep(self.delay).await;
            self.handed_out.fetch_add(1, Ordering::SeqCst);
            self.files.load(instance).await
        })
    }
}

impl RetrieveHandler for Archive {
    fn select(&self, request: RetrieveRequest) -> SelectFuture<'_> {
        Box::pin(async move {
            let rows = self.rows_at(Some(Level::Image), &request.keys, QueryOptions::default())?;
            let wanted =
                |instance: &StoredInstance| rows.iter().any(|row| row.text(SOP_UID) == Some(instance.sop.as_str()));
            let instances = self.files.instances().into_iter().filter(wanted).collect();
            Ok(Selected { instances, source: Box::new(self) })
        })
    }

    fn destination<'a>(&'a self, title: &'a AeTitle, _: &'a Caller) -> DestinationFuture<'a> {
        Box::pin(async move { self.destinations.lock().unwrap().get(title).cloned() })
    }
}

impl CommitmentHandler for Archive {
    fn note<'a>(&'a self, _: &'a Caller, request: &'a CommitmentRequest) -> TakeFuture<'a> {
        Box::pin(async move {
            self.noted.lock().unwrap().push(request.transaction.clone());
            !self.cannot_note.load(Ordering::Relaxed)
        })
    }

    fn told(&self, _: &Caller, transaction: String) {
        self.told.lock().unwrap().push(transaction);
    }

    fn commit(&self, _: &Caller, request: CommitmentRequest) -> CommitFuture {
        let known = self.files.instances();
        let delay = self.commit_delay;
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            let (committed, failed): (Vec<_>, Vec<_>) =
                request.instances.into_iter().partition(|asked| known.iter().any(|known| known.sop == asked.sop));
            let failed = failed.into_iter().map(|asked| (asked, CommitmentFailure::NoSuchInstance)).collect();
            CommitmentResult { transaction: request.transaction, committed, failed }
        })
    }

    fn requestor(&self, caller: &Caller) -> RequestorFuture {
        let peer = self.destinations.lock().unwrap().get(&caller.calling_ae).cloned();
        Box::pin(async move { peer })
    }

    fn undelivered(&self, _: &Caller, result: CommitmentResult) {
        self.undelivered.lock().unwrap().push(result);
    }
}

impl CommitmentResults for Archive {
    fn take<'a>(&'a self, _: &'a Caller, result: CommitmentResult) -> TakeFuture<'a> {
        Box::pin(async move {
            self.results.lock().unwrap().push(result);
            true
        })
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    crate::ports::free_address().port()
}

/// A peer's program that runs until the test is over.
pub struct Program(std::process::Child);

impl Program {
    /// Starts it and waits until it listens.
    pub async fn listening(mut command: std::process::Command, port: u16) -> Self {
        let quiet = std::process::Stdio::null;
        let program = Self(command.stdout(quiet()).stderr(quiet()).spawn().expect("the program starts"));
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the program does not listen");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().expect("the program runs");
        self.0.wait().expect("the program ends");
    }
}
