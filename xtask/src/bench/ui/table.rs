//! The section's tables.

use std::fmt::Write as _;

use super::{LONG, Sample};
use crate::bench::{interval, median};

/// All values, by row.
#[derive(Default)]
pub struct Rows {
    samples: Vec<Sample>,
}

impl Rows {
    /// One more value.
    pub fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn values(&self, row: &str) -> Vec<f64> {
        self.of(row).map(|sample| sample.value).collect()
    }

    fn limits(&self, row: &str) -> Vec<f64> {
        self.of(row).filter_map(|sample| sample.limit).collect()
    }

    /// Each value divided by the limit of its own run.
    fn ratios(&self, row: &str) -> Vec<f64> {
        self.of(row).filter_map(|sample| Some(sample.value / sample.limit?)).collect()
    }

    fn of<'a>(&'a self, row: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.row == row)
    }
}

/// A row of a table: as the measuring page names it, and as people read it.
struct Row {
    name: &'static str,
    what: &'static str,
    /// At most so much, in the table's unit.
    aim: Option<f64>,
}

const fn row(name: &'static str, what: &'static str, aim: Option<f64>) -> Row {
    Row { name, what, aim }
}

const OPENING: [Row; 9] = [
    row("first stack 100", "100 images, one by one: first image", Some(1000.0)),
    row("all stack 100", "100 images, one by one: all images", Some(2000.0)),
    row("first mpr 100", "100 images, three planes: first image", Some(1000.0)),
    row("all mpr 100", "100 images, three planes: all images", Some(2000.0)),
    row("first stack 300", "300 images, one by one: first image", Some(1000.0)),
    row("all stack 300", "300 images, one by one: all images", None),
    row("first mpr 300", "300 images, three planes: first image", None),
    row("all mpr 300", "300 images, three planes: all images", None),
    row("first list 300", "300 images, from the list, as the second study: first image", Some(1000.0)),
];

const SCROLLING: [Row; 6] = [
    row("median stack", "one by one: median", Some(40.0)),
    row("p95 stack", "one by one: 95 % are shorter", None),
    row("median plain", "three planes, without masks: median", Some(40.0)),
    row("p95 plain", "three planes, without masks: 95 % are shorter", None),
    row("median masked", "three planes, with masks: median", Some(70.0)),
    row("p95 masked", "three planes, with masks: 95 % are shorter", None),
];

const MEMORY: [Row; 4] = [
    row("scrolled", "most, while it is scrolled through", None),
    row("left", "in the list again, garbage collected", None),
    row("buffers", "most that the page holds in buffers (images), garbage among it", None),
    row("buffers left", "the same in the list again", None),
];

const LIST: [Row; 8] = [
    row("rows", "the page opened anew: first rows", None),
    row("typed kim", "`kim` typed: its rows", None),
    row("typed 길동", "`길동` typed: its rows", None),
    row("typed P00000777", "a patient ID typed: its rows", None),
    row("sorted name", "sorted by name", None),
    row("sorted date", "sorted by date", None),
    row("page median", "a page further down, of 20: median", None),
    row("page slowest", "a page further down, of 20: slowest", None),
];

