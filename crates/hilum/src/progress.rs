//! Progress bars: on a terminal only, on standard error.

use std::{future::Future, pin::pin, time::Duration};

use hilum_engine::WorkControl;
use indicatif::{ProgressBar, ProgressStyle};

use crate::shutdown::Shutdown;

/// How often a bar looks at the work.
const EVERY: Duration = Duration::from_millis(100);

/// A bar of unknown length with a message.
pub fn bar(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// From now on the bar goes to `total` things.
pub fn set_total(bar: &ProgressBar, total: u64) {
    if bar.length() != Some(total) {
        bar.set_length(total);
        bar.set_style(counting());
    }
}

fn counting() -> ProgressStyle {
    let template = "{msg} [{wide_bar}] {pos}/{len} {eta}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Runs `work` under a bar that follows `control`; Ctrl-C stops it after the things in hand.
pub async fn watched<W: Future>(what: &'static str, control: &WorkControl, work: W) -> std::io::Result<W::Output> {
    let shutdown = Shutdown::on_signals()?;
    let (stop, asked) = (control.clone(), shutdown.asked());
    tokio::spawn(async move {
        asked.await;
        stop.cancel();
    });
    let bar = bar(what);
    let done = follow(work, async || {
        if let Some(total) = control.total() {
            set_total(&bar, total);
        }
        bar.set_position(control.done());
    })
    .await;
    bar.finish_and_clear();
    Ok(done)
}

/// Runs `work` and lets `look` move a bar meanwhile.
pub async fn follow<W: Future>(work: W, mut look: impl AsyncFnMut()) -> W::Output {
    let mut work = pin!(work);
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => look().await,
        }
    }
}
