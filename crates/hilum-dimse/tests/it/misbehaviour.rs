//! Peers that lie, stall, break off or talk nonsense.

use std::sync::{Arc, atomic::Ordering};
use std::time::{Duration, Instant};

use dicom_ul::pdu::{AssociationRQ, Pdu, PresentationContextProposed, UserVariableItem, read_pdu, write_pdu};
use hilum_dicom::ObjectDigest;
use hilum_dimse::{BindError, Scp, Services};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::server::{CT, EXPLICIT, Running, config, data_set, start, start_with};

pub const SOP: &str = "1.2.826.0.1.3680043.8.498.900";

pub async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

pub fn association_request() -> Vec<u8> {
    let request = Pdu::AssociationRQ(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "RAW".into(),
        called_ae_title: "HILUM".into(),
        application_context_name: "1.2.840.10008.3.1.1.1".into(),
        presentation_contexts: vec![
            PresentationContextProposed { id: 1, abstract_syntax: CT.into(), transfer_syntaxes: vec![EXPLICIT.into()] },
            PresentationContextProposed {
                id: 3,
                abstract_syntax: "1.2.840.10008.1.1".into(),
                transfer_syntaxes: vec!["1.2.840.10008.1.2".into()],
            },
        ],
        user_variables: vec![UserVariableItem::MaxLength(16384)],
    });
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, &request).unwrap();
    bytes
}

pub async fn associate(server: &Running) -> TcpStream {
    let mut socket = connect(server).await;
    socket.write_all(&association_request()).await.unwrap();
    assert!(matches!(receive(&mut socket).await, Some(Pdu::AssociationAC(_))));
    socket
}

/// The next PDU, or None when the server closed.
pub async fn receive(socket: &mut TcpStream) -> Option<Pdu> {
    let mut bytes = vec![0; 6];
    timeout(Duration::from_secs(10), async {
        socket.read_exact(&mut bytes).await.ok()?;
        let length = u32::from_be_bytes(bytes[2..6].try_into().unwrap()) as usize;
        bytes.resize(6 + length, 0);
        socket.read_exact(&mut bytes[6..]).await.ok()?;
        read_pdu(&bytes[..], 1 << 20, false).unwrap()
    })
    .await
    .expect("the server answers or closes")
}

pub fn pdv(context: u8, control: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![4, 0];
    out.extend((data.len() as u32 + 6).to_be_bytes());
    out.extend((data.len() as u32 + 2).to_be_bytes());
    out.extend([context, control]);
    out.extend(data);
    out
}

