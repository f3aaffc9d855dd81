//! A data folder, a configuration file, and the program run with both.

use std::path::{Path, PathBuf};

use super::dcmtk::{self, free_port};
use crate::program::{Server, assert_code, command, out, small_study};

/// A configuration of these peers, and what it is called with.
pub struct Site {
    folder: tempfile::TempDir,
    pub dimse: u16,
}

impl Site {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), dimse: free_port() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn knows(&self, title: &str, port: u16) {
        let text = format!(
            "dimse = \"127.0.0.1:{}\"\n[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = {port}\n",
            self.dimse
        );
        std::fs::write(self.path().join("hilum.toml"), text).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = command();
        command.args(arguments).arg("--config").arg(self.path().join("hilum.toml")).arg("--data").arg(self.data());
        command.output().unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert_code(&output, 0);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", out(&output)))
    }
}

pub fn dicom_files(folder: &Path) -> usize {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "dcm")).count()
}

/// What a made-up object says.
pub struct Made {
    pub name: &'static str,
    pub patient_id: &'static str,
    pub date: &'static str,
    pub modality: &'static str,
    pub description: &'static str,
    pub accession: &'static str,
}

pub const HONG: Made = Made {
    name: "Hong^Gildong=洪^吉洞=홍^길동",
    patient_id: "KR0001",
    date: "20261101",
    modality: "CT",
    description: "CT KUB low dose",
    accession: "A100",
};
pub const KIM: Made = Made {
    name: "Kim^Younghee=金^英姬=김^영희",
    patient_id: "KR0002",
    date: "20261115",
    modality: "CT",
    description: "CT Chest",
    accession: "A101",
};
pub const PARK: Made = Made {
    name: "Park^Jisung=朴^智星=박^지성",
    patient_id: "KR0003",
    date: "20261120",
    modality: "MR",
    description: "MR Brain",
    accession: "A102",
};

impl Made {
    /// A file of a study of its own below `folder`, made of a slice of a synthetic patient by dcmodify.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let slice = folder.join("slice");
        let slice = if slice.is_dir() { slice } else { small_study(&slice, 51).ancestors().nth(2).unwrap().to_owned() };
        let file = folder.join(format!("{}.dcm", self.patient_id));
        std::fs::copy(slice.join("study-000051/dicom/series-1/000001.dcm"), &file).unwrap();
        let set = [
            "(0008,0005)=ISO_IR 192".to_owned(),
            format!("(0010,0010)={}", self.name),
            format!("(0010,0020)={}", self.patient_id),
            format!("(0008,0020)={}", self.date),
            format!("(0008,0060)={}", self.modality),
            format!("(0008,1030)={}", self.description),
            format!("(0008,103e)={}", self.description),
            format!("(0008,0050)={}", self.accession),
            format!("(0040,0244)={}", self.date),
            format!("(0040,0275)[0].(0040,0009)=STEP-{}", self.patient_id),
            format!("(0040,0275)[0].(0040,1001)={}", self.patient_id),
        ];
        let file_name = file.display().to_string();
        let mut arguments = vec!["-nb", "-gst", "-gse", "-gin"];
        for value in &set {
            arguments.extend(["-i", value]);
        }
        arguments.push(&file_name);
        let (output, said) = dcmtk::tool("dcmodify", &arguments);
        assert!(output.status.success(), "{said}");
        file
    }

    /// Study Instance UID of the file that was made below `folder`.
    pub fn study_uid(&self, folder: &Path) -> String {
        let file = folder.join(format!("{}.dcm", self.patient_id)).display().to_string();
        let (output, said) = dcmtk::tool("dcmdump", &["-q", "-s", "+P", "0020,000d", &file]);
        assert!(output.status.success(), "{said}");
        said.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("a UID").0.to_owned()
    }
}

impl Server {
    pub fn dimse_port(&self) -> &str {
        self.dimse.rsplit_once(':').expect("an address").1
    }

    /// Sends a file as `title`; whether it was taken, and what storescu said.
    pub fn receives(&self, title: &str, file: &Path) -> (bool, String) {
        let file = file.display().to_string();
        let (output, said) =
            dcmtk::tool("storescu", &["-v", "-aet", title, "-aec", "HILUM", "127.0.0.1", self.dimse_port(), &file]);
        (output.status.success(), said)
    }

    /// findscu's matches: what it printed of each.
    pub fn finds(&self, title: &str, model: &str, keys: &[&str]) -> Vec<String> {
        let mut arguments = vec!["-v", model, "-aet", title, "-aec", "HILUM", "127.0.0.1", self.dimse_port()];
        arguments.extend(["-k", "0008,0005=ISO_IR 192"]);
        for key in keys {
            arguments.extend(["-k", key]);
        }
        let (output, said) = dcmtk::tool("findscu", &arguments);
        assert!(output.status.success() && said.contains("Received Final Find Response (Success)"), "{said}");
        said.split("Find Response: ")
            .skip(1)
            .filter(|response| response.contains("(Pending)"))
            .map(str::to_owned)
            .collect()
    }
}
