//! The section's tables.

use std::fmt::Write as _;

use super::peers::Peer;
use super::{Cell, Kind, Outcome, Timing, Work};

/// How the tables are to be read.
pub const EXPLAINED: &str = "\
Times are medians of one run by the wall clock. \"Ratio\" is an engine's best time, on one or two threads, divided by ours, of \
bf16 engines by ours in bf16 where we have it; above 1 we are faster. GFLOP/s count the multiplications and additions of direct convolution, in training three times those of the forward pass, whatever the engine really \
computes; \"of the peak\" divides by multiply-adds in registers on as many threads, measured in the same turn, so that Winograd can exceed 100 %. \
Memory is the highest resident memory of the process (VmHWM), Python and libraries included. PyTorch runs eagerly in channels-last memory, bf16 by \
autocast; ONNX Runtime and OpenVINO run our ONNX. Before it is timed, every peer has shown our results: the output's mean and root mean square, or the \
losses of the first two steps. What two threads gain is told from the shortest times of all parts of a run, as an observer of the layers takes them; what the \
ceilings allow is what it would be if every part took its share of one thread's time by the gain in multiply-adds, and no less than the bytes of its maps and weights take \
to pass through memory on two threads, both measured in the same process.\n";

/// The row's title.
pub fn heading(work: &Work) -> String {
    let shape: Vec<String> = work.shape.iter().map(usize::to_string).collect();
    let what = match work.kind {
        Kind::Training => "training step (forward, BCE, backward, Adam)",
        Kind::Forward => "forward pass",
    };
    let (parameters, shape) = (work.parameters as f64 / 1e6, shape.join("x"));
    format!("\n### {}\n\n{what}, input {shape}, {parameters:.2} M parameters, {:.1} GFLOP\n", work.name, work.gflop)
}

/// One engine over all numbers of threads.
struct Line<'a> {
    name: &'a str,
    timings: Vec<(&'a Cell, &'a Timing)>,
}

impl<'a> Line<'a> {
    fn best(&self) -> Option<(&'a Cell, &'a Timing)> {
        self.timings.iter().copied().min_by(|a, b| a.1.seconds.total_cmp(&b.1.seconds))
    }

    fn seconds(&self) -> Option<f64> {
        self.best().map(|(_, timing)| timing.seconds)
    }
}

/// The table of one row at one instruction set.
pub struct Table {
    /// The table with the verdicts under it.
    pub text: String,
    /// Whether an aim was missed.
    pub missed: bool,
}

/// Compares all engines of a row.
pub fn render(work: &Work, isa: &str, avx2_only: bool, cells: &[Cell]) -> Table {
    let mut text = format!("\n{isa}{}\n\n| engine |", if avx2_only { ", AVX-512 switched off" } else { "" });
    for cell in cells {
        write!(text, " {} thread{}, ms |", cell.threads, if cell.threads == 1 { "" } else { "s" }).expect("a string");
    }
    text.push_str(" scaling | GFLOP/s | of the peak | memory, MiB | ratio |\n|---|");
    text.push_str(&"---|".repeat(cells.len() + 5));
    text.push('\n');
    let ours = Line { name: "Hilum", timings: cells.iter().map(|cell| (cell, &cell.ours)).collect() };
    let our_seconds = ours.seconds().unwrap_or(f64::NAN);
    line(&mut text, work, &ours, our_seconds);
    let mut rivals = Vec::new();
    let mut notes = Vec::new();
    let timings = cells.iter().filter_map(|cell| Some((cell, cell.ours_bf16.as_ref()?))).collect();
    let narrow = Line { name: "Hilum bf16", timings };
    let narrow_seconds = narrow.seconds();
    if let Some(seconds) = narrow_seconds {
        line(&mut text, work, &narrow, seconds);
        notes.extend(narrow.timings.first().map(|(_, timing)| format!("our bf16 beside our f32: {}", timing.note)));
    }
    let ours_beside = |peer: &Peer| if peer.bf16 { narrow_seconds.unwrap_or(our_seconds) } else { our_seconds };
    for (at, (peer, _)) in cells.first().map_or(&[][..], |cell| &cell.peers).iter().enumerate() {
        let of = |cell: &'_ Cell| match &cell.peers[at].1 {
            Outcome::Measured(timing) => Ok(timing.clone()),
            Outcome::Absent(why) => Err(why.clone()),
        };
        let measured: Vec<(&Cell, Timing)> = cells.iter().filter_map(|cell| Some((cell, of(cell).ok()?))).collect();
        let peer_line =
            Line { name: peer.name, timings: measured.iter().map(|(cell, timing)| (*cell, timing)).collect() };
        let Some(seconds) = peer_line.seconds() else {
            let why = cells.iter().find_map(|cell| of(cell).err()).unwrap_or_default();
            writeln!(text, "| {}: {why} |{}", peer.name, " |".repeat(cells.len() + 5)).expect("a string");
            continue;
        };
        line(&mut text, work, &peer_line, ours_beside(peer));
        // What an engine says of its own kernels counts more than what it was asked for.
        let note = measured.first().map_or("", |(_, timing)| timing.note.as_str());
        let unrestricted = avx2_only && (!peer.restricts || note.contains("avx512"));
        if unrestricted {
            notes.push(format!(
                "{} has no switch that keeps it from AVX-512 here, and is left out of the verdict",
                peer.name
            ));
        } else {
            rivals.push((*peer, seconds));
        }
        if !note.is_empty() {
            notes.push(format!("{}: {note}", peer.name));
        }
    }
    text.push('\n');
    let mut missed = false;
    for verdict in verdicts(work, avx2_only, (our_seconds, narrow_seconds), &rivals) {
        missed |= verdict.missed;
        writeln!(text, "- {}", verdict.text).expect("a string");
    }
    for cell in cells {
        notes.push(format!("FMA peak on {} threads: {:.0} GFLOP/s", cell.threads, cell.peak));
    }
    writeln!(text, "- {}.", notes.join("; ")).expect("a string");
    Table { text, missed }
}

