//! Connections that break.

use std::{collections::BTreeSet, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::wire::{
    RELEASE, associate, associate_request, data_set, echo_request, kept, multipart, part10, pdv, receive, sop, status,
    store_request, stow_head,
};
use crate::program::{NO_REPORTS, Server, assert_sound};

/// Where the peer goes away.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// So many bytes of the A-ASSOCIATE-RQ later.
    Request(usize),
    /// So many bytes after the A-ASSOCIATE-AC later.
    Message(usize),
    /// After the response, so many bytes of the A-RELEASE-RQ later.
    Answered(usize),
}

#[tokio::test]
async fn a_connection_cut_in_any_state_leaves_nothing_half_loses_nothing_acknowledged_and_frees_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, &format!("{NO_REPORTS}max_associations = 2\n"));
    // One of the two places is taken all the time, so that each cut must give back the other.
    let mut bystander = associate(&server.dimse).await;
    let request = associate_request();
    let message = |number: usize| {
        let bytes = data_set(number, 64);
        let (first, second) = bytes.split_at(5_000);
        [pdv(3, 3, &store_request(&sop(number))), pdv(3, 0, first), pdv(3, 2, second)]
    };
    let [command, first, second] = message(0).map(|part| part.len());
    let whole = command + first + second;
    let cuts = [
        Cut::Request(0),
        Cut::Request(3),
        Cut::Request(request.len() / 2),
        // The whole request, and nobody waits for the answer.
        Cut::Request(request.len()),
        Cut::Message(0),
        // In the header of the command's PDU, in the command, behind it.
        Cut::Message(3),
        Cut::Message(command / 2),
        Cut::Message(command),
        // In the header of the first PDU of data, in its data, between the two, in the second, before its last byte.
        Cut::Message(command + 4),
        Cut::Message(command + 9),
        Cut::Message(command + first / 2),
        Cut::Message(command + first),
        Cut::Message(command + first + second / 2),
        Cut::Message(whole - 1),
        // Everything is said; the response is not waited for.
        Cut::Message(whole),
        Cut::Answered(0),
        Cut::Answered(4),
        Cut::Answered(RELEASE.len()),
    ];
    let (mut acknowledged, mut may_be_kept) = (BTreeSet::new(), BTreeSet::new());
    for (index, cut) in cuts.iter().enumerate() {
        for by_reset in [false, true] {
            let number = index * 2 + usize::from(by_reset);
            let bytes = message(number).concat();
            let mut socket = match cut {
                Cut::Request(length) => {
                    let mut socket = TcpStream::connect(&server.dimse).await.unwrap();
                    socket.write_all(&request[..*length]).await.unwrap();
                    socket
                }
                Cut::Message(_) | Cut::Answered(_) => associate(&server.dimse).await,
            };
            match cut {
                Cut::Request(_) => {}
                Cut::Message(length) => {
                    // UIDs of another length shift what lies where by a byte or two; the ends do not move.
                    let length = if *length >= whole - 1 { bytes.len() + length - whole } else { *length };
                    socket.write_all(&bytes[..length]).await.unwrap();
                    if length == bytes.len() {
                        may_be_kept.insert(sop(number));
                    }
                }
                Cut::Answered(length) => {
                    socket.write_all(&bytes).await.unwrap();
                    assert_eq!(status(&mut socket).await, 0);
                    acknowledged.insert(sop(number));
                    socket.write_all(&RELEASE[..*length]).await.unwrap();
                }
            }
            if by_reset {
                // What was said gets there first, as far as a reset lets it.
                tokio::time::sleep(Duration::from_millis(20)).await;
                socket.set_zero_linger().unwrap();
            }
            drop(socket);
        }
    }
    // A request of STOW-RS in whose second part the connection breaks.
    let body = multipart(&[part10(900, 64), part10(901, 64)]);
    let mut socket = TcpStream::connect(&server.http).await.unwrap();
    socket.write_all(stow_head(&server.http, body.len()).as_bytes()).await.unwrap();
    socket.write_all(&body[..body.len() - 2_000]).await.unwrap();
    drop(socket);
    may_be_kept.insert(sop(900));

    bystander.write_all(&pdv(1, 3, &echo_request())).await.unwrap();
    assert_eq!(status(&mut bystander).await, 0);
    bystander.write_all(&RELEASE).await.unwrap();
    assert_eq!(receive(&mut bystander).await.expect("an answer")[0], 6);
    for _ in 0..2 {
        associate(&server.dimse).await;
    }
    // After another start, so that nothing is on its way any more.
    assert_eq!(server.signal("TERM"), Some(0));
    let server = Server::start_with(&data, NO_REPORTS);
    let kept: BTreeSet<String> = kept(&server.http).await.into_iter().collect();
    assert!(acknowledged.is_subset(&kept), "lost: {:?}", acknowledged.difference(&kept));
    may_be_kept.extend(acknowledged);
    assert!(kept.is_subset(&may_be_kept), "half: {:?}", kept.difference(&may_be_kept));
    assert_eq!(server.signal("TERM"), Some(0));
    assert_eq!(assert_sound(&data), kept.len() as u64);
}
