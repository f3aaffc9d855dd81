//! An object of more bytes than memory should hold: 2.2 GB of frames, over each way in and out.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dicom_core::Tag;
use hilum_dicom::{DataSet, ObjectBytes, ReadAt, TransferSyntaxUid, part10::file_meta};
use hilum_dimse::{
    InformationModel, InstanceSource, LoadFuture, Peer, Question, ReceivedInstance, Scu, ScuConfig, StorageContext,
    StoreFuture, StoreHandler, StoreOutcome, StoredInstance,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{CT, SERIES, STUDY, header, http, sop};
use crate::program::{NO_REPORTS, Server, assert_sound, authorization};

const SIDE: u16 = 1024;
const FRAME: u64 = 2 * SIDE as u64 * SIDE as u64;
const FRAMES: u64 = 1_100;
const ROOM_MIB: u64 = 150;

/// The file of a multi-frame image, made as it is read.
struct Huge {
    head: Vec<u8>,
    size: u64,
}

impl Huge {
    fn new(number: usize, frames: u64) -> Self {
        let mut head = meta(number);
        let mut fields = DataSet::read(&header(number, SIDE), &TransferSyntaxUid::explicit_little_endian()).unwrap();
        fields.set(Tag(0x0028, 0x0008), frames.to_string());
        let utf8 = hilum_dicom::charset::SpecificCharacterSet::utf8();
        head.extend(fields.write(true, &utf8, hilum_dicom::data_set::Stated::Always).unwrap());
        head.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
        head.extend(((FRAME * frames) as u32).to_le_bytes());
        let size = head.len() as u64 + FRAME * frames;
        Self { head, size }
    }

    fn data_set_offset(&self, number: usize) -> u64 {
        assert!(self.head.starts_with(&meta(number)));
        meta(number).len() as u64
    }
}

fn meta(number: usize) -> Vec<u8> {
    file_meta(&CT.parse().unwrap(), &sop(number).parse().unwrap(), &TransferSyntaxUid::explicit_little_endian())
}

impl ReadAt for Huge {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let head = self.head.len() as u64;
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        bytes.extend(&self.head[range.start.min(head) as usize..range.end.min(head) as usize]);
        // Of each frame the first bytes are its own; the rest is one pattern.
        let mut at = range.start.max(head);
        while at < range.end {
            let (frame, inside) = ((at - head) / FRAME, (at - head) % FRAME);
            let end = range.end.min(head + (frame + 1) * FRAME);
            let filled = bytes.len();
            bytes.resize(filled + (end - at) as usize, 0x2A);
            let own = (frame as u32).to_le_bytes();
            for place in inside..(inside + (end - at)).min(4) {
                bytes[filled + (place - inside) as usize] = own[place as usize];
            }
            at = end;
        }
        Ok(bytes)
    }
}

struct Source(Arc<Huge>);

impl InstanceSource for Source {
    fn load<'a>(&'a self, _: &'a StoredInstance) -> LoadFuture<'a> {
        Box::pin(async { Ok(ObjectBytes::ByRange(Arc::clone(&self.0) as _)) })
    }
}

fn stored(number: usize) -> StoredInstance {
    StoredInstance {
        sop_class: CT.parse().unwrap(),
        sop: sop(number).parse().unwrap(),
        transfer_syntax: TransferSyntaxUid::explicit_little_endian(),
    }
}

fn digest_from(object: &ObjectBytes, from: u64) -> [u8; 32] {
    let mut digest = Sha256::new();
    object.pieces(from).for_each(|piece| digest.update(piece.unwrap()));
    digest.finalize().into()
}

/// Takes what comes and keeps its digest, and whether it came in a file.
#[derive(Default)]
struct Taken(Mutex<Vec<([u8; 32], bool)>>);

impl StoreHandler for Taken {
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_> {
        Box::pin(async move {
            let in_file = matches!(instance.part10, ObjectBytes::ByRange(_));
            let digest = digest_from(&instance.part10, instance.data_set_offset as u64);
            self.0.lock().unwrap().push((digest, in_file));
            StoreOutcome::Kept
        })
    }
}

