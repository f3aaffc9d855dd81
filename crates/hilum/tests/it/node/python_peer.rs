//! A peer in Python that listens.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Where a script of this folder lies.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/node").join(name)
}

/// A script of this folder that listens until its standard input ends, or it has heard what it waits for.
pub struct PythonPeer {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl PythonPeer {
    /// Starts it and waits until it listens.
    pub fn listening(python: &str, script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(python);
        command.arg(self::script(script)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python starts");
        let said = child.stdout.take().map(BufReader::new).expect("it is piped");
        let mut peer = Self { child, said };
        assert_eq!(peer.line(), "listening");
        peer
    }

    /// What it says next.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for PythonPeer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait();
        assert!(std::thread::panicking() || ended.is_ok(), "{ended:?}");
    }
}
