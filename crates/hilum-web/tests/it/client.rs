//! A server on port 0, and an HTTP/1.1 client that says exactly what a test wants said.

use std::{net::SocketAddr, path::Path};

use hilum_engine::accounts::{AccountRules, InstitutionView, NewAccount};
use hilum_engine::{
    BucketSettings, CataloguePlace, Credentials, Endpoint, Engine, EngineConfig, Grant, InstitutionCode, Role,
    StoragePlace,
};
use hilum_web::{Door, WebConfig, WebServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use crate::{postgres, s3};

pub struct Running {
    pub address: SocketAddr,
    pub engine: Engine,
    pub doors: Vec<Door>,
    /// Of an account that may do everything.
    pub token: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    catalogue: CataloguePlace,
    folder: tempfile::TempDir,
}

pub async fn start() -> Running {
    start_with(|_| {}).await
}

pub async fn start_with(change: impl FnOnce(&mut WebConfig)) -> Running {
    let mut running = started(change, AccountRules::default()).await;
    running.token = token(&running.engine, "all", &Role::ALL).await;
    running
}

/// A server that nobody has an account on.
pub async fn start_fresh() -> Running {
    started(|_| {}, AccountRules::default()).await
}

/// The same, with rules of its own for accounts.
pub async fn start_fresh_by(rules: AccountRules) -> Running {
    started(|_| {}, rules).await
}

async fn started(change: impl FnOnce(&mut WebConfig), accounts: AccountRules) -> Running {
    let server = postgres::fresh_where_asked_for().map(|url| CataloguePlace::Server(url.parse().unwrap()));
    served(change, accounts, server.unwrap_or_default(), tempfile::tempdir().unwrap()).await
}

async fn served(
    change: impl FnOnce(&mut WebConfig),
    accounts: AccountRules,
    catalogue: CataloguePlace,
    data: tempfile::TempDir,
) -> Running {
    let storage = store(data.path());
    let place = catalogue.clone();
    let config = EngineConfig { shipped_model: false, catalogue, storage, accounts, ..EngineConfig::new(data.path()) };
    let engine = Engine::open(config).await.unwrap();
    let own = engine.clone();
    let mut config = WebConfig::new("127.0.0.1:0".parse().unwrap());
    change(&mut config);
    let server = WebServer::bind(config, engine).await.unwrap();
    let address = server.local_addr().unwrap();
    let doors = server.doors();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    Running {
        address,
        doors,
        engine: own,
        token: String::new(),
        stop: Some(stop),
        task,
        catalogue: place,
        folder: data,
    }
}

/// A token of a new account with these roles in this installation's own institution.
pub async fn token(engine: &Engine, login: &str, roles: &[Role]) -> String {
    token_at(engine, login, "LOCAL", roles).await
}

/// The same, in any institution, which is made where it is missing.
pub async fn token_at(engine: &Engine, login: &str, institution: &str, roles: &[Role]) -> String {
    let code: InstitutionCode = institution.parse().unwrap();
    let scope = engine.console_scope().await.unwrap();
    let new = InstitutionView { code: code.clone(), name: String::new() };
    engine.add_institution(&scope, &new).await.unwrap();
    let scope = engine.console_scope().await.unwrap();
    let roles: Vec<Grant> = roles.iter().map(|&role| Grant { institution: code.clone(), role }).collect();
    let new = NewAccount { login: login.to_owned(), name: String::new(), roles: roles.clone() };
    let (account, _) = engine.add_account(&scope, &new).await.unwrap();
    engine.add_token(&scope, account.id, "tests", &roles, 1).await.unwrap().0
}

/// Where objects are: in the data folder, or in a bucket of its own where these tests run over S3.
fn store(data: &Path) -> StoragePlace {
    if !s3::is_asked_for() {
        return StoragePlace::Folder;
    }
    let (address, bucket) = s3::bucket_of(data).expect("HILUM_TEST_STORE is s3, and there is no moto");
    StoragePlace::Bucket(BucketSettings {
        url: format!("s3://{bucket}").parse().unwrap(),
        endpoint: Some(Endpoint::parse(&format!("http://{address}"), true).unwrap()),
        region: "us-east-1".into(),
        ca: None,
        credentials: Credentials {
            access_key_id: "test".into(),
            secret_access_key: "test".into(),
            session_token: None,
        },
    })
}

/// A file, or an object of a bucket, behind the server's back.
pub enum Stored {
    File(std::path::PathBuf),
    Object(SocketAddr, String),
}

impl Stored {
    pub fn read(&self) -> Vec<u8> {
        match self {
            Self::File(file) => std::fs::read(file).unwrap(),
            Self::Object(address, path) => s3::ask(*address, "GET", path, &[]).unwrap(),
        }
    }

    pub fn write(&self, bytes: &[u8]) {
        match self {
            Self::File(file) => std::fs::write(file, bytes).unwrap(),
            Self::Object(address, path) => drop(s3::ask(*address, "PUT", path, bytes).unwrap()),
        }
    }

    /// It is not there until it is shown again.
    pub fn hide(self) -> Hidden {
        match &self {
            Self::File(file) => {
                std::fs::rename(file, file.with_extension("hidden")).unwrap();
                Hidden(self, Vec::new())
            }
            Self::Object(address, path) => {
                let bytes = self.read();
                s3::ask(*address, "DELETE", path, &[]).unwrap();
                Hidden(self, bytes)
            }
        }
    }
}

pub struct Hidden(Stored, Vec<u8>);

impl Hidden {
    pub fn show(&self) {
        match &self.0 {
            Stored::File(file) => std::fs::rename(file.with_extension("hidden"), file).unwrap(),
            Stored::Object(..) => self.0.write(&self.1),
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Content-Type and body of each part of a multipart answer.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let content_type = self.header("content-type").unwrap();
        assert!(content_type.starts_with("multipart/related; type=\""), "{content_type}");
        let boundary = format!("\r\n--{}", content_type.split("boundary=").nth(1).unwrap());
        let find = |from: usize, what: &str| {
            let what = what.as_bytes();
            self.body[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
        };
        let mut parts = Vec::new();
        let mut at = find(0, &boundary).unwrap() + boundary.len();
        while !self.body[at..].starts_with(b"--") {
            let head_end = find(at, "\r\n\r\n").unwrap();
            let head = String::from_utf8(self.body[at..head_end].to_vec()).unwrap();
            let own = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap().to_owned();
            let end = find(head_end, &boundary).unwrap();
            parts.push((own, self.body[head_end + 4..end].to_vec()));
            at = end + boundary.len();
        }
        parts
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Running {
    /// The data folder.
    pub fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What is stored below one of the data folder's folders, or of its bucket's.
    pub fn stored(&self, folder: &str) -> Vec<Stored> {
        if s3::is_asked_for() {
            let (address, bucket) = s3::bucket_of(self.data()).unwrap();
            let names = s3::names(address, &bucket).unwrap().into_iter().filter(|name| name.starts_with(folder));
            return names.map(|name| Stored::Object(address, format!("/{bucket}/{name}"))).collect();
        }
        let folder = self.data().join(folder);
        let files = if folder.is_dir() { crate::oracle::files(&folder) } else { Vec::new() };
        files.into_iter().map(Stored::File).collect()
    }

    /// The same data, served by other rules for accounts.
    pub async fn again_by(self, rules: AccountRules) -> Self {
        let Self { engine, stop, task, catalogue, folder, .. } = self;
        stop.unwrap().send(()).unwrap();
        task.await.unwrap().unwrap();
        engine.close().await;
        served(|_| {}, rules, catalogue, folder).await
    }

    pub async fn stop(mut self) -> std::io::Result<()> {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    /// `GET` of what an Accept header names.
    pub async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send("GET", path, &[("Accept", accept)], b"").await
    }

    /// Stores files; all of them are kept.
    pub async fn store(&self, files: &[&[u8]]) {
        let content_type = "multipart/related; type=\"application/dicom\"; boundary=bound";
        let body = crate::synthetic::multipart("bound", files);
        let answer = self.send("POST", "/dicom-web/studies", &[("Content-Type", content_type)], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// One request on a connection of its own, with the headers a client must send, those given, and the token.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("Authorization", bearer.as_str())]).collect();
        self.send_bare(method, path, &headers, body).await
    }

    /// The same without the token.
    pub async fn send_bare(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let own = [("Connection", "close".to_owned()), ("Host", self.address.to_string())];
        let own =
            own.into_iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        let length = (!body.is_empty()).then(|| ("Content-Length", body.len().to_string()));
        let given = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let lines: Vec<String> =
            own.chain(given).chain(length).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\n{}", lines.concat());
        self.raw(&[format!("{head}\r\n").as_bytes(), body].concat()).await
    }

    /// Bytes as they are; then the answer until the server closes.
    pub async fn raw(&self, request: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has taken everything.
        let sent = socket.write_all(request).await;
        let mut bytes = Vec::new();
        let read = socket.read_to_end(&mut bytes).await;
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {sent:?} {read:?}"));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        let answer = Answer { status, head, body };
        if answer.header("transfer-encoding") == Some("chunked") {
            Answer { body: unchunk(&answer.body), ..answer }
        } else {
            answer
        }
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend(&bytes[line + 2..line + 2 + length]);
        bytes = &bytes[line + 2 + length + 2..];
    }
}
