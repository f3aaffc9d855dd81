//! The peers' Python, an environment of its own, and how each process is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// Packages and versions of the peers. PyTorch is not among them: the Python Package Index has it for Linux only with gigabytes of CUDA packages,
/// without which it does not start. Where it is installed otherwise, `--python` names it.
const PACKAGES: &str = include_str!("../../../../crates/hilum-nn/benches/peers/peers.txt");
/// The program that speaks for them.
const SCRIPT: &str = "crates/hilum-nn/benches/peers/peers.py";

/// Who is measured beside us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Word by which the script knows it.
    pub word: &'static str,
    /// Name in the table.
    pub name: &'static str,
    /// Whether it computes in bf16.
    pub bf16: bool,
    /// Whether it trains.
    pub trains: bool,
    /// Whether it can be told to do without AVX-512.
    pub restricts: bool,
}

/// All peers.
pub const PEERS: &[Peer] = &[
    Peer { word: "pytorch", name: "PyTorch", bf16: false, trains: true, restricts: true },
    Peer { word: "pytorch-bf16", name: "PyTorch bf16", bf16: true, trains: true, restricts: true },
    Peer { word: "onnxruntime", name: "ONNX Runtime", bf16: false, trains: false, restricts: false },
    Peer { word: "openvino", name: "OpenVINO", bf16: false, trains: false, restricts: true },
    Peer { word: "openvino-bf16", name: "OpenVINO bf16", bf16: true, trains: false, restricts: true },
];

/// Variables that keep oneDNN (PyTorch, OpenVINO), PyTorch's own kernels and MKL to AVX2. ONNX Runtime has no such switch.
const AVX2_ONLY: &[(&str, &str)] = &[
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
    ("DNNL_MAX_CPU_ISA", "AVX2"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
];
/// A user's settings with these beginnings would tune or throttle a peer.
const FOREIGN: &[&str] = &["OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "OV_", "MALLOC_"];

fn folder() -> PathBuf {
    run::target().join("peers-nn")
}

/// The peers' Python, if there; `install` makes it first.
pub fn python(install: bool) -> anyhow::Result<Option<PathBuf>> {
    let python = folder().join("bin/python");
    let stamp = folder().join("packages.txt");
    let current = std::fs::read_to_string(&stamp).is_ok_and(|have| have == PACKAGES);
    if install && !(current && python.is_file()) {
        run::step("installing ONNX Runtime and OpenVINO into a virtual environment");
        run::status(Command::new("python3").args(["-m", "venv"]).arg(folder()))?;
        let list = folder().join("requirements.txt");
        std::fs::write(&list, PACKAGES)?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run::status(Command::new(&python).args(pip).arg(&list))?;
        std::fs::write(stamp, PACKAGES)?;
    }
    Ok(python.is_file().then_some(python))
}

/// The script with a user's own tuning taken from the environment.
pub fn script(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(run::root().join(SCRIPT));
    for (name, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|begin| name.to_string_lossy().starts_with(begin)) {
            command.env_remove(name);
        }
    }
    command
}

impl Peer {
    /// The command that measures it on an exported row.
    pub fn command(&self, python: &Path, export: &Path, threads: usize, avx2_only: bool) -> Command {
        let mut command = script(python);
        command.args(["run", self.word]).arg(export).arg(threads.to_string());
        if avx2_only {
            command.envs(AVX2_ONLY.iter().copied());
        }
        command
    }
}
