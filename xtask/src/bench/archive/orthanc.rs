//! The peer: Orthanc from Debian, with its default SQLite index and synchronised storage.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::ports::free_address;
use crate::run;

/// `Orthanc 1.10.1`, when it is installed.
pub fn version() -> Option<String> {
    run::exists("Orthanc")
        .then(|| run::output(Command::new("Orthanc").arg("--version")).ok())?
        .and_then(|text| text.lines().next().map(str::to_owned))
}

const DICOMWEB: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// Its DICOMweb plug-in is a Debian package of its own.
pub fn has_dicomweb() -> bool {
    Path::new(DICOMWEB).exists()
}

/// A running Orthanc, gone when dropped.
pub struct Orthanc {
    child: Child,
    /// Where it answers DICOM.
    pub dimse: SocketAddr,
    /// Where it answers HTTP.
    pub http: SocketAddr,
}

impl Orthanc {
    /// Starts it on a folder of its own.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (http, dimse) = (free_address(), free_address());
        let plugins: Vec<&str> = if has_dicomweb() { vec![DICOMWEB] } else { Vec::new() };
        let configuration = serde_json::json!({
            "Name": "ORTHANC", "DicomAet": "HILUM", "StorageDirectory": folder.join("db"), "IndexDirectory": folder.join("db"),
            "HttpPort": http.port(), "DicomPort": dimse.port(), "RemoteAccessAllowed": false, "DicomAlwaysAllowStore": true,
            "SyncStorageArea": true, "DicomThreadsCount": 4, "Plugins": plugins,
            "AuthenticationEnabled": false, "KeepAlive": true, "TcpNoDelay": true, "DicomWeb": {"Enable": true, "Root": "/dicom-web/"},
        });
        let file = folder.join("orthanc.json");
        std::fs::write(&file, serde_json::to_string_pretty(&configuration)?)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let child = Command::new("Orthanc")
            .arg(&file)
            .env("TCP_NODELAY", "1")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("could not start Orthanc")?;
        let orthanc = Self { child, dimse, http };
        let start = Instant::now();
        while TcpStream::connect(orthanc.dimse).is_err() || TcpStream::connect(orthanc.http).is_err() {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("Orthanc did not listen within 30 s");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(orthanc)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        if self.child.kill().and_then(|()| self.child.wait()).is_err() {
            eprintln!("Orthanc could not be stopped");
        }
    }
}
