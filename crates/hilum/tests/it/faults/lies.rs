//! Lengths that lie, and a data set that inflates without end.

use super::wire::{CT, DEFLATED_CONTEXT, SERIES, STUDY, associate, data_set, get, header, kept, sop, store, stow};
use crate::program::{NO_REPORTS, Server, assert_sound};

/// What the program may take at most beside what it takes at rest, MiB.
const ROOM_MIB: u64 = 64;
/// Peers that send the bomb at the same time.
const PEERS: u64 = 4;
/// One data set may inflate to 1 GiB before it is refused; the others wait for it at 64 MiB, and with the bomb itself.
const INFLATED_MIB: u64 = 1024 + PEERS * (64 + 16) + ROOM_MIB;

#[tokio::test]
async fn lengths_that_lie_are_refused_without_the_memory_that_they_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, NO_REPORTS);
    let mut socket = associate(&server.dimse).await;
    assert_eq!(store(&mut socket, 3, 0, &data_set(0, 16)).await, 0);
    let at_rest = server.peak_memory_mib();
    let explicit = |tag: [u8; 4], vr: &[u8; 2], length: u32, value: &[u8]| {
        [&tag[..], vr, &[0, 0], &length.to_le_bytes(), value].concat()
    };
    let pixels = |length: u32, value: &[u8]| explicit([0xE0, 0x7F, 0x10, 0x00], b"OW", length, value);
    let sequence = |length: u32, value: &[u8]| explicit([0x40, 0x00, 0x75, 0x02], b"SQ", length, value);
    let item = |length: u32| [&[0xFE, 0xFF, 0x00, 0xE0][..], &length.to_le_bytes()].concat();
    for (context, lie, bytes) in [
        (3, "a short element that reaches beyond the end", b"\x30\x00\x10\x00LO\xFE\xFFabc".to_vec()),
        (3, "a long element of 4 GiB", explicit([0x40, 0, 0x75, 3], b"UT", 0xFFFF_FFF0, b"abc")),
        (3, "pixel data of 4 GiB", pixels(0xFFFF_FFFE, &[0; 512])),
        (3, "pixel data that are cut short", pixels(512, &[0; 100])),
        (3, "a sequence that reaches beyond the end", sequence(0x7000_0000, &item(0))),
        (3, "a sequence that is never closed", sequence(u32::MAX, &item(0))),
        (3, "an item that is never closed", sequence(u32::MAX, &item(u32::MAX))),
        (7, "a fragment of 4 GiB", [pixels(u32::MAX, &item(0)), item(0xFFFF_FFF0), vec![0; 64]].concat()),
        (7, "fragments that are never closed", [pixels(u32::MAX, &item(0)), item(64), vec![0; 64]].concat()),
    ] {
        let status = store(&mut socket, context, 1, &[header(1, 16), bytes].concat()).await;
        assert!(matches!(status, 0xA900..=0xA9FF | 0xC000..=0xCFFF), "{lie}: {status:04X}");
    }
    // A lie inside a sequence whose own length is true harms nobody: it is kept as it came, and shown as the bytes that it is.
    let inside = sequence(8, &item(0xFFFF_FFF0));
    assert_eq!(store(&mut socket, 3, 2, &[header(2, 16), inside, pixels(512, &[0; 512])].concat()).await, 0);
    let instance = format!("/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{}", sop(2));
    let (status, metadata) = get(&server.http, &format!("{instance}/metadata")).await;
    assert_eq!((status, &metadata[0]["00400275"]["vr"]), (200, &"UN".into()), "{metadata}");
    assert_eq!(kept(&server.http).await.len(), 2);
    let taken = server.peak_memory_mib() - at_rest;
    assert!(taken < ROOM_MIB, "{taken} MiB");
    assert_eq!(server.signal("TERM"), Some(0));
    assert_eq!(assert_sound(&data), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deflated_data_set_that_inflates_without_end_is_refused_in_bounded_memory_at_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, NO_REPORTS);
    let mut socket = associate(&server.dimse).await;
    assert_eq!(store(&mut socket, 3, 0, &data_set(0, 16)).await, 0);
    let at_rest = server.peak_memory_mib();
    // 1.1 GiB of zeros, which deflate to 1 MiB.
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut deflated, &header(1, 16)).unwrap();
    std::io::Write::write_all(&mut deflated, &[0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF])
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1100 {
        std::io::Write::write_all(&mut deflated, &zeros).unwrap();
    }
    let bomb = deflated.finish().unwrap();
    let mut peers = tokio::task::JoinSet::new();
    for _ in 0..PEERS {
        let (dimse, bomb) = (server.dimse.clone(), bomb.clone());
        peers.spawn(async move { store(&mut associate(&dimse).await, DEFLATED_CONTEXT, 1, &bomb).await });
    }
    while let Some(status) = peers.join_next().await {
        let status = status.unwrap();
        assert!(matches!(status, 0xA900..=0xA9FF | 0xC000..=0xCFFF), "{status:04X}");
    }
    let syntax = hilum_dicom::TransferSyntaxUid::deflated_explicit_little_endian();
    let meta = hilum_dicom::part10::file_meta(&CT.parse().unwrap(), &sop(1).parse().unwrap(), &syntax);
    let file = [meta, bomb].concat();
    let (status, answer) = stow(&server.http, std::slice::from_ref(&file)).await;
    assert_eq!(status, 409, "{answer}");
    let taken = server.peak_memory_mib() - at_rest;
    println!("{} KiB of bomb: {taken} MiB of memory", file.len() >> 10);
    assert!(taken < INFLATED_MIB, "{taken} MiB");
    assert_eq!(kept(&server.http).await, [sop(0)]);
    assert_eq!(server.signal("TERM"), Some(0));

    let path = folder.path().join("bomb.dcm");
    std::fs::write(&path, file).unwrap();
    let imported =
        crate::program::command().args(["import", "--json", "--data"]).arg(&data).arg(&path).output().unwrap();
    crate::program::assert_code(&imported, 1);
    let summary: serde_json::Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert_eq!((&summary["kept"], summary["refused"].as_array().unwrap().len()), (&0.into(), 1), "{summary}");
    assert_eq!(assert_sound(&data), 1);
}
