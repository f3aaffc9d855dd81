//! Swap, core dumps, space, clock, log: what the machine does with what Hilum knows.

use std::path::Path;

use time::{OffsetDateTime, macros::datetime};

use super::{
    Finding,
    device::{AtRest, Surroundings, at_rest, device},
};
use crate::settings::Settings;

const GIB: u64 = 1 << 30;
/// No clock that is right shows an earlier time: this version did not exist.
const EARLIEST: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

pub(super) fn examine(settings: &Settings, data_dir: &Path, surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(swap(surroundings));
    findings.extend(core_dumps(surroundings));
    findings.extend(space(data_dir));
    findings.extend(clock(data_dir));
    findings.extend(log(&settings.log_directives("")));
    findings
}

/// Swap holds pages of memory, and those hold images and names.
fn swap(surroundings: &Surroundings) -> Option<Finding> {
    let swaps = surroundings.read("proc/swaps")?;
    let plain = swaps.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (place, kind) = (fields.next()?, fields.next()?);
        let name = place.rsplit('/').next()?;
        let state = match kind {
            _ if name.starts_with("zram") => AtRest::Memory,
            "partition" => match surroundings.read(&format!("sys/class/block/{name}/dev")) {
                Some(number) => device(number.trim(), surroundings, 0),
                None => AtRest::Unknown("disk".to_owned()),
            },
            _ => at_rest(Path::new(place), surroundings),
        };
        (state == AtRest::Plain).then_some(())
    });
    (plain.count() > 0).then(|| {
        Finding::warning(
            "swap_not_encrypted",
            "this machine swaps to a disk that is not encrypted: what memory holds of patients may stay there",
            "encrypt the swap space (crypttab with a random key), or switch it off",
        )
    })
}

fn core_dumps(surroundings: &Surroundings) -> Option<Finding> {
    let limits = surroundings.read("proc/self/limits")?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    let soft = limit.split_ascii_whitespace().next()?;
    (soft != "0").then(|| {
        Finding::warning(
            "core_dumps",
            "a crash may write memory to disk as a core dump, with what it holds of patients (as seen from this shell)",
            "start the server with a core limit of 0: `ulimit -c 0`, or LimitCORE=0 in its systemd unit",
        )
    })
}

fn space(data_dir: &Path) -> Option<Finding> {
    let (free, total) = hilum_engine::operations::disk(data_dir)?;
    low_space(free, total)
}

fn low_space(free: u64, total: u64) -> Option<Finding> {
    let advice = "make room, or move the data folder to a larger disk: without space nothing more is taken in";
    let text = format!(
        "{:.1} GiB of {:.0} GiB are free on the data folder's disk",
        free as f64 / GIB as f64,
        total as f64 / GIB as f64
    );
    if free < GIB {
        Some(Finding::serious("space_almost_gone", text, advice))
    } else if free < 10 * GIB || free < total / 20 {
        Some(Finding::warning("space_low", text, advice))
    } else {
        None
    }
}

/// A clock that was set back makes sessions and certificates end at the wrong time, and orders what is noted wrongly.
fn clock(data_dir: &Path) -> Option<Finding> {
    let now = OffsetDateTime::now_utc();
    let written = ["catalog.sqlite-wal", "catalog.sqlite", "jobs.lock"].iter().filter_map(|name| {
        std::fs::metadata(data_dir.join(name)).and_then(|metadata| metadata.modified()).ok().map(OffsetDateTime::from)
    });
    let latest = written.max().unwrap_or(EARLIEST).max(EARLIEST);
    (now + time::Duration::minutes(5) < latest).then(|| {
        Finding::serious(
            "clock_wrong",
            format!("this machine's clock says {}, and it was later before", now.date()),
            "set the clock, and keep it right by NTP (chrony, systemd-timesyncd)",
        )
    })
}

/// Libraries below Hilum write what passes through them into their finest levels.
fn log(directives: &str) -> Option<Finding> {
    let fine = directives.split(',').any(|directive| {
        let level = directive.rsplit('=').next().unwrap_or_default().trim();
        level.eq_ignore_ascii_case("debug") || level.eq_ignore_ascii_case("trace")
    });
    fine.then(|| {
        Finding::warning(
            "log_says_too_much",
            "debug or trace is logged: libraries may write addresses and statements into the log",
            "use those levels to look for a fault only, and delete such logs",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_and_how_much_space_is_left_is_weighed() {
        for (directives, says_too_much) in [
            ("warn,hilum=info", false),
            ("info", false),
            ("debug", true),
            ("warn,hilum=TRACE", true),
            ("warn,sqlx=debug,hilum=info", true),
            ("warn,debugger=info", false),
            ("", false),
        ] {
            assert_eq!(log(directives).is_some(), says_too_much, "{directives}");
        }
        for (free, total, code) in [
            (GIB - 1, 100 * GIB, Some("space_almost_gone")),
            (9 * GIB, 100 * GIB, Some("space_low")),
            (40 * GIB, 1000 * GIB, Some("space_low")),
            (60 * GIB, 1000 * GIB, None),
        ] {
            assert_eq!(low_space(free, total).map(|finding| finding.code), code, "{free} of {total}");
        }
    }

    #[test]
    fn swap_core_dumps_and_clock_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let seen = Surroundings::at(folder.path());
        let limits = |core: &str| {
            format!("Limit  Soft Limit  Hard Limit  Units\nMax core file size        {core}  unlimited  bytes\n")
        };
        let head = "Filename\tType\tSize\tUsed\tPriority\n";
        write("proc/self/limits", &limits("0"));
        write("proc/swaps", head);
        assert!(core_dumps(&seen).is_none() && swap(&seen).is_none());
        write("proc/self/limits", &limits("unlimited"));
        assert!(core_dumps(&seen).is_some());
        write("sys/class/block/sda3/dev", "8:3\n");
        write("sys/dev/block/8:3/dev", "8:3\n");
        write("proc/swaps", &format!("{head}/dev/zram0 partition 1 0 -2\n"));
        assert!(swap(&seen).is_none());
        write("proc/swaps", &format!("{head}/dev/sda3 partition 1 0 -2\n"));
        assert!(swap(&seen).is_some());
        write("sys/dev/block/8:3/dm/uuid", "CRYPT-PLAIN-swap");
        assert!(swap(&seen).is_none());

        let lock = folder.path().join("jobs.lock");
        std::fs::write(&lock, "").unwrap();
        assert!(clock(folder.path()).is_none());
        let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(later).unwrap();
        assert!(clock(folder.path()).is_some());
    }
}
