//! dcmtk's programs: tools that run to their end, and providers that listen.

use std::{
    fmt::Write,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use crate::program::{err, out};

pub const TOOLS: &str =
    "echoscu, findscu, getscu, movescu, storescu, storescp, dcmqrscp, wlmscpfs, dump2dcm (Debian package dcmtk)";

/// Whether dcmtk is here; where the oracles are required it must be.
pub fn is_here() -> bool {
    let here = Command::new("dcmqrscp").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(here || std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "{TOOLS} are not installed");
    if !here {
        println!("SKIPPED: {TOOLS} are not installed");
    }
    here
}

/// Runs a tool; what it said on both streams.
pub fn tool(name: &str, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(name).args(arguments).output().expect("dcmtk's program starts");
    let said = out(&output) + &err(&output);
    (output, said)
}

pub fn free_port() -> u16 {
    crate::ports::free_address().port()
}

/// A provider that listens until it is dropped.
pub struct Provider {
    child: Child,
    pub port: u16,
}

impl Provider {
    pub fn start(mut command: Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("dcmtk's program starts");
        let provider = Self { child, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return provider;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("dcmtk's program does not listen");
    }

    /// dcmqrscp as the AE title PACS, which calls HILUM back at `hilum_port`.
    pub fn archive(folder: &Path, hilum_port: u16) -> Self {
        let port = free_port();
        let database = folder.join("pacs");
        fs::create_dir_all(&database).unwrap();
        let configuration = folder.join("dcmqrscp.cfg");
        let text = format!(
            "NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 32\n\
             HostTable BEGIN\nhilum = (HILUM, 127.0.0.1, {hilum_port})\nHostTable END\n\
             VendorTable BEGIN\nVendorTable END\n\
             AETable BEGIN\nPACS {} RW (200, 1024mb) ANY\nAETable END\n",
            database.display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new("dcmqrscp");
        command.arg("-c").arg(&configuration);
        Self::start(command, port)
    }

    /// wlmscpfs as the AE title RIS, with one worklist file for each text in dump form.
    pub fn worklist(folder: &Path, entries: &[String]) -> Self {
        let port = free_port();
        let database = folder.join("worklists");
        fs::create_dir_all(database.join("RIS")).unwrap();
        fs::write(database.join("RIS/lockfile"), "").unwrap();
        for (number, text) in entries.iter().enumerate() {
            worklist_file(&database.join("RIS"), number, text);
        }
        let mut command = Command::new("wlmscpfs");
        command.arg("-dfp").arg(&database).arg(port.to_string());
        Self::start(command, port)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().expect("the provider runs");
        self.child.wait().expect("the provider ends");
    }
}

/// A worklist file of a text in dump form.
pub fn worklist_file(folder: &Path, number: usize, text: &str) -> PathBuf {
    let (dump, file) = (folder.join(format!("{number}.dump")), folder.join(format!("{number}.wl")));
    fs::write(&dump, text).unwrap();
    let (output, said) = tool("dump2dcm", &[&dump.display().to_string(), &file.display().to_string()]);
    assert!(output.status.success(), "{said}");
    fs::remove_file(dump).unwrap();
    file
}

/// An order in dump form, in UTF-8.
pub fn order(accession: &str, name: &str, patient_id: &str, date: &str, modality: &str) -> String {
    let mut text = String::new();
    for line in [
        "(0008,0005) CS [ISO_IR 192]".to_owned(),
        format!("(0008,0050) SH [{accession}]"),
        format!("(0010,0010) PN [{name}]"),
        format!("(0010,0020) LO [{patient_id}]"),
        "(0010,0030) DA [19700101]".to_owned(),
        "(0010,0040) CS [M]".to_owned(),
        format!("(0020,000d) UI [1.2.826.0.1.3680043.8.498.900.{}]", accession.trim_start_matches('A')),
        "(0032,1060) LO [CT KUB]".to_owned(),
        "(0040,0100) SQ (Sequence with explicit length #=1)".to_owned(),
        "(fffe,e000) na (Item with explicit length #=5)".to_owned(),
        format!("(0008,0060) CS [{modality}]"),
        "(0040,0001) AE [CT1]".to_owned(),
        format!("(0040,0002) DA [{date}]"),
        "(0040,0003) TM [093000]".to_owned(),
        "(0040,0007) LO [CT KUB low dose]".to_owned(),
        format!("(0040,0009) SH [S{accession}]"),
        "(fffe,e00d) na (ItemDelimitationItem)".to_owned(),
        "(fffe,e0dd) na (SequenceDelimitationItem)".to_owned(),
        format!("(0040,1001) SH [P{accession}]"),
    ] {
        writeln!(text, "{line}").unwrap();
    }
    text
}
