//! `docs/urinary-stone/measurement.md`.

use std::fmt::Write as _;
use std::path::Path;

use hilum_imaging::phantom::{Kernel, StoneScan};

use crate::plot::{Panel, Series, svg};
use crate::rows::{Class, Errors};
use crate::trial::{Mark, Outcome, drawn, measured_all};

const THICKNESSES: [f64; 4] = [1.0, 1.5, 3.0, 5.0];
const SIZES: [[f64; 2]; 6] = [[1.5, 2.5], [2.5, 4.0], [4.0, 6.0], [6.0, 10.0], [10.0, 15.0], [15.0, 20.0]];
const DENSITIES: [[f64; 2]; 3] = [[250.0, 450.0], [450.0, 850.0], [850.0, 1500.0]];
/// First seed; the intervals were calibrated on others.
const SEED: u64 = 90_000_000;

const HEAD: &str = include_str!("head.md");

fn scans(thickness: f64, size: [f64; 2], n: u64) -> Vec<StoneScan> {
    let base = SEED + (thickness * 10.0) as u64 * 100_000 + (size[0] * 10.0) as u64 * 1_000;
    (0..n).map(|i| drawn(base + i, size, thickness)).collect()
}

struct Cell {
    thickness: f64,
    size: [f64; 2],
    outcomes: Vec<Outcome>,
}

/// Measures and writes the page and its plots into a folder.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the methods hold for one lifetime of a class, not for any"
)]
pub fn write(folder: &Path, per_class: u64) -> std::io::Result<()> {
    let mut cells = Vec::new();
    for thickness in THICKNESSES {
        for size in SIZES {
            eprintln!("{thickness} mm slices, stones of {} mm", range(size));
            let outcomes = measured_all(&scans(thickness, size, per_class), Mark::Truth);
            cells.push(Cell { thickness, size, outcomes });
        }
    }
    let mut text = HEAD.to_owned();
    by_size(&mut text, &cells);
    by_density(&mut text, &cells);
    lengths(&mut text, &cells);
    by_mark(&mut text, &cells, per_class);
    sharp(&mut text, per_class);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("measurement.md"), text)?;
    std::fs::write(
        folder.join("bias-diameter.svg"),
        picture(&cells, |c| c.diameter(), "measured less true diameter, mm", [-2.0, 2.0]),
    )?;
    std::fs::write(
        folder.join("bias-volume.svg"),
        picture(&cells, |c| c.volume(), "measured over true volume less one, %", [-60.0, 60.0]),
    )
}

fn range([low, high]: [f64; 2]) -> String {
    format!("{low}-{high}")
}

fn line(text: &mut String, cells: &[String]) {
    writeln!(text, "| {} |", cells.join(" | ")).expect("a string");
}

fn head(text: &mut String, title: &str, columns: &[&str]) {
    writeln!(text, "\n## {title}\n").expect("a string");
    writeln!(text, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len())).expect("a string");
}

fn bias(errors: Option<Errors>, digits: usize) -> String {
    errors.map_or("-".to_owned(), |e| {
        format!("{:+.digits$} ({:+.digits$} to {:+.digits$})", e.mean, e.mean_low, e.mean_high)
    })
}

fn by_size(text: &mut String, cells: &[Cell]) {
    head(
        text,
        "By slice thickness and size",
        &[
            "slices, mm",
            "true diameter, mm",
            "stand out / n",
            "diameter bias, mm (95 % CI)",
            "within a voxel of the coarsest axis, % (95 % CI)",
            "volume bias, % (95 % CI)",
            "volume within 15 %, % (95 % CI)",
            "diameter interval holds the truth, % (95 % CI)",
            "volume interval holds the truth, % (95 % CI)",
            "median interval: diameter, volume (times the measure)",
        ],
    );
    let mut row = |slices: String, size: String, class: &Class| {
        let (out, n) = class.stand_out();
        let ends = class.ends().map_or("-".to_owned(), |[a, b, c, d]| format!("{a:.2}-{b:.2}, {c:.2}-{d:.2}"));
        line(
            text,
            &[
                slices,
                size,
                format!("{out} / {n}"),
                bias(class.diameter(), 2),
                class.within_a_voxel(),
                bias(class.volume(), 1),
                class.within_15_percent(),
                class.diameter_covered(),
                class.volume_covered(),
                ends,
            ],
        );
    };
    for Cell { thickness, size, outcomes } in cells {
        row(thickness.to_string(), range(*size), &Class::new(outcomes));
    }
    for (name, thick) in [("1 and 1.5", [0.0, 2.0]), ("3 and 5", [2.0, 9.0])] {
        let within = |c: &&Cell| (thick[0]..thick[1]).contains(&c.thickness);
        for (size, least) in [("from 4 up", 4.0), ("all", 0.0)] {
            let outcomes = cells.iter().filter(within).filter(|c| c.size[0] >= least).flat_map(|c| &c.outcomes);
            row(format!("**{name}**"), format!("**{size}**"), &Class::new(outcomes));
        }
    }
}

fn by_density(text: &mut String, cells: &[Cell]) {
    head(
        text,
        "By slice thickness and density",
        &[
            "slices, mm",
            "true HU",
            "stand out / n",
            "diameter bias, mm (95 % CI)",
            "volume bias, % (95 % CI)",
            "core HU bias, % (95 % CI)",
            "diameter interval holds the truth, % (95 % CI)",
            "volume interval holds the truth, % (95 % CI)",
        ],
    );
    for thickness in THICKNESSES {
        for hu in DENSITIES {
            let of = cells.iter().filter(|c| c.thickness == thickness).flat_map(|c| &c.outcomes);
            let class = Class::new(of.filter(|o| (hu[0]..hu[1]).contains(&o.scan.hu)));
            let (out, n) = class.stand_out();
            line(
                text,
                &[
                    thickness.to_string(),
                    range(hu),
                    format!("{out} / {n}"),
                    bias(class.diameter(), 2),
                    bias(class.volume(), 1),
                    bias(class.density(), 1),
                    class.diameter_covered(),
                    class.volume_covered(),
                ],
            );
        }
    }
}

