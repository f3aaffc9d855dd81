//! From the last slice of a CT to its report.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::process;
use super::{Figure, Setting, median};
use crate::interop::server::Server;

/// A 300-slice CT sent by C-STORE: seconds from the last acknowledgement to the finished report, and the server's peak memory.
pub fn arrival(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut seconds, mut peaks) = (Vec::new(), Vec::new());
    for run in 0..setting.runs {
        let mut server = Server::start_with(&setting.hilum, &setting.scratch.join(format!("arrival-{run}")))?;
        crate::run::status(
            Command::new("storescu")
                .args(["--call", "HILUM", "--scan-directories", "--recurse", "--scan-pattern", "*.dcm"])
                .args([&server.dimse.ip().to_string(), &server.dimse.port().to_string()])
                .arg(&setting.study),
        )?;
        let start = Instant::now();
        server.settled(Duration::from_mins(10))?;
        seconds.push(start.elapsed().as_secs_f64());
        ensure!(server.only_study()?["reading"]["state"] == "done", "the reading did not finish well");
        peaks.push(process::usage(server.pid())?.peak_mib);
    }
    Ok(vec![
        Figure {
            what: "300 slices of 512x512: last slice -> report (waiting for the series to be quiet included)".into(),
            value: format!("{:.1} s", median(seconds)),
            beside: "aim: 30 s".into(),
        },
        Figure {
            what: "peak memory of the server meanwhile".into(),
            value: format!("{:.0} MiB", median(peaks)),
            beside: "aim: 1,024 MiB".into(),
        },
    ])
}
