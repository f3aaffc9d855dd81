//! Bias by size, density and slice thickness as an SVG picture.

use std::fmt::Write as _;

use crate::rows::Errors;

/// One series of a panel: a name, and for each size class its errors.
pub struct Series {
    pub name: String,
    pub points: Vec<Option<Errors>>,
}

/// One panel.
pub struct Panel {
    pub title: String,
    pub series: Vec<Series>,
}

const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];
const WIDTH: f64 = 250.0;
const HEIGHT: f64 = 190.0;

/// Panels side by side: medians with the range of 90 % of the stones. `limits` of the vertical axis.
pub fn svg(panels: &[Panel], classes: &[String], unit: &str, limits: [f64; 2]) -> String {
    let (left, top) = (46.0, 44.0);
    let total = left + panels.len() as f64 * (WIDTH + 16.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total:.0}\" height=\"{:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        top + HEIGHT + 46.0
    );
    let y =
        |value: f64| top + HEIGHT * (1.0 - (value.clamp(limits[0], limits[1]) - limits[0]) / (limits[1] - limits[0]));
    let mut add = |line: String| writeln!(text, "{line}").expect("a string");
    for (number, panel) in panels.iter().enumerate() {
        let x0 = left + number as f64 * (WIDTH + 16.0);
        add(format!("<text x=\"{x0:.0}\" y=\"18\" font-weight=\"bold\">{}</text>", panel.title));
        add(format!(
            "<rect x=\"{x0:.1}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>"
        ));
        for tick in 0..=4 {
            let value = limits[0] + (limits[1] - limits[0]) * f64::from(tick) / 4.0;
            let colour = if value == 0.0 { "#444" } else { "#ddd" };
            add(format!(
                "<line x1=\"{x0:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
                x0 + WIDTH,
                y(value),
                y(value)
            ));
            if number == 0 {
                add(format!(
                    "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                    x0 - 4.0,
                    y(value) + 4.0
                ));
            }
        }
        let step = WIDTH / classes.len() as f64;
        for (k, class) in classes.iter().enumerate() {
            let x = x0 + step * (k as f64 + 0.5);
            add(format!("<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{class}</text>", top + HEIGHT + 14.0));
        }
        for (s, series) in panel.series.iter().enumerate() {
            let colour = COLOURS[s % COLOURS.len()];
            if number == 0 {
                let x = x0 + 4.0 + 82.0 * s as f64;
                add(format!(
                    "<circle cx=\"{x:.0}\" cy=\"32\" r=\"3.5\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"36\">{}</text>",
                    x + 7.0,
                    series.name
                ));
            }
            for (k, errors) in series.points.iter().enumerate() {
                let Some(e) = errors else { continue };
                let x = x0 + step * (k as f64 + 0.5) + 9.0 * (s as f64 - 1.0);
                add(format!(
                    "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                    y(e.low),
                    y(e.high)
                ));
                add(format!("<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", y(e.median)));
            }
        }
    }
    add(format!(
        "<text x=\"{left}\" y=\"{:.0}\">true largest diameter, mm; vertical: {unit}; dots: medians, lines: 90 % of the stones; values beyond the frame lie on its edge; synthetic</text>",
        top + HEIGHT + 34.0
    ));
    text.push_str("</svg>\n");
    text
}