fn lengths(text: &mut String, cells: &[Cell]) {
    head(
        text,
        "The other lengths, stones from 4 mm up",
        &[
            "slices, mm",
            "n",
            "axial diameter bias, mm (95 % CI)",
            "coronal diameter bias, mm (95 % CI)",
            "width bias, mm (95 % CI)",
            "90 % of the axial errors, mm",
            "90 % of the coronal errors, mm",
            "90 % of the width errors, mm",
        ],
    );
    for thickness in THICKNESSES {
        let class =
            Class::new(cells.iter().filter(|c| c.thickness == thickness && c.size[0] >= 4.0).flat_map(|c| &c.outcomes));
        let spread = |e: Option<Errors>| e.map_or("-".to_owned(), |e| format!("{:+.2} to {:+.2}", e.low, e.high));
        line(
            text,
            &[
                thickness.to_string(),
                class.stand_out().0.to_string(),
                bias(class.axial(), 2),
                bias(class.coronal(), 2),
                bias(class.width(), 2),
                spread(class.axial()),
                spread(class.coronal()),
                spread(class.width()),
            ],
        );
    }
}

fn by_mark(text: &mut String, cells: &[Cell], per_class: u64) {
    head(
        text,
        "By the mark, beside counting its voxels",
        &[
            "slices, mm",
            "mark",
            "n",
            "diameter bias by density, mm (95 % CI)",
            "diameter bias by counting, mm",
            "volume bias by density, % (95 % CI)",
            "volume bias by counting, %",
        ],
    );
    let n = per_class.div_ceil(2);
    for thickness in [1.0, 3.0, 5.0] {
        for mark in [Mark::Truth, Mark::Dilated, Mark::Eroded] {
            let scans: Vec<StoneScan> = cells
                .iter()
                .filter(|c| c.thickness == thickness && (4.0..10.0).contains(&c.size[0]))
                .flat_map(|c| c.outcomes.iter().take(n as usize).map(|o| o.scan))
                .collect();
            eprintln!("{thickness} mm slices, mark {mark:?}");
            let outcomes = measured_all(&scans, mark);
            let class = Class::new(&outcomes);
            let count = outcomes.len() as f64;
            let mean = |error: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(error).sum::<f64>() / count;
            let name = match mark {
                Mark::Truth => "as it is",
                Mark::Dilated => "a voxel larger",
                Mark::Eroded => "a pixel smaller",
            };
            line(
                text,
                &[
                    thickness.to_string(),
                    name.to_owned(),
                    outcomes.len().to_string(),
                    bias(class.diameter(), 2),
                    format!("{:+.2}", mean(&|o| o.by_mask[0] - o.truth.stone.largest_diameter_mm)),
                    bias(class.volume(), 1),
                    format!("{:+.1}", mean(&|o| 100.0 * (o.by_mask[1] / o.truth.stone.volume_mm3 - 1.0))),
                ],
            );
        }
    }
}

fn sharp(text: &mut String, per_class: u64) {
    head(
        text,
        "Sharp kernel (edge overshoot, noise times 1.5), stones of 4-10 mm",
        &[
            "slices, mm",
            "n",
            "diameter bias, mm (95 % CI)",
            "within a voxel of the coarsest axis, % (95 % CI)",
            "volume bias, % (95 % CI)",
            "diameter interval holds the truth, % (95 % CI)",
            "volume interval holds the truth, % (95 % CI)",
        ],
    );
    for thickness in THICKNESSES {
        eprintln!("{thickness} mm slices, sharp kernel");
        let as_sharp = |scan: StoneScan| StoneScan {
            kernel: Kernel::Bone,
            noise_hu: 1.5 * scan.noise_hu,
            seed: scan.seed + 50_000,
            ..scan
        };
        let outcomes = measured_all(
            &scans(thickness, [4.0, 10.0], per_class).into_iter().map(as_sharp).collect::<Vec<_>>(),
            Mark::Truth,
        );
        let class = Class::new(&outcomes);
        line(
            text,
            &[
                thickness.to_string(),
                class.stand_out().0.to_string(),
                bias(class.diameter(), 2),
                class.within_a_voxel(),
                bias(class.volume(), 1),
                class.diameter_covered(),
                class.volume_covered(),
            ],
        );
    }
}

fn picture(cells: &[Cell], error: fn(&Class) -> Option<Errors>, unit: &str, limits: [f64; 2]) -> String {
    let panels: Vec<Panel> = THICKNESSES
        .map(|thickness| Panel {
            title: format!("slices of {thickness} mm"),
            series: DENSITIES
                .map(|hu| {
                    let of = |c: &Cell| {
                        error(&Class::new(c.outcomes.iter().filter(|o| (hu[0]..hu[1]).contains(&o.scan.hu))))
                    };
                    Series {
                        name: format!("{} HU", range(hu)),
                        points: cells.iter().filter(|c| c.thickness == thickness).map(of).collect(),
                    }
                })
                .into(),
        })
        .into();
    svg(&panels, &SIZES.map(range), unit, limits)
}
