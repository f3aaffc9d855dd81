//! The network node against its peers' tools: who may call, queries, retrievals, commitment, worklist, TLS, forwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::checks::{Check, dicom_files, phantom, real};
use super::{Bench, Server};
use crate::ports::free_address;
use crate::run;

/// Every check of the network node.
pub const ALL: &[(&str, Check)] = &[
    ("pynetdicom finds by Korean names, wild cards, ranges and lists, and fuzzily where agreed", pynetdicom_queries),
    ("dcmtk finds, moves to a known peer alone, and gets, byte for byte", dcmtk_retrieves),
    ("pynetdicom gets what it sent committed to, and the rest refused with its reason", pynetdicom_commits),
    ("dcmtk finds imported orders on the modality worklist", dcmtk_worklist),
    ("an unknown caller is rejected with the right result, source and reason", unknown_caller),
    ("200 associations at once are served while another peer hangs", many_callers),
    ("dcmtk speaks TLS with the node, and another certificate than its own is refused", dcmtk_tls),
    ("every conformance file goes in by C-STORE and comes back byte for byte, or is refused by name", conformance),
    ("hilum queries and retrieves from dcmqrscp, and what comes goes on to storescp", fetched_and_forwarded),
];

const PEERS: &str = "[[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\n\
                     [[peers]]\nae_title = \"VIEWER\"\nhost = \"127.0.0.1\"\nport = 104\nallowed = [\"find\", \"retrieve\"]\n";

fn python(bench: &Bench, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let said = run::output(Command::new(&bench.python).arg("-c").arg(script).args(arguments))?;
    Ok(said.trim().to_owned())
}

/// Files of three patients with Korean names.
fn patients(bench: &Bench) -> anyhow::Result<Vec<PathBuf>> {
    let folder = bench.scratch.join("korean");
    if !folder.is_dir() {
        let slice = dicom_files(&phantom(bench)?).into_iter().next().context("no slice")?;
        fs::create_dir_all(&folder)?;
        python(bench, include_str!("peers/make.py"), &[&slice.display().to_string(), &folder.display().to_string()])?;
    }
    Ok(dicom_files(&folder))
}

fn address(server: &Server) -> [String; 2] {
    [server.dimse.ip().to_string(), server.dimse.port().to_string()]
}

fn storescu(server: &Server, files: &[PathBuf]) -> anyhow::Result<()> {
    run::output(Command::new("storescu").args(["-aet", "CT1", "-aec", "HILUM"]).args(address(server)).args(files))?;
    Ok(())
}

/// A server that knows CT1 and VIEWER, with the three patients.
fn filled(bench: &Bench, name: &str, configuration: &str) -> anyhow::Result<Server> {
    let server = Server::start_configured(bench, &bench.scratch.join(name), configuration)?;
    storescu(&server, &patients(bench)?)?;
    Ok(server)
}

fn pynetdicom_queries(bench: &Bench) -> anyhow::Result<String> {
    let server = filled(bench, "node-query", PEERS)?;
    let [host, port] = address(&server);
    python(bench, include_str!("peers/query.py"), &[&host, &port])
}

/// A peer's program that runs until it is dropped.
pub struct Program(Child);

