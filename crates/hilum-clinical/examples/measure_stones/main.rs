//! Measures simulated stones whose size is known.
//!
//! `measure_stones page FOLDER [PER_CLASS]` writes `measurement.md` and its plots; `measure_stones calibrate [STONES]` prints the tables of
//! `urinary_stone/density/interval.rs`. `cargo xtask bench stones` runs the first.

mod calibrate;
mod page;
mod plot;
mod rows;
#[path = "../../tests/trial/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod trial;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    match arguments.first().map(String::as_str) {
        Some("page") if arguments.len() > 1 => match page::write(arguments[1].as_ref(), number(2, 100)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error}", arguments[1]);
                ExitCode::FAILURE
            }
        },
        Some("calibrate") => {
            print!("{}", calibrate::tables(number(1, 1800)));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: measure_stones page FOLDER [PER_CLASS] | calibrate [STONES]");
            ExitCode::from(2)
        }
    }
}
