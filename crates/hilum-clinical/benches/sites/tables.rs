//! The tables, each figure with n and a 95 % confidence interval.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hilum_clinical::guideline::Site;
use hilum_imaging::phantom::DecoyKind;
use hilum_learn::evaluate::MATCHING_RULE;
use hilum_learn::interval::{poisson95, wilson95};

use crate::network::Read;
use crate::truth::{BLADDER_MM, Found, Judged, KIDNEY_MM, Looked, Shown, side_holds, site_of};

/// Rows and columns of the site table.
const SITES: [(Site, &str); 10] = [
    (Site::UpperPole, "upper pole"),
    (Site::MidKidney, "mid kidney"),
    (Site::LowerPole, "lower pole"),
    (Site::RenalPelvis, "renal pelvis"),
    (Site::Upj, "UPJ"),
    (Site::ProximalUreter, "proximal ureter"),
    (Site::MidUreter, "mid ureter"),
    (Site::DistalUreter, "distal ureter"),
    (Site::Uvj, "UVJ"),
    (Site::Bladder, "bladder"),
];
const COARSE: [(Site, &str); 2] = [(Site::Kidney, "kidney"), (Site::Ureter, "ureter")];
/// Largest diameters (mm) that are told apart, from and to.
const SIZES_MM: [[f64; 2]; 4] = [[1.0, 3.0], [3.0, 6.0], [6.0, 26.0], [1.0, 26.0]];

/// `found of n (share, interval)`.
fn share(found: usize, n: usize) -> String {
    match wilson95(found, n) {
        None => "0 of 0".to_owned(),
        Some([low, high]) => format!(
            "{found} of {n} ({:.1} %, {:.1} to {:.1})",
            100.0 * found as f64 / n as f64,
            100.0 * low,
            100.0 * high
        ),
    }
}

/// `count in patients: rate (interval)`.
fn rate(count: usize, patients: usize) -> String {
    let n = patients.max(1) as f64;
    let [low, high] = poisson95(count).map(|c| c / n);
    format!("{:.2} ({low:.2} to {high:.2}; {count} in {patients})", count as f64 / n)
}

fn holds(stated: Site, truth: Site) -> bool {
    match stated {
        Site::Kidney => truth.is_kidney(),
        Site::Ureter => truth.is_ureter(),
        site => site == truth,
    }
}

/// Tables of the truth as candidates.
pub fn of_truth(first_seed: u64, patients: &[Judged]) -> String {
    let last = first_seed + patients.len() as u64 - 1;
    let mut text = format!(
        "### Sites of {} synthetic patients (seeds {first_seed} to {last})\n\nThe truth of the stones as candidates; rows are the truth, columns what is stated. Intervals are Wilson's over stones, 95 %.\n\n",
        patients.len()
    );
    sites(&mut text, patients);
    calibration(&mut text, patients);
    mimics(&mut text, patients);
    text
}

