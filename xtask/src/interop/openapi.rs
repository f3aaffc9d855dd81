//! Schemathesis goes by the pinned OpenAPI document, and asks a running server everything that it allows and much that it does not.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::checks::{Check, READING_LIMIT, phantom, storescu};
use super::server::{PASSWORD, add_account, token_of};
use super::{Bench, Server};
use crate::run;

pub const ALL: &[(&str, Check)] =
    &[("the server keeps to its OpenAPI document, and refuses what breaks it (Schemathesis)", schemathesis)];

/// Makes up the same requests each time.
const SEED: u32 = 8;
/// Seconds for each caller: those requests come first that touch each constraint of the document once.
const SECONDS: u32 = 14;

/// Checks that are off, each with its reason; all others are on, as they are by default.
const OFF: &str = "\
[cache]
enabled = false

[checks]
# How long an answer takes is measured by `cargo xtask bench`, on a machine that does nothing else.
max_response_time = 600

[[operations]]
include-path = \"/wado\"
# PS3.18 9.1.2.1.4: center and width of a window go together, for which OpenAPI has no word; so one alone looks valid, and is refused.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path = \"/api/v1/links/use\"
# Which passwords are on the list of those that are guessed first, or too much like the login, no schema can say.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path = \"/api/v1/studies/{study_uid}/report/versions/{version}/sign\"
# The password or a code, and not both; and a list of one UID, which is no UID, looks like one in a path.
checks = { positive_data_acceptance = { enabled = false }, negative_data_rejection = { enabled = false } }

[[operations]]
include-path = \"/api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number}\"
# What is stated goes with the verdict that something is edited, and with no other; and a list of one UID as above.
checks = { positive_data_acceptance = { enabled = false }, negative_data_rejection = { enabled = false } }

[[operations]]
include-path = \"/api/v1/studies/{study_uid}/report/versions/{version}/review/findings/{number}/mask\"
# Which voxels a series has no schema can say; and a list of one UID as above.
checks = { positive_data_acceptance = { enabled = false }, negative_data_rejection = { enabled = false } }

[[operations]]
include-path = \"/api/v1/studies/{study_uid}/measurements\"
# How many points there are goes with what is measured.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path-regex = \"^/api/v1/studies/[^/]+/report/versions/\"
# A list of one UID as above.
checks = { negative_data_rejection = { enabled = false } }

[[operations]]
include-path-regex = \"^/dicom-web/workitems\"
# What a work item must say, and what its state allows, no schema can say.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path-regex = \"^/dicom-web/(ws/)?subscribers/\"
# A WebSocket is opened by headers that no document of OpenAPI states.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path = \"/api/v1/studies/search\"
# Where a page begins is told by the page before; no schema can say what that may be.
checks = { positive_data_acceptance = { enabled = false } }

[[operations]]
include-path = \"/api/v1/session/password\"
# The same.
checks = { positive_data_acceptance = { enabled = false } }
";

/// Who asks, with what, and what of the document.
struct Asker {
    name: &'static str,
    /// A table of the configuration.
    auth: String,
    only: &'static [&'static str],
}

fn schemathesis(bench: &Bench) -> anyhow::Result<String> {
    let data = bench.scratch.join("openapi");
    let mut server = Server::start(bench, &data)?;
    storescu(&server, &phantom(bench)?)?;
    server.settled(READING_LIMIT)?;
    let token = |login: &str, role: &str| {
        add_account(&bench.hilum, &data, login, &[role])?;
        let token = token_of(&bench.hilum, &data, login)?;
        anyhow::Ok(format!("[auth.openapi.bearer]\nbearer = \"{token}\"\n"))
    };
    // The last two would have nothing to look at, and what they delete the first one looks at.
    let askers = [
        // What changes is told without an end.
        Asker {
            name: "radiologist",
            auth: token("asks-as-radiologist", "radiologist")?,
            only: &["--exclude-path-regex", "^/api/v1/events"],
        },
        Asker {
            name: "administrator",
            auth: session(bench, &server)?,
            // Signing out would end the session that everything else needs; the radiologist's run does it.
            only: &[
                "--exclude-path-regex",
                "^/(dicom-web|wado|api/v1/events)",
                "--exclude-operation-id",
                "delete_api_v1_session",
            ],
        },
        Asker {
            name: "data steward",
            auth: token("asks-as-steward", "data_steward")?,
            only: &[
                "--include-path-regex",
                "^/dicom-web/(studies(/.study_uid.)?|workitems.*|subscribers.*)$|^/api/v1/audit$",
            ],
        },
    ];
    let mut said = Vec::new();
    for asker in &askers {
        said.push(format!("{} {}", asker.name, ask(bench, &server, &data, asker)?));
    }
    Ok(format!("requests: {}; none unexpected", said.join(", ")))
}

