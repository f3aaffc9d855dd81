//! docs/interop.md: what the peers' tools found, with their versions.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Context;

use super::Bench;
use crate::run;

/// Python packages that the checks call.
const PACKAGES: [&str; 6] = ["pydicom", "pynetdicom", "dicomweb-client", "highdicom", "dcmqi", "schemathesis"];

/// Packages of the interface's libraries that the checks call.
const LIBRARIES: [&str; 2] = ["@cornerstonejs/adapters", "dcmjs"];

/// Writes the page of a run in which every check passed.
pub fn write(bench: &Bench, passed: &[(&str, String)]) -> anyhow::Result<()> {
    let mut page = String::from(
        "# Interoperability\n\nThe built binary against tools that nobody here wrote. Written by `cargo xtask interop --write`; a check \
         that fails keeps the page from being written.\n\n",
    );
    writeln!(page, "Peers: {}.\n", versions(bench)?.join(", "))?;
    writeln!(page, "| check | what was found |\n|---|---|")?;
    for (name, said) in passed {
        writeln!(page, "| {} | {} |", cell(name), cell(said))?;
    }
    std::fs::write(run::root().join("docs/interop.md"), page)?;
    println!("docs/interop.md written");
    Ok(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*").replace('\n', " ")
}

fn versions(bench: &Bench) -> anyhow::Result<Vec<String>> {
    let dcmtk = run::output(Command::new("echoscu").arg("--version"))?;
    let dcmtk =
        dcmtk.split_whitespace().find(|word| word.starts_with('v')).unwrap_or("v?").trim_start_matches('v').to_owned();
    let mut versions = vec![format!("dcmtk {dcmtk}")];
    for package in PACKAGES {
        let script = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))";
        let version = run::output(Command::new(&bench.python).arg("-c").arg(script).arg(package))?;
        versions.push(format!("{package} {}", version.trim()));
    }
    for library in LIBRARIES {
        let about = std::fs::read(run::root().join("ui/node_modules").join(library).join("package.json"))?;
        let about: serde_json::Value = serde_json::from_slice(&about)?;
        versions.push(format!("{library} {}", about["version"].as_str().context("no version")?));
    }
    versions.push(format!("oidc-provider {}", crate::openid_peer::version()?));
    Ok(versions)
}
