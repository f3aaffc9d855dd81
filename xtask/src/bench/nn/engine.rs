//! A process under measurement: it prepares, says so, and answers every `go` with one figure.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

use crate::bench::process;

/// A prepared process. It is ended when dropped.
pub struct Engine {
    name: String,
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Two figures of its results, by which all engines of a row are seen to do the same work.
    pub results: [f64; 2],
    /// What it says of itself.
    pub note: String,
}

/// What became of starting one.
pub enum Start {
    /// It waits for `go`.
    Ready(Engine),
    /// It is not there, for that reason.
    Absent(String),
}

impl Engine {
    /// Starts the command and waits until it has prepared everything.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Start> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {name}: {command:?}"))?;
        let asked = child.stdin.take().context("standard input")?;
        let answers = BufReader::new(child.stdout.take().context("standard output")?);
        let mut engine = Self { name: name.to_owned(), child, asked, answers, results: [0.0; 2], note: String::new() };
        let line = engine.answer()?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match word {
            "absent" => Ok(Start::Absent(rest.to_owned())),
            "ready" => {
                let mut words = rest.splitn(3, ' ');
                for result in &mut engine.results {
                    let word = words.next().unwrap_or_default();
                    *result = word.parse().with_context(|| format!("{name} answered {line:?}"))?;
                }
                words.next().unwrap_or_default().trim().clone_into(&mut engine.note);
                Ok(Start::Ready(engine))
            }
            _ => bail!("{name} answered {line:?} instead of ready or absent"),
        }
    }

    /// One figure: seconds, or GFLOP/s of the peak.
    pub fn measure(&mut self) -> anyhow::Result<f64> {
        writeln!(self.asked, "go").with_context(|| format!("{} does not listen any more", self.name))?;
        let line = self.answer()?;
        let value: f64 = line.parse().with_context(|| format!("{} answered {line:?}", self.name))?;
        anyhow::ensure!(value.is_finite() && value > 0.0, "{} measured {value}", self.name);
        Ok(value)
    }

    /// Highest resident memory of the process so far, MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        Ok(process::usage(self.child.id())?.peak_mib)
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} ended with {} before it answered", self.name, self.child.wait()?);
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripted(script: &str) -> anyhow::Result<Start> {
        Engine::start("the scripted peer", Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_ready_engine_answers_every_go_and_an_absent_one_says_why() {
        let script = "echo 'ready 5e-1 2.5e-1 with a note'; while read go; do echo \"$go\" | sed 's/go/1.5e-3/'; done";
        let Start::Ready(mut engine) = scripted(script).unwrap() else { panic!("it is ready") };
        assert_eq!((engine.results, engine.note.as_str()), ([0.5, 0.25], "with a note"));
        assert_eq!([engine.measure().unwrap(), engine.measure().unwrap()], [1.5e-3; 2]);
        assert!(engine.peak_mib().unwrap() > 0.0);
        let Start::Absent(why) = scripted("echo absent no such module").unwrap() else { panic!("it is absent") };
        assert_eq!(why, "no such module");
    }

    #[test]
    fn an_engine_that_ends_or_speaks_otherwise_is_named() {
        let error = |script: &str| scripted(script).err().map(|e| format!("{e:#}")).unwrap_or_default();
        assert!(error("exit 3").contains("the scripted peer ended with exit status: 3"), "{}", error("exit 3"));
        assert!(error("echo hello").contains("instead of ready or absent"));
        assert!(error("echo ready one 2").contains("answered"));
        let Start::Ready(mut engine) = scripted("echo ready 1 2; read go; echo -3; read go").unwrap() else {
            panic!("it is ready")
        };
        assert!(engine.measure().unwrap_err().to_string().contains("measured -3"));
    }
}
