//! Progress bars: on a terminal only, on standard error.

use std::{future::Future, pin::pin, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

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