fn line(text: &mut String, work: &Work, engine: &Line<'_>, our_seconds: f64) {
    let mut cells: Vec<String> =
        engine.timings.iter().map(|(_, timing)| format!("{:.1}", timing.seconds * 1e3)).collect();
    cells.push(match engine.timings[..] {
        [(_, one), (_, two)] => format!("{:.2}", one.seconds / two.seconds),
        _ => "-".to_owned(),
    });
    if let Some((cell, timing)) = engine.best() {
        let speed = work.gflop / timing.seconds;
        cells.push(format!("{speed:.0}"));
        cells.push(format!("{:.0} %", 100.0 * speed / cell.peak));
        cells.push(format!("{:.0}", timing.mib));
        cells.push(format!("{:.2}", timing.seconds / our_seconds));
    }
    writeln!(text, "| {} | {} |", engine.name, cells.join(" | ")).expect("a string");
}

struct Verdict {
    text: String,
    missed: bool,
}

/// What was aimed at and what came out.
/// `ours`: in f32 and in bf16.
fn verdicts(work: &Work, avx2_only: bool, ours: (f64, Option<f64>), rivals: &[(Peer, f64)]) -> Vec<Verdict> {
    let (wide, narrow) = ours;
    let fastest =
        |bf16: bool| rivals.iter().filter(|(peer, _)| peer.bf16 == bf16).min_by(|a, b| a.1.total_cmp(&b.1)).copied();
    let fp32 = if avx2_only { work.aims.avx2 } else { work.aims.fp32 };
    let mut verdicts = vec![verdict("fp32", Some(fp32), wide, fastest(false))];
    if !avx2_only {
        let what = if work.kind == Kind::Forward && narrow.is_none() { "bf16 (we compute in fp32)" } else { "bf16" };
        verdicts.push(verdict(what, work.aims.bf16, narrow.unwrap_or(wide), fastest(true)));
    }
    verdicts
}

