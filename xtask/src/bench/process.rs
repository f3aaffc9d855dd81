//! What a process has used, from /proc.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;

/// Time and memory of a process.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// Wall clock, s.
    pub wall: f64,
    /// User and system time of all its threads, s.
    pub cpu: f64,
    /// Highest resident memory, MiB.
    pub peak_mib: f64,
}

/// User and system time (s) and peak memory (MiB) of a running process so far.
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or(0.0);
    // USER_HZ is 100 on every Linux that we build for.
    Ok(Usage { wall: 0.0, cpu: (ticks(11) + ticks(12)) / 100.0, peak_mib: peak / 1024.0 })
}

/// Runs a command to its end, sampling what it uses every 10 ms.
pub fn measured(command: &mut Command) -> anyhow::Result<Usage> {
    let start = Instant::now();
    let mut child: Child = command.spawn()?;
    let mut last = Usage::default();
    let status: ExitStatus = loop {
        if let Ok(now) = usage(child.id())
            && now.peak_mib > 0.0
        {
            last = now;
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    anyhow::ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Usage { wall: start.elapsed().as_secs_f64(), ..last })
}