/// The whole section.
pub fn section(rows: &Rows, studies: u64, command: &str, browser: &str, machine: &str) -> String {
    let mut out = format!(
        "## User interface\n\nWritten by `{command}`. {machine}\n\nThe pages of the release binary in {browser}, headless, 1440x900, on this machine, \
         beside the server. The processor puts the page together, as there is no GPU here: what counts are the ratios to \
         what the same browser takes in the same run without Hilum's pages. Images are synthetic CT of 512x512. Medians over runs with 95 % intervals by \
         order statistics; below six runs these are all values. A ratio is the median of the runs' own.\n\n"
    );
    table(
        &mut out,
        rows,
        "### Opening a study",
        "ms",
        "Signed in, nothing cached, from the beginning of the navigation to the frame after the one in which an image was drawn (or the last of all), or \
         from the double click in the list, once another study was looked at. Limit: everything that came over the network until then, fetched by an empty \
         page, six at a time.",
        "the same bytes fetched",
        &OPENING,
    );
    table(
        &mut out,
        rows,
        "### Scrolling",
        "ms a frame",
        "300 images; a notch of the wheel in each frame, from one drawing to the next; 80 frames of each plane (of three: axial, coronal and sagittal), \
         around the first finding. Limit: a loop that in each frame hands WebGL another picture of 512x512 numbers, draws it windowed on a canvas of the \
         same size with the shortest shader, and copies that into the page; browsers draw at most every 16.7 ms.",
        "a bare picture",
        &SCROLLING,
    );
    let long = format!(
        "One series of {LONG} images, one by one, scrolled from the first to the last in notches of the wheel. Memory of all processes of the browser (PSS), \
         beyond what it has with the list open. Limit: an empty page that fetches the series and holds it. At most 512 MiB of images are held, by design."
    );
    table(&mut out, rows, "### Memory", "MiB", &long, "the series held", &MEMORY);
    let list = format!(
        "{studies} synthetic studies. From the last key or click to the frame in which other rows stand there; 200 ms of what is typed are the pause after \
         the last key, which stands in the limit, too. Limit: the same question fetched by an empty page (of the first row: everything that was fetched); of \
         scrolling: frames of a page that changes its colour. A page further down comes from the server every eighth time."
    );
    table(&mut out, rows, "### The worklist", "ms", &list, "the same fetched", &LIST);
    out
}

fn table(out: &mut String, rows: &Rows, head: &str, unit: &str, told: &str, limit: &str, table: &[Row]) {
    let there: Vec<&Row> = table.iter().filter(|row| rows.of(row.name).next().is_some()).collect();
    let Some(runs) = there.first().map(|row| rows.values(row.name).len()) else { return };
    write!(out, "{head}\n\n{told} {runs} runs.\n\n| what | Hilum, {unit} | {limit}, {unit} | ratio | aim |\n|---|---|---|---|---|\n")
        .expect("a string");
    for row in there {
        let aim = row.aim.map_or("-".to_owned(), |aim| {
            let missed = median(rows.values(row.name)) > aim;
            format!("{aim:.0}{}", if missed { ", MISSED" } else { ", reached" })
        });
        let limits = rows.limits(row.name);
        let (limit, ratio) = if limits.is_empty() {
            ("-".to_owned(), "-".to_owned())
        } else {
            (figure(limits), figure(rows.ratios(row.name)))
        };
        writeln!(out, "| {} | {} | {limit} | {ratio} | {aim} |", row.what, figure(rows.values(row.name)))
            .expect("a string");
    }
    out.push('\n');
}

/// A median and its interval.
fn figure(values: Vec<f64>) -> String {
    let [low, high] = interval(values.clone());
    let middle = median(values);
    let digits = if middle < 10.0 { 2 } else { usize::from(middle < 100.0) };
    format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::default();
        for (value, limit) in [(900.0, 300.0), (1200.0, 600.0), (1000.0, 250.0)] {
            rows.add(Sample { row: "first stack 100".into(), value, limit: Some(limit) });
        }
        rows.add(Sample { row: "left".into(), value: 12.25, limit: None });
        rows
    }

    #[test]
    fn a_ratio_is_of_the_values_of_the_same_run_and_an_aim_is_judged_by_the_median() {
        let text = section(&rows(), 100_000, "the command", "Chromium 156", "Now.");
        assert!(
            text.contains("| 1000 (900 to 1200) | 300 (250 to 600) | 3.00 (2.00 to 4.00) | 1000, reached |"),
            "{text}"
        );
        let mut slow = rows();
        slow.add(Sample { row: "first stack 100".into(), value: 1500.0, limit: Some(500.0) });
        assert!(section(&slow, 1, "", "", "").contains("1000, MISSED"));
    }

    #[test]
    fn what_was_not_measured_has_no_row_and_what_has_no_limit_no_ratio() {
        let text = section(&rows(), 100_000, "the command", "Chromium 156", "Now.");
        assert!(!text.contains("### Scrolling") && !text.contains("### The worklist"), "{text}");
        assert!(text.contains("in the list again, garbage collected | 12.2 (12.2 to 12.2) | - | - | - |"), "{text}");
    }
}
