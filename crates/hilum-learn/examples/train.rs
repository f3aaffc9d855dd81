//! Trains the model of a plan: `cargo run --release -p hilum-learn --example train -- PLAN.toml OUT`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use hilum_learn::{Progress, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(plan), Some(out)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: train PLAN.toml OUT");
        return ExitCode::from(2);
    };
    let mut tell = |progress: Progress| {
        match progress {
            Progress::Patient { cohort, done, of } => eprintln!("{cohort}: patient {done} of {of}"),
            Progress::Step { epoch, step, of } if step % 50 == 0 => eprintln!("epoch {epoch}: step {step} of {of}"),
            Progress::Step { .. } => {}
            Progress::Epoch { number, epoch, lowest } => eprintln!(
                "epoch {number}: training loss {:.4}, validation loss {:.4}{}, learning rate {:.1e}, {:.0} s",
                epoch.training_loss,
                epoch.validation_loss,
                if lowest { " (lowest)" } else { "" },
                epoch.learning_rate,
                epoch.seconds
            ),
            Progress::Threshold(threshold) => eprintln!("threshold {threshold:.4}"),
        }
        ControlFlow::Continue(())
    };
    match run(&plan, &out, &mut tell) {
        Ok(card) => {
            println!("{:#?}", card.metrics);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
