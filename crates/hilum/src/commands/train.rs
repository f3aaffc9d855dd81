//! `hilum train`

use std::ops::ControlFlow;

use hilum_learn::Progress;
use indicatif::ProgressBar;

use crate::{cli::TrainArguments, commands::block_on, progress, settings::Settings, shutdown::Shutdown};

pub fn run(settings: &Settings, arguments: &TrainArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let (plan, out) = (arguments.plan.clone(), arguments.out.clone());
    let card = block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let bar = progress::bar("training");
        let work = move || {
            let card = hilum_learn::run(&plan, &out, &mut |told| {
                show(&bar, told);
                if shutdown.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            bar.finish_and_clear();
            card
        };
        Ok(tokio::task::spawn_blocking(work).await??)
    })?;
    println!("{}: {}", arguments.out.display(), card.statement);
    super::evaluate::print(&card.metrics);
    Ok(())
}

fn show(bar: &ProgressBar, told: Progress) {
    let (message, done, of) = match told {
        Progress::Patient { cohort, done, of } => (format!("{cohort} patients"), done, of),
        Progress::Step { epoch, step, of } => (format!("epoch {epoch}"), step, of),
        Progress::Epoch { number, epoch, lowest } => {
            let note = if lowest { ", the lowest so far" } else { "" };
            println!(
                "epoch {number}: training loss {:.4}, validation loss {:.4}{note}",
                epoch.training_loss, epoch.validation_loss
            );
            return;
        }
        Progress::Threshold(threshold) => {
            println!("threshold {threshold:.3}, chosen on the validation patients");
            return;
        }
    };
    progress::set_total(bar, of as u64);
    bar.set_message(message);
    bar.set_position(done as u64);
}
