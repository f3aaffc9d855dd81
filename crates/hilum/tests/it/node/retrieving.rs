//! C-MOVE and C-GET of the running server, asked by dcmtk.

use std::path::Path;

use super::{
    dcmtk::{self, Provider, free_port},
    site::{HONG, KIM, Site, dicom_files},
};
use crate::{
    faults::wire::associate_request,
    program::{Server, small_study},
};

fn dcmdump(file: &Path) -> String {
    dcmtk::tool("dcmdump", &["+L", &file.display().to_string()]).1
}

#[test]
fn a_study_is_given_out_by_get_and_moved_to_known_peers_only() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let destination = site.path().join("destination");
    std::fs::create_dir(&destination).unwrap();
    let port = free_port();
    let mut storescp = std::process::Command::new("storescp");
    storescp.args(["+xa", "-fe", ".dcm", "-od"]).arg(&destination).arg(port.to_string());
    let _storescp = Provider::start(storescp, port);

    let peers = format!(
        "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
         [[peers]]\nae_title = \"WORKSTATION\"\nhost = \"127.0.0.1\"\nport = {port}\n"
    );
    let server = Server::start_with(&site.data(), &peers);
    let (hong, kim) = (HONG.file(site.path()), KIM.file(site.path()));
    for file in [&hong, &kim] {
        assert!(server.receives("CT1", file).0);
    }
    let patient = ["-P", "-k", "0008,0052=PATIENT", "-k", "0010,0020=KR0001"];
    let call = |tool: &str, more: &[&str]| {
        let base = ["-v", "-aet", "CT1", "-aec", "HILUM", "127.0.0.1", server.dimse_port()];
        dcmtk::tool(tool, &[&base[..], &patient[..], more].concat())
    };
    let (output, said) = call("movescu", &["-aem", "WORKSTATION"]);
    assert!(output.status.success(), "{said}");
    assert_eq!(dicom_files(&destination), 1);

    let (_, said) = call("movescu", &["-aem", "NOWHERE"]);
    assert!(said.contains("MoveDestinationUnknown") || said.contains("a801"), "{said}");
    assert_eq!(dicom_files(&destination), 1);

    let got = site.path().join("got");
    std::fs::create_dir(&got).unwrap();
    let (output, said) = call("getscu", &["-od", &got.display().to_string()]);
    assert!(output.status.success(), "{said}");
    let got = walkdir::WalkDir::new(&got).into_iter().filter_map(Result::ok).find(|entry| entry.file_type().is_file());
    let got = got.expect("a file came");
    // The data set is the one that was sent.
    let data_set = |text: String| without_lengths(text.split_once("# Dicom-Data-Set").expect("a data set").1);
    assert!(data_set(dcmdump(got.path())) == data_set(dcmdump(&hong)));
}

/// The lines of a dump but for how the lengths of sequences are written, which another encoding changes.
fn without_lengths(dump: &str) -> Vec<String> {
    let is_delimiter = |line: &&str| line.contains("DelimitationItem");
    let plain =
        |line: &str| line.split_once(" length #").map_or(line, |(start, _)| start).replace("undefined", "explicit");
    dump.lines().filter(|line| !is_delimiter(line)).map(plain).collect()
}

#[test]
fn what_was_imported_without_file_meta_information_is_given_out_as_a_whole_object() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    std::fs::write(site.path().join("hilum.toml"), "").unwrap();
    let (hong, bare) = (HONG.file(site.path()), site.path().join("bare"));
    let (output, said) =
        dcmtk::tool("dcmconv", &["+ti", "-F", &hong.display().to_string(), &bare.display().to_string()]);
    assert!(output.status.success() && std::fs::read(&bare).unwrap()[..2] == [8, 0], "{said}");
    assert_eq!(site.json(&["import", &bare.display().to_string()])["kept"], 1);
    let server = Server::start_with(&site.data(), "");
    let got = site.path().join("got");
    std::fs::create_dir(&got).unwrap();
    let (output, said) = dcmtk::tool(
        "getscu",
        &[
            "-v",
            "-P",
            "-od",
            &got.display().to_string(),
            "-k",
            "0008,0052=PATIENT",
            "-k",
            "0010,0020=KR0001",
            "127.0.0.1",
            server.dimse_port(),
        ],
    );
    assert!(output.status.success(), "{said}");
    let file = std::fs::read_dir(&got).unwrap().next().expect("a file came").unwrap().path();
    let data_set = |file: &Path| {
        let said = dcmdump(file);
        let said = said.split_once("# Dicom-Data-Set\n").expect("a data set").1;
        without_lengths(said.split_once('\n').expect("its transfer syntax").1)
    };
    assert!(data_set(&file) == data_set(&hong));
}

#[test]
fn two_hundred_callers_at_once_are_served_or_told_to_come_back_and_a_stuck_one_keeps_nobody_waiting() {
    if !dcmtk::is_here() {
        return;
    }
    let site = Site::new();
    let server = Server::start_with(&site.data(), "max_associations = 256\n");
    // It begins an association and says nothing more.
    let mut stuck = std::net::TcpStream::connect(&server.dimse).unwrap();
    std::io::Write::write_all(&mut stuck, &[1, 0, 0, 0, 1, 0, 0, 1]).unwrap();
    let slice = small_study(site.path(), 52).join("series-1/000001.dcm");
    let taken = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200)
            .map(|number| {
                let (server, slice) = (&server, &slice);
                scope.spawn(move || {
                    if number % 10 == 0 {
                        return server.receives("CT1", slice).0;
                    }
                    dcmtk::tool("echoscu", &["-aec", "HILUM", "127.0.0.1", server.dimse_port()]).0.status.success()
                })
            })
            .collect();
        calls.into_iter().filter_map(|call| call.join().unwrap().then_some(())).count()
    });
    assert_eq!(taken, 200);
    drop(stuck);

    let few = Server::start_with(&site.path().join("few"), "max_associations = 1\n");
    // One that asks for nothing takes no place.
    let _silent = std::net::TcpStream::connect(&few.dimse).unwrap();
    let mut held = std::net::TcpStream::connect(&few.dimse).unwrap();
    std::io::Write::write_all(&mut held, &associate_request()).unwrap();
    let mut answer = [0];
    std::io::Read::read_exact(&mut held, &mut answer).unwrap();
    assert_eq!(answer, [2], "A-ASSOCIATE-AC");
    let (output, said) = dcmtk::tool("echoscu", &["-v", "-aec", "HILUM", "127.0.0.1", few.dimse_port()]);
    // PS3.8 Table 9-21: result 2, source 3, reason 2.
    assert!(!output.status.success() && said.contains("Rejected Transient"), "{said}");
    assert!(said.contains("Local Limit Exceeded"), "{said}");
    drop(held);
}
