//! C-FIND of the running server, asked by dcmtk.

use super::{
    dcmtk,
    site::{HONG, KIM, PARK, Site},
};
use crate::program::Server;

/// A server with three patients.
fn filled(site: &Site, configuration: &str) -> Server {
    let server = Server::start_with(&site.data(), configuration);
    for made in [&HONG, &KIM, &PARK] {
        let (taken, said) = server.receives("CT1", &made.file(site.path()));
        assert!(taken, "{said}");
    }
    server
}

#[test]
fn every_kind_of_key_finds_what_it_should_at_every_level() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let server = filled(&site, "");
    let study = "0008,0052=STUDY";
    for (keys, expected) in [
        (&[study, "0010,0020"][..], 3),
        (&[study, "0010,0010=*홍*"], 1),
        (&[study, "0010,0010=홍^길동"], 1),
        (&[study, "0010,0010=洪*"], 1),
        (&[study, "0010,0010=hong^gildong"], 1),
        (&[study, "0010,0020=KR000?"], 3),
        (&[study, "0010,0020=KR0004"], 0),
        (&[study, "0008,0020=20261101-20261115"], 2),
        (&[study, "0008,0020=20261116-"], 1),
        (&[study, "0008,0020=-20261101"], 1),
        (&[study, "0008,0061=MR"], 1),
        (&[study, "0008,1030=*KUB*"], 1),
        (&[study, "0008,0050=A101"], 1),
        (&[study, "0008,0061=CT", "0008,0020=20261110-", "0010,0010=*영희*"], 1),
    ] {
        let found = server.finds("VIEWER", "-S", keys);
        assert_eq!(found.len(), expected, "{keys:?}: {found:?}");
    }
    let found = server.finds("VIEWER", "-P", &["0008,0052=PATIENT", "0010,0020=KR0002", "0010,0010"]);
    assert!(found.len() == 1 && found[0].contains("Kim^Younghee=金^英姬=김^영희"), "{found:?}");

    let uid_of = |text: &str, tag: &str| {
        let line = text.lines().find(|line| line.contains(tag)).expect("the attribute is returned");
        line.split(['[', ']']).nth(1).expect("a value").trim_end_matches('\0').to_owned()
    };
    let studies = server.finds("VIEWER", "-S", &[study, "0010,0020=KR000?", "0020,000d"]);
    let uids: Vec<String> = studies.iter().map(|found| uid_of(found, "(0020,000d)")).collect();
    let list = format!("0020,000d={}\\{}", uids[0], uids[2]);
    assert_eq!(server.finds("VIEWER", "-S", &[study, &list]).len(), 2);
    let one = format!("0020,000d={}", uids[0]);
    let series = server.finds("VIEWER", "-S", &["0008,0052=SERIES", &one, "0020,000e", "0008,0060"]);
    assert_eq!(series.len(), 1);
    for (key, expected) in [
        ("0040,0244=20261120", 1),
        ("0040,0244=20261121-", 0),
        ("0040,0275[0].0040,0009=STEP-KR000?", 1),
        ("0040,0275[0].0040,1001=KR0004", 0),
    ] {
        let found = server.finds("VIEWER", "-S", &["0008,0052=SERIES", &one, key]);
        assert_eq!(found.len(), expected, "{key}: {found:?}");
    }
    let whole = server.finds("VIEWER", "-S", &["0008,0052=SERIES", &one, "0040,0275"]);
    assert!(
        whole[0].contains("(0040,0009) SH [STEP-KR0003") && whole[0].contains("(0040,1001) SH [KR0003"),
        "{whole:?}"
    );
    let its = format!("0020,000e={}", uid_of(&series[0], "(0020,000e)"));
    assert_eq!(server.finds("VIEWER", "-S", &["0008,0052=IMAGE", &one, &its, "0008,0018"]).len(), 1);
}

#[test]
fn a_peer_finds_nothing_of_another_institution() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let peer = |title: &str, institution: &str| {
        format!(
            "[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = 104\ninstitution = \"{institution}\"\n"
        )
    };
    let server = filled(&site, &(peer("CT1", "SITE_A") + &peer("VIEWER_A", "SITE_A") + &peer("VIEWER_B", "SITE_B")));
    let keys = ["0008,0052=STUDY", "0010,0020"];
    assert_eq!(server.finds("VIEWER_A", "-S", &keys).len(), 3);
    assert_eq!(server.finds("VIEWER_B", "-S", &keys).len(), 0);
}
