//! We ask: dcmtk's storescp and dcmqrscp, pynetdicom, our own provider, and peers that break off.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use dicom_core::Tag;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationRJ, AssociationRJResult, AssociationRJServiceUserReason,
    AssociationRJSource, Pdu, write_pdu,
};
use futures::StreamExt;
use hilum_dicom::{DataSet, matching::QueryOptions};
use hilum_dimse::{
    CommitmentRequest, InformationModel, Level, Peer, Progress, Question, ReferencedInstance, Scu, ScuConfig, ScuError,
    SentOutcome, StorageContext,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use crate::{
    archive::{
        Archive, Files, J2K, KOREAN, PATIENT_NAME, Program, RLE, SOP_UID, STUDY, STUDY_UID, free_port, object, serve,
        sop,
    },
    breaking::{accepted, read_one, store_response},
    dcmtk::dcmtk_is_here,
    pynetdicom::python,
    server::{CT, EXPLICIT, config, part10_of, start},
};

pub fn scu() -> Scu {
    Scu::new(ScuConfig::new("HILUM".parse().unwrap()))
}

pub fn peer(title: &str, port: u16) -> Peer {
    Peer::new(title.parse().unwrap(), "127.0.0.1", port)
}

pub fn question(level: Level, keys: &[(Tag, &str)]) -> Question {
    let mut identifier = DataSet::new();
    for (tag, value) in keys {
        identifier.set(*tag, *value);
    }
    Question {
        model: InformationModel::StudyRoot,
        level: Some(level),
        keys: identifier,
        options: QueryOptions::default(),
    }
}

fn ct_contexts() -> Vec<StorageContext> {
    let transfer_syntaxes = [EXPLICIT, J2K, RLE].map(|uid| uid.parse().unwrap()).into();
    vec![StorageContext { sop_class: CT.parse().unwrap(), transfer_syntaxes }]
}

#[tokio::test(flavor = "multi_thread")]
async fn storescp_takes_each_object_in_its_own_transfer_syntax_and_progress_is_told() {
    if !dcmtk_is_here() {
        return;
    }
    let files = Archive::with(6).files;
    let instances = files.instances();
    for (option, expected) in [("+xa", 6), ("+x=", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut storescp = Command::new("storescp");
        storescp.args([option, "+B", "-od"]).arg(folder.path()).arg(port.to_string());
        let _storescp = Program::listening(storescp, port).await;
        scu().echo(&peer("STORESCP", port)).await.unwrap();
        let mut told = Vec::new();
        let report = scu().store(&peer("STORESCP", port), &instances, &files, |index, _| told.push(index)).await;
        assert_eq!(told, (0..6).collect::<Vec<_>>());
        assert!(report.error.is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), expected);
        for (index, outcome) in report.outcomes.iter().enumerate() {
            let plain = index % 3 == 0;
            let wanted = if plain || expected == 6 { SentOutcome::Stored } else { SentOutcome::ContextNotAccepted };
            assert_eq!(*outcome, wanted, "object {index} with {option}");
        }
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let kept = std::fs::read(entry.unwrap().path()).unwrap();
            let sent = |file: &Vec<u8>| kept.ends_with(&file[hilum_dimse::read_meta(file).unwrap().1..]);
            assert!(files.0.iter().any(|(_, file)| sent(file)), "bytes changed on the way");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_only_implicit_vr_gets_uncompressed_objects_that_way() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut storescp = Command::new("storescp");
    storescp.args(["+xi", "+B", "-od"]).arg(folder.path()).arg(port.to_string());
    let _storescp = Program::listening(storescp, port).await;
    let archive = Archive::with(3);
    let report = scu().store(&peer("STORESCP", port), &archive.files.instances(), &archive.files, |_, _| {}).await;
    assert_eq!(report.outcomes[0], SentOutcome::Stored);
    assert_eq!(report.outcomes[1..], [SentOutcome::ContextNotAccepted, SentOutcome::ContextNotAccepted]);
    let kept: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    let kept = std::fs::read(&kept[0]).unwrap();
    let instance = hilum_dicom::Instance::parse(&kept).unwrap();
    assert_eq!(instance.header().transfer_syntax.as_str(), "1.2.840.10008.1.2");
    assert_eq!(DataSet::from_instance(&instance).unwrap(), archive.rows[0]);
    assert!(kept.ends_with(&archive.files.0[0].1[archive.files.0[0].1.len() - 10_000..]), "the same samples");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_classes_than_one_association_has_contexts_for_all_arrive() {
    let server = start(config()).await;
    let files = Files::of(
        (0..150)
            .map(|number| {
                let mut file = part10_of(&sop(number), EXPLICIT);
                // Every object of a class of its own; the length of the UID stays the same.
                let class = format!("1.2.840.10008.5.1.4.1.1.9{:03}\0", number % 150);
                let at = file.windows(26).position(|window| window.starts_with(CT.as_bytes())).unwrap();
                let old = usize::from(file[at - 2]);
                file[at - 2] = class.len() as u8;
                file.splice(at..at + old, class.bytes());
                file.extend(crate::server::data_set(&sop(number), 100));
                file
            })
            .collect(),
    );
    let report = scu().store(&peer("HILUM", server.address.port()), &files.instances(), &files, |_, _| {}).await;
    assert!(report.is_complete() && report.error.is_none(), "{report:?}");
    assert_eq!(server.kept(), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmqrscp_stores_finds_moves_and_gets() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("db")).unwrap();
    let sink = start(config()).await;
    let port = free_port();
    let cfg = format!(
        "NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n\
         HostTable BEGIN\nhilum = (SINK, 127.0.0.1, {})\nHostTable END\nVendorTable BEGIN\nVendorTable END\n\
         AETable BEGIN\nARCHIVE {} RW (200, 1024mb) ANY\nAETable END\n",
        sink.port(),
        folder.path().join("db").display(),
    );
    let cfg_path = folder.path().join("dcmqrscp.cfg");
    std::fs::write(&cfg_path, cfg).unwrap();
    let mut dcmqrscp = Command::new("dcmqrscp");
    dcmqrscp.arg("-c").arg(&cfg_path);
    let _dcmqrscp = Program::listening(dcmqrscp, port).await;
    let archive = peer("ARCHIVE", port);

    let files = Files::of((0..5).map(|number| object(&sop(number), EXPLICIT, 20_000)).collect());
    let report = scu().store(&archive, &files.instances(), &files, |_, _| {}).await;
    assert!(report.is_complete(), "{report:?}");

    let asked = question(Level::Study, &[(PATIENT_NAME, "Hong*"), (STUDY_UID, "")]);
    let found: Vec<_> = scu().find(&archive, &asked).await.unwrap().into_stream().collect().await;
    assert_eq!(found.len(), 1);
    let found = found.into_iter().next().unwrap().unwrap();
    assert_eq!((found.text(STUDY_UID), found.text(PATIENT_NAME)), (Some(STUDY), Some(KOREAN)));

    let study = question(Level::Study, &[(STUDY_UID, STUDY)]);
    let mut told: Vec<Progress> = Vec::new();
    let never = std::future::pending::<()>;
    let moved = scu().retrieve_to(&archive, &study, &"SINK".parse().unwrap(), never(), |p| told.push(p)).await.unwrap();
    assert!(moved.is_complete() && moved.progress.completed == 5, "{moved:?}");
    assert_eq!(sink.kept(), 5);
    assert!(!told.is_empty());
    let unknown = scu().retrieve_to(&archive, &study, &"NOBODY".parse().unwrap(), never(), |_| {}).await;
    assert!(matches!(unknown, Err(ScuError::Status { code: 0xA801, .. })), "{unknown:?}");

    let got = scu().retrieve(&archive, &study, &ct_contexts(), &*sink.recorder, never(), |_| {}).await.unwrap();
    assert!(got.is_complete(), "{got:?}");
    assert_eq!(sink.kept(), 10);
    let kept = sink.recorder.kept.lock().unwrap();
    assert_eq!((kept[9].calling_ae.as_str(), kept[9].called_ae.as_str()), ("ARCHIVE", "HILUM"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_answers_in_korean_honours_cancels_and_commits() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut script = Command::new(python);
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/answering_peer.py")).arg(port.to_string());
    let _peer = Program::listening(script, port).await;
    let pynet = peer("PYNET", port);

    let mut matches =
        scu().find(&pynet, &question(Level::Study, &[(PATIENT_NAME, "홍*"), (STUDY_UID, "")])).await.unwrap();
    for _ in 0..3 {
        let found = matches.next().await.unwrap().unwrap();
        assert_eq!(found.text(PATIENT_NAME), Some(KOREAN), "ISO 2022 IR 149 with escapes");
    }
    matches.cancel().await.unwrap();
    let asked = question(Level::Study, &[(Tag(0x0008, 0x1030), "how many")]);
    let mut matches = scu().find(&pynet, &asked).await.unwrap();
    let sent: u32 = matches.next().await.unwrap().unwrap().text(Tag(0x0008, 0x1030)).unwrap().parse().unwrap();
    assert!((3..200).contains(&sent), "the peer was stopped, not cut: {sent}");
    assert!(matches.next().await.is_none());

    let sink = start(config()).await;
    let study = question(Level::Study, &[(STUDY_UID, STUDY)]);
    let never = std::future::pending::<()>;
    let got = scu().retrieve(&pynet, &study, &ct_contexts(), &*sink.recorder, never(), |_| {}).await.unwrap();
    assert_eq!((got.status, got.progress.completed), (0, 9), "{got:?}");
    let mut syntaxes: Vec<_> =
        sink.recorder.kept.lock().unwrap().iter().map(|i| i.transfer_syntax.to_string()).collect();
    syntaxes.sort();
    syntaxes.dedup();
    assert_eq!(syntaxes, [EXPLICIT, J2K, RLE]);
    // pynetdicom forgets a C-CANCEL that comes before its handler runs, so not at once.
    let soon = tokio::time::sleep(Duration::from_millis(60));
    let cancelled = scu().retrieve(&pynet, &study, &ct_contexts(), &*sink.recorder, soon, |_| {}).await.unwrap();
    assert_eq!(cancelled.status, 0xFE00, "{cancelled:?}");
    assert!(cancelled.progress.completed < 9);

    let instances: Vec<_> = [sop(0), "1.2.3.4".to_owned()]
        .iter()
        .map(|sop| ReferencedInstance { sop_class: CT.parse().unwrap(), sop: sop.parse().unwrap() })
        .collect();
    let request = CommitmentRequest { transaction: "1.2.77".to_owned(), instances };
    let result = scu().request_commitment(&pynet, &request, Duration::from_secs(10)).await.unwrap().expect("a result");
    assert_eq!((result.committed.len(), result.failed.len()), (1, 1));
    assert_eq!(result.failed[0].1, hilum_dimse::CommitmentFailure::NoSuchInstance);

    let refused = scu().echo(&peer("SOMEBODY", port)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the peer rejected the association for good: it is not known by the AE title that we called"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_provider_commits_finds_fuzzily_and_cancels_a_move() {
    let mut archive = Archive::with(40);
    archive.delay = Duration::from_millis(10);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let sink = start(config()).await;
    archive.knows("SINK", sink.address.port());
    let hilum = peer("HILUM", server.address.port());

    let mut asked = question(Level::Study, &[(PATIENT_NAME, "길동 홍"), (STUDY_UID, "")]);
    let plain: Vec<_> = scu().find(&hilum, &asked).await.unwrap().into_stream().collect().await;
    asked.options.fuzzy_names = true;
    let fuzzy: Vec<_> = scu().find(&hilum, &asked).await.unwrap().into_stream().collect().await;
    assert_eq!((plain.len(), fuzzy.len()), (0, 1));

    let study = question(Level::Study, &[(STUDY_UID, STUDY)]);
    let cancel = tokio::time::sleep(Duration::from_millis(150));
    let title = "SINK".parse().unwrap();
    let moved = scu().retrieve_to(&hilum, &study, &title, cancel, |_| {}).await.unwrap();
    assert_eq!(moved.status, 0xFE00);
    assert!(moved.progress.remaining > 0 && sink.kept() < 40, "{moved:?}");
    assert_eq!(usize::from(moved.progress.completed), sink.kept());

    let reference = ReferencedInstance { sop_class: CT.parse().unwrap(), sop: sop(1).parse().unwrap() };
    let request = CommitmentRequest { transaction: "1.2.3".to_owned(), instances: vec![reference] };
    let result = scu().request_commitment(&hilum, &request, Duration::from_secs(5)).await.unwrap().expect("a result");
    assert_eq!((result.committed.len(), result.failed.len()), (1, 0));
    assert_eq!(*archive.noted.lock().unwrap(), ["1.2.3"]);
    assert_eq!(*archive.told.lock().unwrap(), ["1.2.3"]);
    // What cannot be noted is not promised.
    archive.cannot_note.store(true, Ordering::Relaxed);
    let refused = scu().request_commitment(&hilum, &request, Duration::ZERO).await.unwrap_err();
    assert!(refused.to_string().contains("0110"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_nobody_took_comes_back_and_can_be_told_again() {
    let archive = Arc::new(Archive { commit_delay: Duration::from_millis(100), ..Archive::with(1) });
    let server = serve(config(), &archive).await;
    let hilum = peer("HILUM", server.address.port());
    let reference = ReferencedInstance { sop_class: CT.parse().unwrap(), sop: sop(0).parse().unwrap() };
    let request = CommitmentRequest { transaction: "1.2.3".to_owned(), instances: vec![reference] };
    // We do not wait, and the server does not know where we are; then it does, and nobody is there.
    for round in 1..=2 {
        assert_eq!(scu().request_commitment(&hilum, &request, Duration::ZERO).await.unwrap(), None);
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(archive.undelivered.lock().unwrap().len(), round);
        archive.knows("HILUM", free_port());
    }
    let result = archive.undelivered.lock().unwrap()[0].clone();
    scu().report_commitment(&hilum, &result).await.unwrap();
    assert_eq!(*archive.results.lock().unwrap(), [result]);
    assert_eq!((archive.noted.lock().unwrap().len(), archive.told.lock().unwrap().len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requestor_that_hangs_up_in_the_middle_stops_the_search_and_the_move() {
    let mut archive = Archive::with(200);
    archive.delay = Duration::from_millis(10);
    let archive = Arc::new(archive);
    let server = serve(config(), &archive).await;
    let sink = start(config()).await;
    archive.knows("SINK", sink.address.port());
    let hilum = peer("HILUM", server.address.port());

    let mut matches = scu().find(&hilum, &question(Level::Image, &[(SOP_UID, "")])).await.unwrap();
    matches.next().await.unwrap().unwrap();
    drop(matches);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let looked_at = archive.handed_out.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(archive.handed_out.load(Ordering::SeqCst), looked_at, "looks on for nobody");

    let study = question(Level::Study, &[(STUDY_UID, STUDY)]);
    let title = "SINK".parse().unwrap();
    let user = scu();
    let moving = user.retrieve_to(&hilum, &study, &title, std::future::pending(), |_| {});
    assert!(tokio::time::timeout(Duration::from_millis(200), moving).await.is_err(), "cut in the middle");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let moved = sink.kept();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sink.kept(), moved, "moves on for nobody");
    assert!(moved < 200);
    scu().echo(&hilum).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_searches_and_moves_and_waits_for_the_object_in_hand() {
    let archive = Arc::new(Archive { delay: Duration::from_millis(50), ..Archive::with(200) });
    let mut server = serve(config(), &archive).await;
    let sink = start(config()).await;
    archive.knows("SINK", sink.address.port());
    let hilum = peer("HILUM", server.address.port());
    let mut matches = scu().find(&hilum, &question(Level::Image, &[(SOP_UID, "")])).await.unwrap();
    matches.next().await.unwrap().unwrap();
    let moving = tokio::spawn({
        let hilum = hilum.clone();
        async move {
            let study = question(Level::Study, &[(STUDY_UID, STUDY)]);
            scu().retrieve_to(&hilum, &study, &"SINK".parse().unwrap(), std::future::pending(), |_| {}).await
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.stop();
    let found = loop {
        match matches.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(found.to_string(), "the peer aborted the association: no reason given");
    let moved = moving.await.unwrap().unwrap_err();
    assert_eq!(moved.to_string(), "the peer aborted the association: no reason given");
    tokio::time::timeout(Duration::from_secs(5), &mut server.task).await.expect("no grace was needed").unwrap();
    let moved = sink.kept();
    assert!((1..200).contains(&moved), "{moved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_associations_at_once_are_all_answered() {
    let mut archive = Archive::with(6);
    archive.delay = Duration::from_millis(5);
    let archive = Arc::new(archive);
    let mut many = config();
    many.max_associations = 250;
    let server = serve(many, &archive).await;
    let hilum = peer("HILUM", server.address.port());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let hilum = hilum.clone();
        tasks.spawn(async move {
            let found =
                scu().find(&hilum, &question(Level::Image, &[(SOP_UID, ""), (PATIENT_NAME, "홍*")])).await.unwrap();
            let found: Vec<_> = found.into_stream().collect().await;
            assert!(found.iter().all(Result::is_ok));
            found.len()
        });
    }
    while let Some(found) = tasks.join_next().await {
        assert_eq!(found.unwrap(), 6);
    }
}

/// What a scripted peer does with its one connection.
#[derive(Clone, Copy)]
enum Script {
    Silent,
    Reject,
    Abort,
    AcceptThenHangUp,
    AcceptThenSilent,
    AcceptThenAnswerSomethingElse,
}

async fn scripted(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(act(socket, script));
        }
    });
    address
}

async fn act(mut socket: TcpStream, script: Script) {
    let Some(Pdu::AssociationRQ(request)) = read_one(&mut socket).await else { return };
    let answer = match script {
        Script::Silent => return tokio::time::sleep(Duration::from_secs(5)).await,
        Script::Reject => Pdu::AssociationRJ(AssociationRJ {
            result: AssociationRJResult::Transient,
            source: AssociationRJSource::ServiceUser(AssociationRJServiceUserReason::CallingAETitleNotRecognized),
        }),
        Script::Abort => {
            Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(AbortRQServiceProviderReason::UnexpectedPdu) }
        }
        Script::AcceptThenHangUp | Script::AcceptThenSilent | Script::AcceptThenAnswerSomethingElse => {
            accepted(request)
        }
    };
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, &answer).unwrap();
    socket.write_all(&bytes).await.unwrap();
    match script {
        Script::AcceptThenHangUp => {
            read_one(&mut socket).await;
            return;
        }
        Script::AcceptThenAnswerSomethingElse => {
            read_one(&mut socket).await;
            socket.write_all(&store_response(1, 9)).await.unwrap();
        }
        Script::Silent | Script::Reject | Script::Abort | Script::AcceptThenSilent => {}
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_in_words() {
    let mut impatient = ScuConfig::new("HILUM".parse().unwrap());
    impatient.negotiate_timeout = Duration::from_millis(300);
    impatient.response_timeout = Duration::from_millis(300);
    let impatient = Scu::new(impatient);
    let hears = async |script, expected: &str| {
        let breaks_off = matches!(
            script,
            Script::AcceptThenHangUp | Script::AcceptThenSilent | Script::AcceptThenAnswerSomethingElse
        );
        let port = scripted(script).await.port();
        let error = impatient.echo(&peer("PEER", port)).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        let asked = question(Level::Study, &[(PATIENT_NAME, "Hong^Gildong")]);
        let error = match impatient.find(&peer("PEER", port), &asked).await {
            Ok(mut matches) => matches.next().await.unwrap().unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().starts_with(expected) && !error.to_string().contains("Hong"), "{error}");
        let files = Archive::with(2).files;
        let report = impatient.store(&peer("PEER", port), &files.instances(), &files, |_, _| {}).await;
        for outcome in report.outcomes {
            match outcome {
                SentOutcome::BrokenOff { reason } => assert!(breaks_off && reason.starts_with(expected), "{reason}"),
                outcome => assert!(!breaks_off && outcome == SentOutcome::NotSent, "{outcome:?}"),
            }
        }
        assert!(report.error.unwrap().to_string().starts_with(expected));
    };
    tokio::join!(
        hears(Script::Silent, "negotiating: nothing came for 300ms"),
        hears(Script::Reject, "the peer rejected the association for now: it does not recognise our AE title"),
        hears(Script::Abort, "the peer aborted the association: it did not expect the PDU"),
        hears(Script::AcceptThenHangUp, "the connection was cut"),
        hears(Script::AcceptThenSilent, "waiting for the peer: nothing came for 300ms"),
        hears(Script::AcceptThenAnswerSomethingElse, "the peer breaks the protocol: another response was due"),
    );
    let error = impatient.echo(&peer("PEER", free_port())).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to PEER: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_was_said_is_not_sent() {
    let server = start(config()).await;
    let files = Archive::with(1).files;
    let mut instances = files.instances();
    instances.push(hilum_dimse::StoredInstance { sop: "1.2.3".parse().unwrap(), ..instances[0].clone() });
    let told = Mutex::new(Vec::new());
    let report = scu()
        .store(&peer("HILUM", server.address.port()), &instances, &files, |index, outcome| {
            told.lock().unwrap().push((index, outcome.clone()));
        })
        .await;
    assert_eq!(report.outcomes, [SentOutcome::Stored, SentOutcome::NotReadable]);
    assert_eq!(*told.lock().unwrap(), [(0, SentOutcome::Stored), (1, SentOutcome::NotReadable)]);
}