pub fn command(elements: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (element, value) in elements {
        out.extend([0, 0]);
        out.extend(element.to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
        out.extend(*value);
    }
    out
}

pub fn store_request() -> Vec<u8> {
    let class = format!("{CT}\0");
    let sop = if SOP.len().is_multiple_of(2) { SOP.to_owned() } else { format!("{SOP}\0") };
    command(&[
        (0x0002, class.as_bytes()),
        (0x0100, &[1, 0]),
        (0x0110, &[9, 0]),
        (0x0700, &[0, 0]),
        (0x0800, &[1, 0]),
        (0x1000, sop.as_bytes()),
    ])
}

/// The status of a response that came in one fragment.
fn status(pdu: Option<Pdu>) -> u16 {
    let Some(Pdu::PData { data }) = pdu else { panic!("a response was due, not {pdu:?}") };
    let bytes = &data[0].data;
    let at = bytes.windows(8).position(|window| window == [0, 0, 0, 9, 2, 0, 0, 0]).expect("a status");
    u16::from_le_bytes([bytes[at + 8], bytes[at + 9]])
}

async fn aborted(socket: &mut TcpStream) {
    let pdu = receive(socket).await;
    assert!(matches!(pdu, Some(Pdu::AbortRQ { .. })), "{pdu:?}");
    assert!(receive(socket).await.is_none(), "closed after the abort");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_at_a_time_is_slow_but_whole() {
    let server = start(config()).await;
    let mut socket = associate(&server).await;
    socket.set_nodelay(true).unwrap();
    let bytes = data_set(SOP, 100);
    let (first, second) = bytes.split_at(60);
    for byte in [pdv(1, 3, &store_request()), pdv(1, 0, first), pdv(1, 2, second)].concat() {
        socket.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(status(receive(&mut socket).await), 0);
    assert_eq!(server.recorder.kept.lock().unwrap()[0].data_set().unwrap(), bytes);
}

/// Fragments of these lengths, in turn, as PDUs; one joins the PDU of the one before where `joins` says so and it has room.
fn cut(data_set: &[u8], lengths: &[usize], joins: &[bool]) -> Vec<u8> {
    let (mut rest, mut pdus) = (data_set, Vec::<Vec<u8>>::new());
    for at in 0.. {
        let (fragment, behind) = rest.split_at(rest.len().min(lengths[at % lengths.len()]));
        let mut one = pdv(1, if behind.is_empty() { 2 } else { 0 }, fragment);
        match pdus.last_mut().filter(|pdu| joins[at % joins.len()] && pdu.len() + fragment.len() <= 131_072) {
            Some(pdu) => pdu.extend(one.split_off(6)),
            None => pdus.push(one),
        }
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    for pdu in &mut pdus {
        let length = pdu.len() as u32 - 6;
        pdu[2..6].copy_from_slice(&length.to_be_bytes());
    }
    pdus.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_data_set_is_whole_however_it_is_cut(
        lengths in proptest::collection::vec(prop_oneof![1usize..40, 1000usize..20_000, Just(131_066)], 1..6),
        joins in proptest::collection::vec(any::<bool>(), 1..5),
        writes in proptest::collection::vec(prop_oneof![1usize..60, 5_000usize..200_000], 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let server = start(config()).await;
            let mut socket = associate(&server).await;
            socket.set_nodelay(true).unwrap();
            let longest = lengths.iter().max().unwrap().min(writes.iter().max().unwrap());
            let pixels = [(longest * 40).min(400_000), 300];
            for (index, pixels) in pixels.into_iter().enumerate() {
                let bytes = data_set(SOP, pixels);
                let message = [pdv(1, 3, &store_request()), cut(&bytes, &lengths, &joins)].concat();
                let (mut rest, mut turn) = (&message[..], 0);
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(rest.len().min(writes[turn % writes.len()]));
                    socket.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                    (rest, turn) = (behind, turn + 1);
                }
                assert_eq!(status(receive(&mut socket).await), 0);
                let kept = server.recorder.kept.lock().unwrap()[index].clone();
                assert!(kept.data_set().unwrap() == bytes);
                let whole = kept.part10.to_memory().unwrap();
                assert_eq!(kept.digest, ObjectDigest::of(&whole));
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_in_the_middle_of_a_store_leaves_nothing() {
    let server = start(config()).await;
    let mut socket = associate(&server).await;
    socket.write_all(&pdv(1, 3, &store_request())).await.unwrap();
    socket.write_all(&pdv(1, 0, &data_set(SOP, 5_000)[..4_000])).await.unwrap();
    socket.write_all(&[7, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await.unwrap();
    assert!(receive(&mut socket).await.is_none());
    let mut hung_up = associate(&server).await;
    hung_up.write_all(&pdv(1, 3, &store_request())).await.unwrap();
    hung_up.write_all(&pdv(1, 0, &data_set(SOP, 5_000)[..4_000])).await.unwrap();
    drop(hung_up);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.kept(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pdu_that_claims_four_gigabytes_is_refused_before_it_is_waited_for() {
    let server = start(config()).await;
    let mut unknown = connect(&server).await;
    unknown.write_all(&[1, 0, 0xFF, 0xFF, 0xFF, 0xFF]).await.unwrap();
    aborted(&mut unknown).await;
    let mut known = associate(&server).await;
    known.write_all(&[4, 0, 0xFF, 0xFF, 0xFF, 0xFF]).await.unwrap();
    aborted(&mut known).await;
    // A PDV that claims more than its PDU holds.
    let mut inner = associate(&server).await;
    inner.write_all(&[4, 0, 0, 0, 0, 6, 0xFF, 0xFF, 0xFF, 0xFF, 1, 3]).await.unwrap();
    aborted(&mut inner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol_errors_are_aborted_and_others_go_on() {
    let server = start(config()).await;
    let mut bystander = associate(&server).await;
    for nonsense in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        // Data before any command; a command on a context that was never proposed; a release reply; a response.
        pdv(1, 2, &[0; 8]),
        pdv(99, 3, &store_request()),
        vec![6, 0, 0, 0, 0, 4, 0, 0, 0, 0],
        pdv(1, 3, &command(&[(0x0100, &[1, 0x80]), (0x0110, &[1, 0])])),
        // A release in the middle of a message; a command where its data set was due.
        [pdv(1, 3, &store_request()), vec![5, 0, 0, 0, 0, 4, 0, 0, 0, 0]].concat(),
        [pdv(1, 3, &store_request()), pdv(1, 3, &store_request())].concat(),
        [pdv(1, 3, &store_request()), pdv(3, 2, &[0; 8])].concat(),
        // A command set without end.
        [pdv(1, 1, &[0; 10_000]), pdv(1, 1, &[0; 10_000])].concat(),
    ] {
        let mut socket = associate(&server).await;
        socket.write_all(&nonsense).await.unwrap();
        aborted(&mut socket).await;
    }
    bystander.write_all(&pdv(3, 3, &command(&[(0x0100, &[0x30, 0]), (0x0110, &[1, 0])]))).await.unwrap();
    assert_eq!(status(receive(&mut bystander).await), 0);
    assert_eq!(server.kept(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_above_the_limit_is_told_a700_and_the_association_goes_on() {
    let mut small = config();
    small.max_instance_bytes = 20_000;
    let server = start(small).await;
    let mut socket = associate(&server).await;
    for (pixels, expected) in [(30_000, 0xA700), (1_000, 0), (30_000, 0xA700), (18_000, 0)] {
        let bytes = data_set(SOP, pixels);
        socket.write_all(&pdv(1, 3, &store_request())).await.unwrap();
        let fragments = bytes.chunks(9_000).count();
        for (index, fragment) in bytes.chunks(9_000).enumerate() {
            socket.write_all(&pdv(1, if index + 1 == fragments { 2 } else { 0 }, fragment)).await.unwrap();
        }
        assert_eq!(status(receive(&mut socket).await), expected, "{pixels} bytes");
    }
    assert_eq!(server.kept(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiny_pdus_just_in_time_do_not_hold_an_association_for_ever() {
    let mut hasty = config();
    hasty.pdu_timeout = Duration::from_millis(200);
    let server = start(hasty).await;
    let bytes = data_set(SOP, 1_000);
    // One byte of a command, or of a data set, at a time.
    for (begin, rest, control) in [(Vec::new(), store_request(), 1), (pdv(1, 3, &store_request()), bytes.clone(), 0)] {
        let mut socket = associate(&server).await;
        socket.write_all(&begin).await.unwrap();
        let started = Instant::now();
        let mut sent = 0;
        while socket.write_all(&pdv(1, control, &rest[sent..=sent])).await.is_ok() && sent + 2 < rest.len() {
            sent += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Bytes on their way when the server closed may have taken its abort with them.
        let pdu = receive(&mut socket).await;
        assert!(matches!(pdu, None | Some(Pdu::AbortRQ { .. })), "{pdu:?}");
        assert!(started.elapsed() > Duration::from_millis(800) && started.elapsed() < Duration::from_secs(20));
    }
    // Slow, and still within its time.
    let mut socket = associate(&server).await;
    socket.write_all(&pdv(1, 3, &store_request())).await.unwrap();
    let fragments: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(5)).collect();
    for (index, fragment) in fragments.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        socket.write_all(&pdv(1, if index + 1 == fragments.len() { 2 } else { 0 }, fragment)).await.unwrap();
    }
    assert_eq!(status(receive(&mut socket).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_leave_no_memory_for_is_received_into_a_file() {
    let mut small = config();
    small.max_bytes_in_flight = 600_000;
    let server = start(small).await;
    let bytes = data_set(SOP, 400_000);
    let fragments: Vec<&[u8]> = bytes.chunks(9_000).collect();
    let mut holder = associate(&server).await;
    holder.write_all(&pdv(1, 3, &store_request())).await.unwrap();
    for fragment in &fragments[1..] {
        holder.write_all(&pdv(1, 0, fragment)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut other = associate(&server).await;
    for _ in 0..2 {
        other.write_all(&pdv(1, 3, &store_request())).await.unwrap();
        for (index, fragment) in fragments.iter().enumerate() {
            other.write_all(&pdv(1, if index + 1 == fragments.len() { 2 } else { 0 }, fragment)).await.unwrap();
        }
        assert_eq!(status(receive(&mut other).await), 0);
    }
    // What was held is given back.
    drop(holder);
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.write_all(&[pdv(1, 3, &store_request()), pdv(1, 2, &bytes[..9_000])].concat()).await.unwrap();
    assert_eq!(status(receive(&mut other).await), 0);
    let kept = server.recorder.kept.lock().unwrap();
    let in_files: Vec<bool> =
        kept.iter().map(|instance| matches!(instance.part10, hilum_dicom::ObjectBytes::ByRange(_))).collect();
    assert_eq!(in_files, [true, true, false]);
    assert_eq!(kept[0].data_set().unwrap(), bytes);
    for instance in kept.iter() {
        assert_eq!(instance.digest, ObjectDigest::of(&instance.part10.to_memory().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_cannot_be_served_are_answered_by_code() {
    let server = start(config()).await;
    let mut socket = associate(&server).await;
    let field = |value: [u8; 2]| value;
    // C-FIND-RQ; a C-STORE-RQ without data set; C-ECHO on a storage context; C-STORE on the verification context.
    for (context, bytes, expected) in [
        (1, command(&[(0x0100, &field([0x20, 0])), (0x0110, &[1, 0])]), 0x0211),
        (
            1,
            command(&[(0x0002, format!("{CT}\0").as_bytes()), (0x0100, &[1, 0]), (0x0110, &[1, 0]), (0x1000, b"1.23")]),
            0x0212,
        ),
        (1, command(&[(0x0100, &field([0x30, 0])), (0x0110, &[1, 0])]), 0x0122),
        (
            3,
            command(&[(0x0002, b"1.2.840.10008.1.1\0"), (0x0100, &[1, 0]), (0x0110, &[1, 0]), (0x1000, b"1.23")]),
            0x0122,
        ),
        (
            1,
            command(&[
                (0x0002, format!("{CT}\0").as_bytes()),
                (0x0100, &[1, 0]),
                (0x0110, &[1, 0]),
                (0x1000, b"../etc"),
            ]),
            0x0117,
        ),
    ] {
        socket.write_all(&pdv(context, 3, &bytes)).await.unwrap();
        assert_eq!(status(receive(&mut socket).await), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_falls_silent_is_cut_and_blocks_nobody() {
    let mut impatient = config();
    impatient.pdu_timeout = Duration::from_millis(300);
    impatient.idle_timeout = Duration::from_millis(600);
    let server = start(impatient).await;
    let mut never_speaks = connect(&server).await;
    let mut half_a_pdu = associate(&server).await;
    half_a_pdu.write_all(&[4, 0, 0, 0]).await.unwrap();
    let mut idle = associate(&server).await;
    let mut lively = associate(&server).await;
    lively.write_all(&pdv(3, 3, &command(&[(0x0100, &[0x30, 0]), (0x0110, &[1, 0])]))).await.unwrap();
    assert_eq!(status(receive(&mut lively).await), 0);
    aborted(&mut never_speaks).await;
    aborted(&mut half_a_pdu).await;
    aborted(&mut idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_dribbles_is_cut_when_its_pdu_is_due_and_others_are_served_meanwhile() {
    let mut impatient = config();
    impatient.pdu_timeout = Duration::from_millis(500);
    impatient.max_associations = 3;
    let server = start(impatient).await;
    let mut lively = associate(&server).await;
    let message = [pdv(1, 3, &store_request()), pdv(1, 2, &data_set(SOP, 5_000))].concat();
    let dribbles = [(connect(&server).await, association_request()), (associate(&server).await, message)];
    let cut = dribbles.map(|(socket, bytes)| {
        tokio::spawn(async move {
            let (mut read, mut write) = socket.into_split();
            // A byte every 50 ms, far below the time that a PDU has: only the whole of it is late.
            let dribbling = tokio::spawn(async move {
                for byte in bytes {
                    if write.write_all(&[byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            let mut heard = Vec::new();
            let ended = timeout(Duration::from_secs(5), read.read_to_end(&mut heard)).await;
            dribbling.abort();
            (ended.is_ok(), heard)
        })
    });
    for _ in 0..20 {
        lively.write_all(&pdv(3, 3, &command(&[(0x0100, &[0x30, 0]), (0x0110, &[1, 0])]))).await.unwrap();
        assert_eq!(status(timeout(Duration::from_millis(500), receive(&mut lively)).await.expect("at once")), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for cut in cut {
        let (ended, heard) = cut.await.unwrap();
        // Cut by an A-ABORT, or by the reset that bytes still on their way make of it.
        assert!(ended && (heard.is_empty() || heard[0] == 7), "{heard:?}");
    }
    // Both places are free again, each as soon as the server has seen the end of its peer.
    let mut again = Vec::new();
    for _ in 0..100 {
        let mut socket = connect(&server).await;
        socket.write_all(&association_request()).await.unwrap();
        if matches!(receive(&mut socket).await, Some(Pdu::AssociationAC(_))) {
            again.push(socket);
        }
        if again.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((again.len(), server.kept()), (2, 0));
}

fn store() -> Vec<u8> {
    [pdv(1, 3, &store_request()), pdv(1, 2, &data_set(SOP, 10))].concat()
}

fn echo() -> Vec<u8> {
    let request =
        command(&[(0x0002, b"1.2.840.10008.1.1\0"), (0x0100, &[0x30, 0]), (0x0110, &[9, 0]), (0x0800, &[1, 1])]);
    pdv(3, 3, &request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn associations_that_wait_for_a_disk_hold_up_no_other() {
    let mut patient = config();
    patient.shutdown_grace = Duration::from_millis(100);
    let mut server = start(patient).await;
    let recorder = Arc::clone(&server.recorder);
    recorder.stuck.store(true, Ordering::Relaxed);
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut socket = associate(&server).await;
        socket.write_all(&store()).await.unwrap();
        waiting.push(socket);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut other = associate(&server).await;
    other.write_all(&echo()).await.unwrap();
    assert_eq!((status(receive(&mut other).await), server.kept()), (0, 0));
    recorder.stuck.store(false, Ordering::Relaxed);
    for socket in &mut waiting {
        assert_eq!(status(receive(socket).await), 0);
    }
    assert!(recorder.kept.lock().unwrap().iter().all(|instance| instance.may_block));
    // Nor is the end of the server held up by a disk that never answers.
    recorder.stuck.store(true, Ordering::Relaxed);
    other.write_all(&store()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop();
    timeout(Duration::from_secs(5), &mut server.task).await.expect("the grace has an end").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_associations_than_threads_are_served_all_the_same() {
    let mut many = config();
    many.max_associations = 80;
    let server = start(many).await;
    let mut sockets = Vec::new();
    for _ in 0..70 {
        sockets.push(associate(&server).await);
    }
    for socket in &mut sockets {
        socket.write_all(&store()).await.unwrap();
        assert_eq!(status(receive(socket).await), 0);
    }
    let on_own_thread = |server: &Running| {
        let kept = server.recorder.kept.lock().unwrap();
        kept.iter().filter(|instance| instance.may_block).count()
    };
    assert_eq!((server.kept(), on_own_thread(&server)), (70, 64));
    // Threads that are free again are taken by others.
    drop(sockets);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut again = associate(&server).await;
    again.write_all(&store()).await.unwrap();
    assert_eq!((status(receive(&mut again).await), on_own_thread(&server)), (0, 65));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_association_too_many_is_told_to_come_back_later() {
    let mut few = config();
    few.max_associations = 2;
    let server = start(few).await;
    let first = associate(&server).await;
    let _second = associate(&server).await;
    let mut third = connect(&server).await;
    third.write_all(&association_request()).await.unwrap();
    let rejection = receive(&mut third).await;
    assert!(matches!(&rejection, Some(Pdu::AssociationRJ(_))), "{rejection:?}");
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    associate(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_cuts_idle_associations_at_once_and_a_stuck_one_after_the_grace() {
    let mut patient = config();
    patient.shutdown_grace = Duration::from_millis(500);
    let mut server = start_with(patient, Duration::from_mins(1)).await;
    let mut idle = associate(&server).await;
    let mut stuck = associate(&server).await;
    stuck.write_all(&[pdv(1, 3, &store_request()), pdv(1, 2, &data_set(SOP, 10))].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop();
    aborted(&mut idle).await;
    timeout(Duration::from_secs(3), &mut server.task).await.expect("the grace has an end").unwrap();
    assert!(receive(&mut stuck).await.is_none(), "nobody heard success");
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_known_callers() {
    let recorder = start(config()).await.recorder;
    let mut open = config();
    open.address = "0.0.0.0:0".parse().unwrap();
    let error = Scp::bind(open.clone(), Services::storing(recorder.clone())).await.err().expect("refused");
    assert!(matches!(error, BindError::OpenToAnybody(_)));
    assert!(error.to_string().contains("Configure [[peers]]"), "{error}");
    let peers = vec![hilum_dimse::Peer::new("CT1".parse().unwrap(), "127.0.0.1", 104)];
    open.callers = hilum_dimse::Callers::Known { peers, check_host: true };
    Scp::bind(open, Services::storing(recorder)).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_bring_the_server_down(noise in proptest::collection::vec(any::<u8>(), 1..400), kind in 0u8..8, associated: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let server = start(config()).await;
            let mut socket = if associated { associate(&server).await } else { connect(&server).await };
            let mut bytes = vec![kind, 0];
            bytes.extend((noise.len() as u32).to_be_bytes());
            bytes.extend(&noise);
            // The server may abort before it has taken all of it.
            if socket.write_all(&bytes).await.is_ok() && socket.shutdown().await.is_ok() {
                let mut answer = Vec::new();
                let answered = timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
                assert!(answered.is_ok(), "the server neither answers nor closes");
            }
            associate(&server).await;
            assert!(!server.task.is_finished());
        });
    }
}
