//! Embeds the shipped model, when the repository has one, so that the binary runs alone.

use std::path::{Path, PathBuf};
use std::{env, fs};

const FILES: [&str; 3] = ["model.toml", "weights.safetensors", "model.onnx"];

fn main() {
    // Asked for when it runs: what it was compiled with may be another checkout that shared the target folder.
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for build scripts");
    let shipped = Path::new(&here).join("../../models/urinary-stone");
    println!("cargo::rerun-if-changed={}", shipped.display());
    let files: Vec<PathBuf> = FILES.iter().map(|name| shipped.join(name)).collect();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let code = if files.iter().all(|file| file.is_file()) {
        let included: Vec<String> =
            files.iter().map(|file| format!("include_bytes!(r\"{}\")", file.display())).collect();
        format!("Some([{}])", included.join(", "))
    } else {
        "None".to_owned()
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    fs::write(out.join("shipped_model.rs"), code).expect("OUT_DIR is writable");
}
