//! Callers that take all they can get.

use std::time::{Duration, Instant};

use hilum_dimse::{Allowed, Peer, ScuError};
use tokio::io::AsyncWriteExt;

use crate::{
    misbehaviour::{associate, association_request, connect, receive},
    policy::{caller, known, scu},
    server::{config, start},
};

fn hilum(port: u16) -> Peer {
    Peer::new("HILUM".parse().unwrap(), "127.0.0.1", port)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ask_for_nothing_keep_no_peer_out() {
    let mut few = config();
    few.max_associations = 4;
    let server = start(few).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        let mut socket = connect(&server).await;
        // Half of them begin to ask.
        if silent.len() % 2 == 0 {
            socket.write_all(&association_request()[..20]).await.unwrap();
        }
        silent.push(socket);
    }
    let started = Instant::now();
    for _ in 0..4 {
        scu("CT1").echo(&hilum(server.address.port())).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(10), "nobody waits for those that are silent");
    // The first ones made room; the last ones may still ask.
    assert!(receive(&mut silent[0]).await.is_none());
    let last = silent.last_mut().unwrap();
    last.write_all(&association_request()).await.unwrap();
    assert!(receive(last).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_holds_all_that_it_gets_leaves_places_for_the_others() {
    let peers = vec![caller("RAW", "127.0.0.1", Allowed::ALL), caller("CT1", "127.0.0.1", Allowed::ALL)];
    let mut few = known(peers, true);
    few.max_associations = 4;
    let server = start(few).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(associate(&server).await);
    }
    let hilum = hilum(server.address.port());
    let error = scu("RAW").echo(&hilum).await.unwrap_err();
    // PS3.8 Table 9-21: rejected transient, service provider, local limit exceeded.
    assert!(matches!(error, ScuError::Rejected { transient: true, .. }), "{error}");
    assert!(error.to_string().ends_with("it has no association left"), "{error}");
    scu("CT1").echo(&hilum).await.unwrap();
    drop(held);
    let started = Instant::now();
    while scu("RAW").echo(&hilum).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "its places are free again");
    }
}
