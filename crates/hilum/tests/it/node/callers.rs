//! Who may call a running server.

use super::dcmtk;
use crate::program::Server;

#[test]
fn anybody_on_this_machine_may_call_until_peers_are_configured_and_then_only_they() {
    if !dcmtk::is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let echo = |server: &Server, title: &str| {
        let port = server.dimse.rsplit_once(':').unwrap().1;
        dcmtk::tool("echoscu", &["-v", "-aet", title, "127.0.0.1", port])
    };
    let open = Server::start(&folder.path().join("open"));
    assert!(echo(&open, "STRANGER").0.status.success());

    let peers = "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
                 [[peers]]\nae_title = \"CT2\"\nhost = \"127.0.0.2\"\nport = 104\n";
    let strict = Server::start_with(&folder.path().join("strict"), peers);
    assert!(echo(&strict, "CT1").0.status.success());
    for title in ["STRANGER", "CT2"] {
        let (output, said) = echo(&strict, title);
        assert!(!output.status.success());
        // PS3.8 Table 9-21: result 1, source 1, reason 3.
        assert!(said.contains("Result: Rejected Permanent, Source: Service User"), "{said}");
        assert!(said.contains("Calling AE Title Not Recognized"), "{said}");
    }
    let relaxed = Server::start_with(&folder.path().join("relaxed"), &format!("check_host = false\n{peers}"));
    assert!(echo(&relaxed, "CT2").0.status.success());
    let anybody = Server::start_with(&folder.path().join("anybody"), &format!("callers = \"anybody\"\n{peers}"));
    assert!(echo(&anybody, "STRANGER").0.status.success());
}

#[test]
fn a_peer_gets_the_services_it_is_allowed() {
    if !dcmtk::is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let peers =
        "[[peers]]\nae_title = \"VIEWER\"\nhost = \"127.0.0.1\"\nport = 104\nallowed = [\"find\", \"retrieve\"]\n";
    let server = Server::start_with(&folder.path().join("data"), peers);
    let port = server.dimse.rsplit_once(':').unwrap().1;
    let slice = crate::program::small_study(folder.path(), 31).join("series-1/000001.dcm");
    let (output, said) =
        dcmtk::tool("storescu", &["-v", "-aet", "VIEWER", "127.0.0.1", port, &slice.display().to_string()]);
    assert!(!output.status.success());
    assert!(said.contains("No Acceptable Presentation Contexts") || said.contains("No presentation context"), "{said}");
}