/// STOW-RS of one part in chunks, without a length.
async fn stow_in_chunks(address: &str, object: &ObjectBytes) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: {address}\r\n{}Connection: close\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n\r\n",
        authorization(address)
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let start = std::iter::once("--b\r\nContent-Type: application/dicom\r\n\r\n".into());
    let end = std::iter::once("\r\n--b--\r\n".into());
    let sent = async {
        for piece in start.chain(object.pieces(0).map(Result::unwrap)).chain(end) {
            socket.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat()).await?;
        }
        socket.write_all(b"0\r\n\r\n").await
    };
    let sent = sent.await;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(sent.is_ok(), "the server answered before all was sent: {answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_2_gb_comes_and_goes_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, NO_REPORTS);
    let at_rest = server.peak_memory_mib();
    let started = Instant::now();
    let mut config = ScuConfig::new("FAULTS".parse().unwrap());
    config.spool_folder = folder.path().to_owned();
    config.response_timeout = Duration::from_mins(5);
    let scu = Scu::new(config);
    let (host, port) = server.dimse.rsplit_once(':').unwrap();
    let peer = Peer::new("HILUM".parse().unwrap(), host, port.parse().unwrap());
    let send = async |number: usize, object: &Arc<Huge>| {
        let report = scu.store(&peer, &[stored(number)], &Source(Arc::clone(object)), |_, _| {}).await;
        assert!(report.is_complete(), "{report:?}");
    };

    // In by C-STORE, and by STOW-RS in chunks without a length.
    let huge = Arc::new(Huge::new(1, FRAMES));
    assert!(huge.size > 2_200 << 20);
    send(1, &huge).await;
    let stored_after = started.elapsed();
    let other = Arc::new(Huge::new(2, 100));
    let answer = stow_in_chunks(&server.http, &ObjectBytes::ByRange(Arc::clone(&other) as _)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("00081199"), "{answer}");
    // The same object again, behind other file meta information, is not kept twice.
    send(2, &other).await;

    // Out by frame, and whole by C-GET.
    let address = &server.http;
    let path = format!("/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{}/frames/{}", sop(1), FRAMES);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{}Connection: close\r\nAccept: application/octet-stream\r\n\r\n",
        authorization(address)
    );
    let (status, frame) = http(&server.http, request.as_bytes()).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&frame[..frame.len().min(1000)]));
    assert_eq!((frame.len() as u64, &frame[..5]), (FRAME, &[0x4B, 0x04, 0, 0, 0x2A][..]), "frame 1,099 from 0");
    let taken = Taken::default();
    let mut keys = DataSet::new();
    keys.set(Tag(0x0020, 0x000D), STUDY).set(Tag(0x0020, 0x000E), SERIES).set(Tag(0x0008, 0x0018), sop(1));
    let question = Question {
        model: InformationModel::StudyRoot,
        level: Some(hilum_dicom::matching::Level::Image),
        keys,
        options: hilum_dicom::matching::QueryOptions::default(),
    };
    let storage = [StorageContext {
        sop_class: CT.parse().unwrap(),
        transfer_syntaxes: vec![TransferSyntaxUid::explicit_little_endian()],
    }];
    scu.retrieve(&peer, &question, &storage, &taken, std::future::pending(), |_| {}).await.unwrap();
    let expected = digest_from(&ObjectBytes::ByRange(Arc::clone(&huge) as _), huge.data_set_offset(1));
    assert_eq!(*taken.0.lock().unwrap(), [(expected, true)]);

    let memory = server.peak_memory_mib() - at_rest;
    println!("stored after {stored_after:?}, all after {:?}, {memory} MiB of memory", started.elapsed());
    assert!(memory < ROOM_MIB, "{memory} MiB");
    assert_eq!(server.signal("TERM"), Some(0));
    assert_eq!(assert_sound(&data), 2);
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{left:?}");
}