fn sites(text: &mut String, patients: &[Judged]) {
    let stones = patients.iter().flat_map(|p| &p.stones).filter_map(|(t, s)| Some((site_of(t.site?), s.as_ref()?)));
    let mut counts: BTreeMap<(Site, Option<Site>), usize> = BTreeMap::new();
    for (truth, stone) in stones {
        *counts.entry((truth, stone.site.as_ref().map(|s| s.site))).or_default() += 1;
    }
    let columns: Vec<_> = SITES.iter().chain(&COARSE).collect();
    let _infallible = write!(text, "| truth |");
    for (_, name) in &columns {
        let _infallible = write!(text, " {name} |");
    }
    let _infallible = writeln!(text, " not determined |\n|---|{}", "---|".repeat(columns.len() + 1));
    for (truth, name) in SITES {
        let _infallible = write!(text, "| {name} |");
        for stated in columns.iter().map(|(site, _)| Some(*site)).chain([None]) {
            let n = counts.get(&(truth, stated)).copied().unwrap_or(0);
            let _infallible = write!(text, " {} |", if n == 0 { String::new() } else { n.to_string() });
        }
        text.push('\n');
    }
    text.push_str("\n| what | share |\n|---|---|\n");
    text.push_str(&organs("kidneys", KIDNEY_MM, patients.iter().flat_map(|p| p.kidneys)));
    text.push_str(&organs("bladders", BLADDER_MM, patients.iter().map(|p| p.bladder)));
    let whole: Vec<&Judged> = patients.iter().filter(|p| p.whole).collect();
    let cut: Vec<&Judged> = patients.iter().filter(|p| !p.whole).collect();
    shares(text, "", &patients.iter().collect::<Vec<_>>());
    shares(text, &format!("; {} scans of the whole tract", whole.len()), &whole);
    shares(text, &format!("; {} scans that cut it", cut.len()), &cut);
    let mut times: Vec<f64> = patients.iter().map(|p| p.frame_ms).collect();
    times.sort_by(f64::total_cmp);
    let _infallible = writeln!(
        text,
        "\nThe frame took {:.0} ms in the middle, {:.0} ms at most.\n",
        times.get(times.len() / 2).copied().unwrap_or(0.0),
        times.last().copied().unwrap_or(0.0),
    );
}

/// What became of the stones of some patients.
fn shares(text: &mut String, of_which: &str, patients: &[&Judged]) {
    let stones = || patients.iter().flat_map(|p| &p.stones).filter_map(|(t, s)| Some((t, site_of(t.site?), s)));
    let kept = || stones().filter_map(|(truth, site, stone)| Some((truth, site, stone.as_ref()?)));
    let stated = || kept().filter_map(|(truth, site, stone)| Some((truth, site, stone, stone.site.as_ref()?.site)));
    let (all, n) = (kept().count(), stated().count());
    let right = stated().filter(|(_, truth, _, stated)| holds(*stated, *truth)).count();
    let fine = stated().filter(|(_, truth, _, stated)| stated == truth).count();
    let sides = stated().filter(|(truth, _, stone, _)| side_holds(truth, stone)).count();
    for (what, part, of) in [
        ("stones rejected (missed by this stage)", stones().count() - all, stones().count()),
        ("site stated", n, all),
        ("site stated to its finest level and right", fine, all),
        ("of the stated ones right", right, n),
        ("side right of those", sides, n),
    ] {
        let _infallible = writeln!(text, "| {what}{of_which} | {} |", share(part, of));
    }
}

/// What was found of an organ, by how much of it the scan holds.
fn organs(name: &str, within_mm: f64, looked: impl Iterator<Item = Looked> + Clone) -> String {
    let of = |shown: Shown, found: &[Found]| {
        looked.clone().filter(|one| one.shown == shown && found.contains(&one.found)).count()
    };
    let mut rows = String::new();
    for (shown, which) in [(Shown::Whole, "wholly in the scan"), (Shown::Part, "partly in the scan")] {
        let [right, wrong] = [Found::Itself, Found::SomethingElse].map(|found| of(shown, &[found]));
        let there = right + wrong + of(shown, &[Found::Nothing]);
        let _infallible = writeln!(
            rows,
            "| {name} {which}: found (centre within {within_mm:.0} mm) | {} |\n| {name} {which}: something else taken for one | {} |",
            share(right, there),
            share(wrong, there)
        );
    }
    let [invented, absent] =
        [&[Found::Itself, Found::SomethingElse][..], &[Found::Nothing]].map(|found| of(Shown::Nothing, found));
    let _infallible =
        writeln!(rows, "| {name} not in the scan: something taken for one | {} |", share(invented, invented + absent));
    rows
}

