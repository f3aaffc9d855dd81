//! A throw-away PostgreSQL server for tests and measurements: a folder of its own under the temporary folder, a UNIX socket in it, no
//! network. It ends with the process that started it. Included by path where it is needed; needs the standard library alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that runs already, as `cargo xtask test` starts one for all tests.
pub const SERVER: &str = "HILUM_TEST_POSTGRES";

/// `nobody`, where tests run as root: PostgreSQL refuses to.
const NOBODY: u32 = 65_534;
const USER: &str = "hilum";

/// Runs as long as this is there.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    /// Its standard input is what keeps the server alive.
    child: Child,
}

impl Server {
    /// `None` where PostgreSQL is not installed. `settings` are those of `postgresql.conf`.
    pub fn start(settings: &[&str]) -> io::Result<Option<Self>> {
        let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else { return Ok(None) };
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hilum-pg-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let data = folder.join("data");
        if is_root() {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        // Not the order of bytes: nothing may depend on a server's collation.
        let made = as_nobody(Command::new(initdb).arg("-D").arg(&data).args([
            "--username",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=ko",
            "--no-sync",
        ]))
        .output()?;
        succeeded("initdb", &made)?;
        let mut run = Command::new("sh");
        run.arg("-c")
            .arg("folder=$1; shift; \"$@\" >\"$folder/log\" 2>&1 & read -r _; kill -INT $!; wait; rm -rf \"$folder\"")
            .arg("sh")
            .arg(&folder)
            .arg(postgres)
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "max_connections=300"]);
        for setting in settings {
            run.args(["-c", setting]);
        }
        let child = as_nobody(&mut run).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { socket: folder, child };
        let started = Instant::now();
        while let Err(error) = ask(&server.socket, "SELECT 1") {
            if started.elapsed() > Duration::from_mins(1) {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Some(server))
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("the throw-away server could not be waited for: {error}");
        }
    }
}

/// A new and empty database called `name`; its address, as the setting has it.
pub fn create(socket: &Path, name: &str) -> io::Result<String> {
    ask(socket, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
    Ok(url(socket, name))
}

/// The address of a database.
pub fn url(socket: &Path, name: &str) -> String {
    format!("postgres://{USER}:unlooked-for@localhost/{name}?host={}", socket.display())
}

/// What `psql` prints, a row a line.
pub fn query(socket: &Path, database: &str, sql: &str) -> io::Result<String> {
    let psql = program("psql").ok_or_else(|| io::Error::other("psql is not installed"))?;
    let told = Command::new(psql)
        .args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-h"])
        .arg(socket)
        .args(["-c", sql])
        .output()?;
    succeeded("psql", &told)?;
    Ok(String::from_utf8_lossy(&told.stdout).trim_end().to_owned())
}

fn ask(socket: &Path, sql: &str) -> io::Result<String> {
    query(socket, "postgres", sql)
}

/// The server of this process or of the whole run; `None`, with a printed reason, where PostgreSQL is not installed.
pub fn shared() -> Option<&'static Path> {
    static SHARED: OnceLock<Option<(PathBuf, Option<Server>)>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        if let Some(socket) = std::env::var_os(SERVER) {
            return Some((PathBuf::from(socket), None));
        }
        let started = Server::start(THROW_AWAY).unwrap_or_else(|error| panic!("no throw-away server: {error}"));
        started.map(|server| (server.socket().to_owned(), Some(server)))
    });
    if shared.is_none() {
        assert!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(),
            "HILUM_REQUIRE_ORACLES is set, PostgreSQL is not installed"
        );
        println!("SKIPPED: PostgreSQL is not installed (apt-get install postgresql)");
    }
    shared.as_ref().map(|(socket, _)| socket.as_path())
}

/// Whether this run of the tests is one over PostgreSQL.
pub fn is_asked_for() -> bool {
    std::env::var("HILUM_TEST_CATALOGUE").is_ok_and(|place| place == "postgres")
}

/// The address of a new database, where this run of the tests is one over PostgreSQL.
pub fn fresh_where_asked_for() -> Option<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    is_asked_for().then(|| {
        let socket = shared().expect("HILUM_TEST_CATALOGUE is postgres, which is not installed");
        let name = format!("t{}_{number}", std::process::id());
        create(socket, &name).unwrap_or_else(|error| panic!("no database: {error}"))
    })
}

/// For data that nobody will miss.
pub const THROW_AWAY: &[&str] = &["fsync=off", "full_page_writes=off", "shared_buffers=64MB"];

/// Debian keeps the server's programs out of the path.
fn program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path).map(|folder| folder.join(name)));
    found.into_iter().find(|file| file.is_file())
}

fn as_nobody(command: &mut Command) -> &mut Command {
    command.current_dir("/");
    if is_root() {
        use std::os::unix::process::CommandExt as _;
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // The owner of what this process has open is this process.
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn succeeded(what: &str, output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
