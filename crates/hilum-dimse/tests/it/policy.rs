//! Who may call, and for what.

use std::sync::Arc;

use hilum_dimse::{Allowed, Callers, Level, Peer, Scu, ScuConfig, ScuError};

use crate::{
    archive::{Archive, STUDY_UID, serve},
    dcmtk::{dcmtk_is_here, run},
    server::config,
    user::question,
};

pub fn known(peers: Vec<Peer>, check_host: bool) -> hilum_dimse::ScpConfig {
    let mut strict = config();
    strict.callers = Callers::Known { peers, check_host };
    strict
}

pub fn caller(title: &str, host: &str, allowed: Allowed) -> Peer {
    Peer { allowed, ..Peer::new(title.parse().unwrap(), host, 104) }
}

pub fn scu(title: &str) -> Scu {
    Scu::new(ScuConfig::new(title.parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_caller_is_rejected_and_a_known_one_gets_what_it_is_allowed() {
    let store_only = Allowed { store: true, ..Allowed::NONE };
    let peers = vec![caller("CT1", "127.0.0.1", store_only), caller("VIEWER", "127.0.0.1", Allowed::ALL)];
    let archive = Arc::new(Archive::with(1));
    let server = serve(known(peers, true), &archive).await;
    let hilum = Peer::new("HILUM".parse().unwrap(), "127.0.0.1", server.address.port());

    let error = scu("STRANGER").echo(&hilum).await.unwrap_err();
    assert!(matches!(error, ScuError::Rejected { transient: false, .. }), "{error}");
    assert!(error.to_string().ends_with("it does not recognise our AE title"), "{error}");

    let asked = question(Level::Study, &[(STUDY_UID, "")]);
    scu("CT1").echo(&hilum).await.unwrap();
    let refused = scu("CT1").find(&hilum, &asked).await.err();
    assert!(matches!(refused, Some(ScuError::NotOffered(_))), "{refused:?}");
    let report = scu("CT1").store(&hilum, &archive.files.instances(), &archive.files, |_, _| {}).await;
    assert!(report.is_complete());
    assert!(scu("VIEWER").find(&hilum, &asked).await.unwrap().next().await.unwrap().is_ok());

    if dcmtk_is_here() {
        let call = |title: &str| vec!["-v".to_owned(), "-aet".into(), title.into(), "127.0.0.1".into(), server.port()];
        let output = run("echoscu", call("STRANGER")).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("Calling AE Title Not Recognized"), "{told}");
        assert!(run("echoscu", call("CT1")).await.status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_title_from_another_machine_is_rejected_where_hosts_are_checked() {
    let elsewhere = vec![caller("CT1", "127.0.0.2", Allowed::ALL)];
    for (check_host, expected) in [(true, false), (false, true)] {
        let server = serve(known(elsewhere.clone(), check_host), &Arc::new(Archive::default())).await;
        let hilum = Peer::new("HILUM".parse().unwrap(), "127.0.0.1", server.address.port());
        assert_eq!(scu("CT1").echo(&hilum).await.is_ok(), expected);
    }
}
