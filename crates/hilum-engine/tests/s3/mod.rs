//! A throw-away S3 service for tests and measurements: moto's, of the oracles' Python, on loopback. It keeps everything in memory and
//! ends with the process that started it. Included by path where it is needed; needs the standard library alone.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Address of a service that runs already, as `cargo xtask test` starts one for all tests.
pub const SERVER: &str = "HILUM_TEST_S3";

/// Runs as long as this is there.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Its standard input is what keeps the service alive.
    child: Child,
}

impl Server {
    /// `None` where the Python of `python` has no moto.
    pub fn start(python: &Path) -> io::Result<Option<Self>> {
        let imports = ["-c", "import moto.server, flask, flask_cors"];
        if !Command::new(python).args(imports).stderr(Stdio::null()).status()?.success() {
            return Ok(None);
        }
        Self::with(python, &[]).map(Some)
    }

    /// One that knows nobody's credentials, and looks at them.
    pub fn strict(python: &Path) -> io::Result<Self> {
        Self::with(python, &[("INITIAL_NO_AUTH_ACTION_COUNT", "0")])
    }

    fn with(python: &Path, settings: &[(&str, &str)]) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", "\"$@\" 2>&1 & read -r _; kill -KILL $!; wait", "sh"])
            .arg(python)
            .args(["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", "0"])
            .env("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", (1_u64 << 40).to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(io::Error::other("moto ended before it listened"));
            }
            if let Some((_, address)) = line.split_once("Running on http://") {
                break address.trim().parse().map_err(io::Error::other)?;
            }
        };
        // What it says of each request is for nobody, and a full pipe would stop it.
        std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        Ok(Self { address, child })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("the throw-away S3 service could not be waited for: {error}");
        }
    }
}

/// Makes a bucket where there is none.
pub fn create_bucket(address: SocketAddr, name: &str) -> io::Result<()> {
    ask(address, "PUT", &format!("/{name}"), &[]).map(drop)
}

/// One request, behind Hilum's back; the answer's body. moto believes every signature.
pub fn ask(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let sign = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{sign}\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = String::from_utf8_lossy(&answer[..head]);
    let status = status.lines().next().unwrap_or_default();
    if !status.contains(" 2") {
        return Err(io::Error::other(format!("{method} {path}: {status}")));
    }
    Ok(answer.split_off(head + 4))
}

/// Names of what lies in a bucket, in order.
pub fn names(address: SocketAddr, bucket: &str) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().cloned().unwrap_or_default();
        let listed = ask(address, "GET", &format!("/{bucket}?list-type=2&start-after={after}"), &[])?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let before = names.len();
        names.extend(listed.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())));
        if names.len() == before {
            return Ok(names);
        }
    }
}

/// The service of this process or of the whole run; `None`, with a printed reason, where moto is not installed.
pub fn shared() -> Option<SocketAddr> {
    static SHARED: OnceLock<Option<(SocketAddr, Option<Server>)>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        if let Ok(address) = std::env::var(SERVER) {
            return Some((address.parse().unwrap_or_else(|_| panic!("{SERVER} is no address and port")), None));
        }
        let python = std::env::var_os("HILUM_ORACLE_PYTHON")?;
        let started = Server::start(Path::new(&python)).unwrap_or_else(|error| panic!("no S3 service: {error}"));
        started.map(|server| (server.address(), Some(server)))
    });
    if shared.is_none() {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "HILUM_REQUIRE_ORACLES is set, there is no moto");
        println!("SKIPPED: the oracles' Python has no moto (cargo xtask test --install)");
    }
    shared.as_ref().map(|(address, _)| *address)
}

/// Whether this run of the tests is one over S3.
pub fn is_asked_for() -> bool {
    std::env::var("HILUM_TEST_STORE").is_ok_and(|store| store == "s3")
}

/// The bucket of a data folder, made when it is first asked for.
pub fn bucket_of(data: &Path) -> Option<(SocketAddr, String)> {
    let address = shared()?;
    // The end of its path differs from folder to folder.
    let mut name = "t".to_owned();
    let path = data.as_os_str().as_encoded_bytes();
    for byte in &path[path.len().saturating_sub(30)..] {
        write!(name, "{byte:02x}").expect("writing to a String cannot fail");
    }
    create_bucket(address, &name).unwrap_or_else(|error| panic!("no bucket: {error}"));
    Some((address, name))
}