/// Of the account of the checks, who is an administrator, among others.
fn session(bench: &Bench, server: &Server) -> anyhow::Result<String> {
    let login = "asks-in-person";
    add_account(&bench.hilum, &bench.scratch.join("openapi"), login, &["administrator", "radiologist", "viewer"])?;
    let script = "
import json, sys, urllib.request
body = json.dumps({'login': sys.argv[2], 'password': sys.stdin.read()}).encode()
request = urllib.request.Request(sys.argv[1], body, {'Content-Type': 'application/json'})
answer = urllib.request.urlopen(request)
cookie = answer.headers['Set-Cookie'].split(';')[0].split('=')[1]
print(f\"[auth.openapi.session]\\napi_key = '{cookie}'\\n[auth.openapi.csrf]\\napi_key = '{json.load(answer)['csrf']}'\")
";
    let mut command = Command::new(&bench.python);
    command.args(["-c", script, &format!("http://{}/api/v1/session", server.http), login]);
    let password = bench.scratch.join("openapi-password");
    std::fs::write(&password, PASSWORD)?;
    run::output(command.stdin(std::fs::File::open(password)?))
}

/// Runs it, and says how many requests it made.
fn ask(bench: &Bench, server: &Server, data: &Path, asker: &Asker) -> anyhow::Result<u64> {
    let hooks = bench.scratch.join("schemathesis_hooks.py");
    std::fs::write(&hooks, include_str!("schemathesis_hooks.py"))?;
    let (status, found) = server.get("/dicom-web/instances?limit=1&includefield=0020000D,0020000E")?;
    ensure!(status == 200, "QIDO-RS answered {status}");
    let found: Value = serde_json::from_slice(&found)?;
    let uid = |tag: &str| found[0][tag]["Value"][0].as_str().context("no UID").map(str::to_owned);
    let (study, series, instance) = (uid("0020000D")?, uid("0020000E")?, uid("00080018")?);
    // Nobody of those who ask: it would end their own account.
    add_account(&bench.hilum, data, &format!("asked-about-{}", asker.name.replace(' ', "-")), &["viewer"])?;
    let users = run::output(Command::new(&bench.hilum).args(["user", "list", "--json", "--data"]).arg(data))?;
    let users: Value = serde_json::from_str(&users)?;
    let last = users.as_array().into_iter().flatten().filter_map(|user| user["id"].as_i64()).max();
    let mut configuration = format!("seed = {SEED}\nhooks = {:?}\n\n[parameters]\n", hooks.display().to_string());
    for (name, value) in [
        ("study_uid", study.as_str()),
        ("series_uid", series.as_str()),
        ("sop_uid", instance.as_str()),
        ("studyUID", study.as_str()),
        ("seriesUID", series.as_str()),
        ("objectUID", instance.as_str()),
        ("frames", "1"),
        ("file", "0.png"),
        ("workitem", "1.2.826.0.1.3680043.8.498.7"),
        ("ae_title", "PACS"),
        ("\"path.path\"", "7FE00010"),
    ] {
        writeln!(configuration, "{name} = \"{value}\"")?;
    }
    writeln!(configuration, "id = {}\n\n{}\n{OFF}", last.context("no account")?, asker.auth)?;
    let file = bench.scratch.join("schemathesis.toml");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new(&bench.python);
    command.current_dir(&bench.scratch).args(["-m", "schemathesis.cli", "--no-color", "--config-file"]).arg(&file);
    // It notes what failed beside the document.
    let document = bench.scratch.join("openapi.json");
    std::fs::copy(run::root().join("docs/openapi.json"), &document)?;
    command.arg("run").arg(document).args(["--url", &format!("http://{}", server.http)]);
    command.args(["--continue-on-failure", "--phases", "examples,coverage,fuzzing"]);
    command.args(["--max-time", &SECONDS.to_string()]).args(asker.only);
    let output = command.output().context("could not start schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let log = bench.keep.join(format!("schemathesis-{}.txt", asker.name.replace(' ', "-")));
    std::fs::write(&log, said.as_bytes())?;
    if !output.status.success() {
        let found = said.split("FAILURES ==").nth(1).unwrap_or(&said);
        bail!("as {}: see {}: {}", asker.name, log.display(), found.chars().take(2000).collect::<String>());
    }
    let cases = said.lines().find(|line| line.contains(" generated, ")).context("no count of requests")?;
    cases.trim().split(' ').next().and_then(|count| count.parse().ok()).context("no count of requests")
}