impl Program {
    /// Starts it and waits until it listens.
    pub fn start(command: &mut Command, port: u16) -> anyhow::Result<Self> {
        let program = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(started.elapsed() < Duration::from_secs(10), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(program)
    }

    fn storescp(folder: &Path, port: u16) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        Self::start(
            Command::new("storescp").args(["+xa", "-fe", ".dcm", "-od"]).arg(folder).arg(port.to_string()),
            port,
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// What dcmdump says of a data set, without file meta information.
fn dump(file: &Path) -> anyhow::Result<String> {
    let dump = run::output(Command::new("dcmdump").arg("+L").arg(file))?;
    Ok(dump.split_once("# Dicom-Data-Set").context("no data set")?.1.to_owned())
}

fn dcmtk_retrieves(bench: &Bench) -> anyhow::Result<String> {
    let port = free_address().port();
    let (moved, got) = (bench.scratch.join("moved"), bench.scratch.join("got"));
    let _storescp = Program::storescp(&moved, port)?;
    let destination = format!("[[peers]]\nae_title = \"WORKSTATION\"\nhost = \"127.0.0.1\"\nport = {port}\n");
    let server = filled(bench, "node-retrieve", &(PEERS.to_owned() + &destination))?;
    let call = |tool: &str, more: &[&str]| {
        Command::new(tool)
            .args(["-v", "-P", "-aet", "VIEWER", "-aec", "HILUM"])
            .args(more)
            .args(address(&server))
            .args(["-k", "0008,0052=PATIENT", "-k", "0010,0020=KR0001"])
            .output()
    };
    let found = Command::new("findscu")
        .args(["-v", "-S", "-aet", "VIEWER", "-aec", "HILUM"])
        .args(address(&server))
        .args(["-k", "0008,0005=ISO_IR 192", "-k", "0008,0052=STUDY", "-k", "0010,0010=*길동*", "-k", "0010,0020"])
        .output()?;
    let said = String::from_utf8_lossy(&found.stdout).into_owned() + &String::from_utf8_lossy(&found.stderr);
    ensure!(said.contains("Hong^Gildong=洪^吉洞=홍^길동") && !said.contains("KR0002"), "findscu: {said}");
    ensure!(call("movescu", &["-aem", "WORKSTATION"])?.status.success(), "movescu failed");
    ensure!(dicom_files(&moved).len() == 1, "{} files were moved", dicom_files(&moved).len());
    let nowhere = call("movescu", &["-aem", "NOWHERE"])?;
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned() + &String::from_utf8_lossy(&nowhere.stdout);
    ensure!(said.contains("MoveDestinationUnknown"), "a move to nowhere: {said}");
    fs::create_dir_all(&got)?;
    ensure!(call("getscu", &["-od", &got.display().to_string()])?.status.success(), "getscu failed");
    let file = fs::read_dir(&got)?.next().context("nothing came")??.path();
    let sent = patients(bench)?.into_iter().next().context("no patient")?;
    ensure!(dump(&file)? == dump(&sent)?, "the data set is not the one that was sent");
    Ok("1 study found by *길동*, moved, got".into())
}

fn pynetdicom_commits(bench: &Bench) -> anyhow::Result<String> {
    let server = Server::start_configured(bench, &bench.scratch.join("node-commit"), PEERS)?;
    let files: Vec<String> = patients(bench)?.iter().map(|file| file.display().to_string()).collect();
    let [host, port] = address(&server);
    let arguments: Vec<&str> = [&host, &port].into_iter().chain(&files).map(String::as_str).collect();
    python(bench, include_str!("peers/commit.py"), &arguments)
}

fn dcmtk_worklist(bench: &Bench) -> anyhow::Result<String> {
    let data = bench.scratch.join("node-worklist");
    let (dump, file) = (bench.scratch.join("order.dump"), bench.scratch.join("order.wl"));
    fs::write(&dump, include_str!("peers/order.dump"))?;
    run::status(Command::new("dump2dcm").arg(&dump).arg(&file))?;
    for expected in ["1 new orders", "1 as before"] {
        let said = run::output(Command::new(&bench.hilum).arg("worklist-import").arg(&file).arg("--data").arg(&data))?;
        ensure!(said.contains(expected), "{said}");
    }
    let server = Server::start_configured(bench, &data, PEERS)?;
    let found = |key: &str| -> anyhow::Result<usize> {
        let output = Command::new("findscu")
            .args(["-v", "-W", "-aet", "CT1", "-aec", "HILUM"])
            .args(address(&server))
            .args(["-k", "0008,0005=ISO_IR 192", "-k", "0010,0020", "-k", key])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("Find Response (Success)"), "{said}");
        Ok(said.matches("(Pending)").count())
    };
    for (key, expected) in [
        ("0010,0010=*길동*", 1),
        ("(0040,0100)[0].0008,0060=CT", 1),
        ("(0040,0100)[0].0040,0002=20261126", 1),
        ("(0040,0100)[0].0008,0060=MR", 0),
    ] {
        let count = found(key)?;
        ensure!(count == expected, "{key} found {count}, expected {expected}");
    }
    Ok("an order imported twice is one".into())
}

fn unknown_caller(bench: &Bench) -> anyhow::Result<String> {
    let server = Server::start_configured(bench, &bench.scratch.join("node-callers"), PEERS)?;
    let [host, port] = address(&server);
    let said = python(bench, include_str!("peers/callers.py"), &[&host, &port])?;
    // PS3.8 Table 9-21: rejected permanent, service user, calling AE title not recognised.
    ensure!(said == "result 1, source 1, reason 3", "{said}");
    Ok(said)
}

fn many_callers(bench: &Bench) -> anyhow::Result<String> {
    // All of them are one peer's, which has three quarters of the places.
    let configuration = format!("max_associations = 300\n{PEERS}");
    let server = Server::start_configured(bench, &bench.scratch.join("node-many"), &configuration)?;
    let file = patients(bench)?.into_iter().next().context("no patient")?.display().to_string();
    let [host, port] = address(&server);
    python(bench, include_str!("peers/many.py"), &[&host, &port, &file])
}

/// An authority, and a certificate of it for each of the names.
fn certificates(folder: &Path, names: &[(&str, &str)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let openssl =
        |arguments: &[&str]| run::output(Command::new("openssl").args(arguments).current_dir(folder)).map(drop);
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        &[&["req", "-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"][..], &ec]
            .concat(),
    )?;
    for (name, host) in names {
        fs::write(folder.join("san"), format!("subjectAltName={host}\n"))?;
        let (key, csr, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        openssl(&[&["req", "-new", "-subj", &subject, "-keyout", &key, "-out", &csr][..], &ec].concat())?;
        let signing =
            ["x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san"];
        openssl(&[&signing[..], &["-in", &csr, "-out", &pem]].concat())?;
    }
    Ok(())
}

fn dcmtk_tls(bench: &Bench) -> anyhow::Result<String> {
    let folder = bench.scratch.join("certificates");
    certificates(
        &folder,
        &[("hilum", "IP:127.0.0.1"), ("ct1", "DNS:ct1.example.org"), ("other", "DNS:other.example.org")],
    )?;
    let configuration = format!(
        "[tls]\ncertificate = \"{0}/hilum.pem\"\nkey = \"{0}/hilum.key\"\nauthorities = \"{0}/ca.pem\"\n\
         client_certificates = \"required\"\n\
         [[peers]]\nae_title = \"CT1\"\nhost = \"127.0.0.1\"\nport = 104\ncertificate = \"ct1.example.org\"\n",
        folder.display()
    );
    let server = Server::start_configured(bench, &bench.scratch.join("node-tls"), &configuration)?;
    let call = |tool: &str, certificate: &str, files: &[PathBuf]| {
        let path = |name: String| folder.join(name).display().to_string();
        Command::new(tool)
            .args(["-v", "-aet", "CT1", "-aec", "HILUM", "+tls"])
            .args([path(format!("{certificate}.key")), path(format!("{certificate}.pem"))])
            .args(["+cf", &path("ca.pem".into())])
            .args(address(&server))
            .args(files)
            .output()
    };
    ensure!(call("echoscu", "ct1", &[])?.status.success(), "echoscu over TLS failed");
    ensure!(call("storescu", "ct1", &patients(bench)?)?.status.success(), "storescu over TLS failed");
    let refused = call("echoscu", "other", &[])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    ensure!(said.contains("Calling AE Title Not Recognized"), "another certificate: {said}");
    let plain =
        Command::new("echoscu").args(["-to", "5", "-aet", "CT1", "-aec", "HILUM"]).args(address(&server)).output()?;
    ensure!(!plain.status.success(), "in the clear it was answered");
    Ok("3 instances over TLS".into())
}

/// How many of the conformance files are taken, and how many refused for what they are: another SOP class or instance than the
/// sender said, which is what their file meta information says (A900); no study, series or instance to belong to (C000); a SOP
/// class that is no storage.
const TAKEN: u64 = 295;
const REFUSED: [(&str, u64); 3] = [("A900", 16), ("C000", 17), ("no context", 8)];

fn conformance(bench: &Bench) -> anyhow::Result<String> {
    let Some(folder) = real("dicom-conformance")? else {
        return Ok("SKIPPED: no real data beside the repository".into());
    };
    let (mut same, mut refused) = (0, std::collections::BTreeMap::<String, u64>::new());
    for round in 0.. {
        let data = bench.scratch.join(format!("node-conformance-{round}"));
        let server = Server::start_configured(bench, &data, PEERS)?;
        let [host, port] = address(&server);
        let arguments = [host, port, folder.display().to_string(), round.to_string()];
        let arguments = arguments.each_ref().map(String::as_str);
        let report: serde_json::Value =
            serde_json::from_str(&python(bench, include_str!("peers/conformance.py"), &arguments)?)?;
        let count = |key: &str| report[key].as_u64().unwrap_or(0);
        ensure!(count("same") == count("kept"), "came back different: {}", report["different"]);
        same += count("same");
        for (reason, number) in report["refused"].as_object().into_iter().flatten() {
            *refused.entry(reason.clone()).or_default() += number.as_u64().unwrap_or(0);
        }
        // It writes reports while it runs.
        drop(server);
        fs::remove_dir_all(&data)?;
        if count("left") == 0 {
            break;
        }
    }
    let expected = REFUSED.map(|(reason, number)| (reason.to_owned(), number)).into();
    ensure!(same == TAKEN && refused == expected, "{same} the same, refused: {refused:?}");
    Ok(format!("{same} the same; refused: {refused:?}"))
}

/// dcmqrscp as PACS with the three patients, the node, and storescp as VNA.
fn fetched_and_forwarded(bench: &Bench) -> anyhow::Result<String> {
    let (pacs, vna) = (free_address().port(), free_address().port());
    let database = bench.scratch.join("pacs");
    fs::create_dir_all(&database)?;
    let dcmqrscp = bench.scratch.join("dcmqrscp.cfg");
    let text = format!(
        "NetworkTCPPort = {pacs}\nMaxPDUSize = 131072\nMaxAssociations = 16\nHostTable BEGIN\nHostTable END\n\
         VendorTable BEGIN\nVendorTable END\nAETable BEGIN\nPACS {} RW (200, 1024mb) ANY\nAETable END\n",
        database.display()
    );
    fs::write(&dcmqrscp, text)?;
    let _pacs = Program::start(Command::new("dcmqrscp").arg("-c").arg(&dcmqrscp), pacs)?;
    run::output(
        Command::new("storescu").args(["-aec", "PACS", "127.0.0.1", &pacs.to_string()]).args(patients(bench)?),
    )?;

    let configuration = format!(
        "[[peers]]\nae_title = \"PACS\"\nhost = \"127.0.0.1\"\nport = {pacs}\n\
         [[peers]]\nae_title = \"VNA\"\nhost = \"127.0.0.1\"\nport = {vna}\n\
         [[rules]]\ndescription = \"*kub*\"\nforward = [\"VNA\"]\n"
    );
    let data = bench.scratch.join("node-fetch");
    let mut server = Server::start_configured(bench, &data, &configuration)?;
    let hilum = |arguments: &[&str]| {
        run::output(
            Command::new(&bench.hilum)
                .args(arguments)
                .arg("--config")
                .arg(data.with_extension("toml"))
                .arg("--data")
                .arg(&data),
        )
    };
    hilum(&["echo", "PACS"])?;
    let found = hilum(&["query", "PACS", "--name", "*길동*", "--json"])?;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    ensure!(found[0]["00100010"]["Value"][0]["Phonetic"] == "홍^길동", "{found}");
    hilum(&["retrieve", "PACS", "--date", "20261101-20261130"])?;
    ensure!(server.studies()?.len() == 3, "{} studies came", server.studies()?.len());

    // Of the three one is to go on, to a peer that is not there yet; the server is killed meanwhile.
    ensure!(hilum(&["forwards", "--state", "waiting", "--json"])?.contains("\"VNA\""), "nothing is to go on");
    server.kill()?;
    let arrived = bench.scratch.join("vna");
    let _vna = Program::storescp(&arrived, vna)?;
    server = Server::start_configured(bench, &data, &configuration)?;
    hilum(&["forwards", "--retry"])?;
    server.wait(Duration::from_secs(30), "send on what it has", |_| Ok(dicom_files(&arrived).len() == 1))?;
    Ok("3 studies retrieved, 1 instance sent on after a kill".into())
}