fn verdict(what: &str, aim: Option<f64>, ours: f64, fastest: Option<(Peer, f64)>) -> Verdict {
    let aimed = aim.map_or("no aim".to_owned(), |aim| format!("aim {aim} times the fastest peer"));
    let Some((peer, seconds)) = fastest else {
        return Verdict { text: format!("{what}: {aimed}; no such peer was measured"), missed: false };
    };
    let ratio = seconds / ours;
    let missed = aim.is_some_and(|aim| ratio < aim);
    let word = aim.map_or("", |_| if missed { ", MISSED" } else { ", reached" });
    Verdict { text: format!("{what}: {aimed}{word}: {ratio:.2} times {}", peer.name), missed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::nn::Aims;
    use crate::bench::nn::peers::PEERS;

    fn timing(seconds: f64) -> Timing {
        Timing { seconds, mib: 100.0, note: String::new() }
    }

    fn work() -> Work {
        let aims = Aims { fp32: 2.0, bf16: Some(1.5), avx2: 1.0 };
        Work { name: "row".into(), kind: Kind::Forward, aims, shape: vec![1, 1, 8, 8], parameters: 1, gflop: 10.0 }
    }

    /// Ours takes 100 and 60 ms; the peers what is given, on one and two threads.
    fn cells(peers: &[(&str, Option<[f64; 2]>)]) -> Vec<Cell> {
        [0, 1]
            .map(|at| Cell {
                threads: at + 1,
                peak: 100.0 * (at + 1) as f64,
                ours: timing([0.1, 0.06][at]),
                ours_bf16: None,
                peers: peers
                    .iter()
                    .map(|(word, seconds)| {
                        let peer = *PEERS.iter().find(|peer| peer.word == *word).unwrap();
                        let outcome =
                            seconds.map_or(Outcome::Absent("no wheel".into()), |s| Outcome::Measured(timing(s[at])));
                        (peer, outcome)
                    })
                    .collect(),
            })
            .into()
    }

    #[test]
    fn each_engine_counts_at_its_own_best_number_of_threads_and_the_fastest_peer_decides() {
        let cells = cells(&[
            ("onnxruntime", Some([0.15, 0.18])),
            ("openvino", Some([0.3, 0.12])),
            ("openvino-bf16", Some([0.2, 0.075])),
        ]);
        let text = render(&work(), "avx512", false, &cells).text;
        assert!(text.contains("| Hilum | 100.0 | 60.0 | 1.67 | 167 | 83 % | 100 | 1.00 |"), "{text}");
        assert!(text.contains("| ONNX Runtime | 150.0 | 180.0 | 0.83 | 67 | 67 % | 100 | 2.50 |"), "{text}");
        assert!(text.contains("fp32: aim 2 times the fastest peer, reached: 2.00 times OpenVINO"), "{text}");
        assert!(text.contains("aim 1.5 times the fastest peer, MISSED: 1.25 times OpenVINO bf16"), "{text}");
    }

    #[test]
    fn bf16_peers_stand_beside_our_own_bf16_and_its_parity_is_told() {
        let mut cells = cells(&[("openvino", Some([0.3, 0.12])), ("openvino-bf16", Some([0.2, 0.08]))]);
        for (at, cell) in cells.iter_mut().enumerate() {
            cell.ours_bf16 = Some(Timing { note: "RMS 1e-3".into(), ..timing([0.09, 0.05][at]) });
        }
        let text = render(&work(), "avx512", false, &cells).text;
        assert!(text.contains("| Hilum bf16 | 90.0 | 50.0 | 1.80 | 200 | 100 % | 100 | 1.00 |"), "{text}");
        assert!(text.contains("| OpenVINO | 300.0 | 120.0 | 2.50 | 83 | 42 % | 100 | 2.00 |"), "{text}");
        assert!(text.contains("| OpenVINO bf16 | 200.0 | 80.0 | 2.50 | 125 | 62 % | 100 | 1.60 |"), "{text}");
        assert!(text.contains("- bf16: aim 1.5 times the fastest peer, reached: 1.60 times OpenVINO bf16"), "{text}");
        assert!(text.contains("our bf16 beside our f32: RMS 1e-3"), "{text}");
    }

    #[test]
    fn a_peer_that_is_absent_or_cannot_be_restricted_is_said_and_decides_nothing() {
        let cells = cells(&[("pytorch", None), ("onnxruntime", Some([0.05, 0.05])), ("openvino", Some([0.3, 0.12]))]);
        let text = render(&work(), "avx2", true, &cells).text;
        assert!(text.contains("| PyTorch: no wheel |"), "{text}");
        assert!(text.contains("ONNX Runtime has no switch that keeps it from AVX-512"), "{text}");
        assert!(text.contains("fp32: aim 1 times the fastest peer, reached: 2.00 times OpenVINO"), "{text}");
        let rows: Vec<usize> = text.lines().filter(|l| l.starts_with('|')).map(|l| l.matches('|').count()).collect();
        assert!(rows.iter().all(|&count| count == rows[0]), "a row has other columns: {rows:?}\n{text}");
    }

    #[test]
    fn where_there_is_no_aim_nothing_is_reached() {
        let work = Work { aims: Aims { bf16: None, ..work().aims }, ..work() };
        let text = render(&work, "avx512", false, &cells(&[("openvino-bf16", Some([0.2, 0.075]))])).text;
        assert!(text.contains("no aim: 1.25 times OpenVINO bf16"), "{text}");
    }

    #[test]
    fn without_any_peer_the_verdict_says_so() {
        let text = render(&work(), "avx512", false, &cells(&[])).text;
        assert!(text.contains("fp32: aim 2 times the fastest peer; no such peer was measured"), "{text}");
    }
}
