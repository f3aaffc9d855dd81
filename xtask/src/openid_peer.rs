//! npm's oidc-provider: an OpenID provider for the checks, never part of the product.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::run;

const PACKAGE: &str = include_str!("../openid-peer/package.json");
const LOCK: &str = include_str!("../openid-peer/package-lock.json");
const SCRIPT: &str = include_str!("../openid-peer/provider.mjs");

/// The folder of the peer and its script, installed first when `install` says so; `None` when it is not there.
pub fn folder(install: bool) -> anyhow::Result<Option<PathBuf>> {
    let folder = run::target().join("openid-peer");
    let stamp = folder.join("installed.json");
    if !std::fs::read_to_string(&stamp).is_ok_and(|have| have == LOCK) {
        if !install {
            return Ok(None);
        }
        run::step("installing oidc-provider");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("package.json"), PACKAGE)?;
        std::fs::write(folder.join("package-lock.json"), LOCK)?;
        run::status(Command::new("npm").current_dir(&folder).args(["ci", "--no-audit", "--no-fund"]))?;
        std::fs::write(&stamp, LOCK)?;
    }
    std::fs::write(folder.join("provider.mjs"), SCRIPT)?;
    Ok(Some(folder))
}

/// The version that is pinned.
pub fn version() -> anyhow::Result<String> {
    let package: serde_json::Value = serde_json::from_str(PACKAGE)?;
    let version = package["dependencies"]["oidc-provider"].as_str();
    version.map(str::to_owned).context("package.json names no oidc-provider")
}
