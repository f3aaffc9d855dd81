//! Embeds the built user interface (`ui/dist`), each file beside its gzip form, as a static table.
//!
//! Without `ui/dist` a page that says how to build it is embedded instead: with a warning in development, and refused in a release
//! build unless `HILUM_ALLOW_NO_UI=1`.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

/// Below this a gzip form does not pay.
const WORTH_COMPRESSING: usize = 1024;

fn main() {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let dist = crate_dir.join("../../ui/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/no_ui.html");
    println!("cargo::rerun-if-env-changed=HILUM_ALLOW_NO_UI");
    // A path that is not there yet makes cargo look again at every build, so a UI built later is found.
    println!("cargo::rerun-if-changed={}", dist.display());

    let files = if dist.join("index.html").is_file() {
        files_below(&dist)
    } else {
        let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
        let allowed = env::var("HILUM_ALLOW_NO_UI").is_ok_and(|value| value == "1");
        if release && !allowed {
            println!(
                "cargo::error=ui/dist/index.html is missing: run `npm ci && npm run build` in ui/ (or `cargo xtask demo`); \
                 HILUM_ALLOW_NO_UI=1 builds without a user interface"
            );
        } else {
            println!("cargo::warning=ui/dist is missing: a page that says how to build it is embedded instead");
        }
        vec![("index.html".to_owned(), crate_dir.join("src/no_ui.html"))]
    };

    let mut table = String::from(
        "/// Every file of the user interface, in order of path.\npub(super) static FILES: &[File] = &[\n",
    );
    for (index, (path, source)) in files.iter().enumerate() {
        let content = fs::read(source).expect("a file of ui/dist can be read");
        let compressed = compress(&content).filter(|gzip| gzip.len() + 64 < content.len());
        let gzip = match compressed {
            Some(gzip) => {
                let at = out_dir.join(format!("{index}.gz")).display().to_string();
                fs::write(&at, gzip).expect("OUT_DIR can be written");
                format!("Some(include_bytes!({at:?}))")
            }
            None => "None".to_owned(),
        };
        let absolute = source.canonicalize().expect("the file was just read").display().to_string();
        writeln!(
            table,
            "    File {{ path: {path:?}, etag: \"\\\"{:016x}\\\"\", identity: include_bytes!({absolute:?}), gzip: {gzip} }},",
            fnv1a(&content),
        )
        .expect("writing to a String does not fail");
    }
    table.push_str("];\n");
    fs::write(out_dir.join("ui_files.rs"), table).expect("OUT_DIR can be written");
}

/// `(path with slashes, file)` of everything below a folder, in order.
fn files_below(folder: &Path) -> Vec<(String, PathBuf)> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("ui/dist can be listed"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let relative = entry.path().strip_prefix(folder).expect("it lies below the folder");
            let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            (parts.join("/"), entry.path().to_owned())
        })
        .collect()
}

fn compress(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("writing to a Vec does not fail");
    Some(encoder.finish().expect("writing to a Vec does not fail"))
}

/// FNV-1a, 64 bit: tells versions of a file apart, no more.
fn fnv1a(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