fn calibration(text: &mut String, patients: &[Judged]) {
    let stated: Vec<(f64, bool)> = patients
        .iter()
        .flat_map(|p| &p.stones)
        .filter_map(|(truth, stone)| {
            let finding = stone.as_ref()?.site.as_ref()?;
            Some((finding.probability, holds(finding.site, site_of(truth.site?))))
        })
        .collect();
    text.push_str("Stated probability against the share that is right:\n\n| stated | mean | right |\n|---|---|---|\n");
    for [low, high] in [[0.7, 0.8], [0.8, 0.9], [0.9, 0.97], [0.97, 1.001]] {
        let of: Vec<&(f64, bool)> = stated.iter().filter(|(p, _)| (low..high).contains(p)).collect();
        let mean = of.iter().map(|(p, _)| p).sum::<f64>() / of.len().max(1) as f64;
        let right = of.iter().filter(|(_, right)| *right).count();
        let _infallible = writeln!(
            text,
            "| {low:.2} to {:.2} | {} | {} |",
            high.min(1.0),
            if of.is_empty() { String::new() } else { format!("{mean:.2}") },
            share(right, of.len())
        );
    }
    text.push('\n');
}

fn mimics(text: &mut String, patients: &[Judged]) {
    let mut of_kind: BTreeMap<DecoyKind, [usize; 2]> = BTreeMap::new();
    for (kind, rejected) in patients.iter().flat_map(|p| &p.mimics) {
        let counts = of_kind.entry(*kind).or_default();
        counts[0] += usize::from(*rejected);
        counts[1] += 1;
    }
    text.push_str("### What mimics stones, by place alone\n\nEvery mimic in the scan as a candidate. Rates per patient with exact Poisson intervals, 95 %.\n\n| mimic | rejected |\n|---|---|\n");
    for (kind, [rejected, n]) in &of_kind {
        let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(|name| name.replace('_', " ")));
        let _infallible = writeln!(text, "| {} | {} |", name.unwrap_or_default(), share(*rejected, *n));
    }
    let [rejected, n] = of_kind.values().fold([0; 2], |s, c| [s[0] + c[0], s[1] + c[1]]);
    let _infallible = writeln!(
        text,
        "\nPer patient without this stage: {}. With it: {}.\n",
        rate(n, patients.len()),
        rate(n - rejected, patients.len())
    );
}

/// Tables of the network's candidates.
pub fn of_network(first_seed: u64, patients: &[Read]) -> String {
    if patients.is_empty() {
        return String::new();
    }
    let last = first_seed + patients.len() as u64 - 1;
    let kept = |with: bool| {
        patients.iter().map(move |p| (p, p.candidates.iter().filter(move |(_, rejected)| !(with && *rejected))))
    };
    let wrong = |with: bool| kept(with).flat_map(|(_, c)| c).filter(|(scored, _)| scored.hits.is_empty()).count();
    let mut text = format!(
        "### The shipped network with and without this stage, {} synthetic patients (seeds {first_seed} to {last})\n\nRule: {MATCHING_RULE}. Sensitivity with Wilson's intervals over stones, wrong candidates with exact Poisson intervals over patients, 95 %.\n\n| what | without | with |\n|---|---|---|\n",
        patients.len()
    );
    for [low, high] in SIZES_MM {
        let found = |with: bool| {
            let mut counts = [0; 2];
            for (patient, candidates) in kept(with) {
                let hits: Vec<usize> = candidates.flat_map(|(scored, _)| scored.hits.iter().copied()).collect();
                for (i, stone) in patient.stones.iter().enumerate() {
                    if (low..high).contains(&stone.largest_diameter_mm) {
                        counts[0] += usize::from(hits.contains(&i));
                        counts[1] += 1;
                    }
                }
            }
            share(counts[0], counts[1])
        };
        let size = if high - low > 20.0 && low < 2.0 { "all".to_owned() } else { format!("{low:.0} to {high:.0} mm") };
        let _infallible = writeln!(text, "| stones found, {size} | {} | {} |", found(false), found(true));
    }
    let _infallible = writeln!(
        text,
        "| wrong candidates per patient | {} | {} |\n\nBone and large dense structures that the network's own filter had rejected before: {}.",
        rate(wrong(false), patients.len()),
        rate(wrong(true), patients.len()),
        rate(patients.iter().map(|p| p.filtered).sum(), patients.len()),
    );
    text
}
