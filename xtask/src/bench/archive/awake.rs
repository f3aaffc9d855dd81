//! Processors that do not halt while answers are timed.

use std::process::{Child, Command, Stdio};

/// A loop of idle priority on every processor, for as long as this is there.
pub struct Awake(Vec<Child>);

impl Awake {
    /// Whatever else wants to run runs instead.
    pub fn keep() -> anyhow::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = |_| {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()
        };
        Ok(Self((0..processors).map(spin).collect::<Result<_, _>>()?))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let gone = child.kill().and_then(|()| child.wait());
            if let Err(error) = gone {
                eprintln!("a loop that kept a processor awake still runs: {error}");
            }
        }
    }
}
