//! An OpenID provider that keeps the protocol's rules against its client, and lies to it as it is told.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hilum_engine::{Grant, Role};
use hilum_web::{ClaimRole, ClientSecret, OpenIdProvider};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

pub const CLIENT: &str = "hilum";
const SECRET: &str = "a client's secret: with / and ~";

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signed {
    #[default]
    Honestly,
    /// `alg` none, and no signature.
    NotAtAll,
    /// HS256 by the public key's bytes, as they stand in the set of keys.
    ByThePublicKey,
    /// By a key that is not the provider's, under the name of one that is.
    ByAnotherKey,
    /// By a key that the set does not name.
    ByUnknownKey,
    /// `jwk` in the header names the key.
    ByItsOwnWord,
}

/// How an address is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answered {
    #[default]
    Honestly,
    /// Longer than any such document.
    TooLong,
    /// It never ends, and comes slowly.
    Endlessly,
    /// Nothing comes.
    Silently,
    /// 302 to there.
    Redirected(String),
    Status(u16),
    With(Value),
}

#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// Instead of the true claims; null takes one away.
    pub claims: Value,
    pub signed: Signed,
    pub discovery: Answered,
    pub keys: Answered,
    pub token: Answered,
    /// The name of the key, which is another key with another name.
    pub kid: u32,
}

/// Somebody agreed to sign in.
struct Agreed {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    claims: Value,
}

struct State {
    issuer: String,
    lies: Lies,
    codes: HashMap<String, Agreed>,
    keys: HashMap<u32, Arc<EcdsaKeyPair>>,
    asked: Vec<String>,
}

#[derive(Clone)]
pub struct Liar {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

fn key() -> Arc<EcdsaKeyPair> {
    let random = SystemRandom::new();
    let bytes = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    Arc::new(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes.as_ref(), &random).unwrap())
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Liar {
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// Over HTTPS, as `localhost`.
    pub async fn start_tls(certificate: &[u8], key: &[u8]) -> Self {
        let certificate = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificate, key).unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            issuer: if tls.is_some() {
                format!("https://localhost:{}", address.port())
            } else {
                format!("http://{address}")
            },
            lies: Lies::default(),
            codes: HashMap::new(),
            keys: HashMap::new(),
            asked: Vec::new(),
        };
        let liar = Self { address, state: Arc::new(Mutex::new(state)) };
        let serving = liar.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (liar, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => liar.answer(socket).await,
                        // A client that does not believe us hangs up.
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                liar.answer(socket).await;
                            }
                        }
                    }
                });
            }
        });
        liar
    }

    /// As a hospital would configure it.
    pub fn settings(&self, id: &str) -> OpenIdProvider {
        let role = |value: &str, role| ClaimRole {
            claim: "groups".into(),
            value: value.into(),
            grant: Grant { institution: "LOCAL".parse().unwrap(), role },
        };
        OpenIdProvider {
            id: id.parse().unwrap(),
            name: "Hospital account".into(),
            issuer: self.state.lock().unwrap().issuer.parse().unwrap(),
            client_id: CLIENT.into(),
            client_secret: Some(ClientSecret::new(SECRET.into())),
            scopes: vec!["openid".into(), "profile".into()],
            login_claim: "preferred_username".into(),
            roles: vec![role("radiology-ksh", Role::Radiologist), role("archive", Role::DataSteward)],
            new_accounts: true,
            end_session: true,
            authorities: None,
        }
    }

    pub fn lie(&self, lies: Lies) {
        self.state.lock().unwrap().lies = lies;
    }

    /// How often an address was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    /// Somebody with these claims agrees at the address where a browser was sent. The code.
    pub fn agree(&self, location: &str, claims: &Value) -> String {
        let asked = query(location);
        let mut state = self.state.lock().unwrap();
        assert!(location.starts_with(&format!("{}/authorize?tenant=1&", state.issuer)), "{location}");
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["scope"], "openid profile");
        let code = format!("code/{}+", state.codes.len());
        let agreed = Agreed {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            claims: claims.clone(),
        };
        state.codes.insert(code.clone(), agreed);
        code
    }

    async fn answer(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        let (head, body) = loop {
            let Ok(read) = socket.read(&mut chunk).await else { return };
            if read == 0 {
                return;
            }
            request.extend_from_slice(&chunk[..read]);
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break (head.to_owned(), body.to_owned());
                }
            }
        };
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let (how, honest) = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(path.clone());
            match path.as_str() {
                "/.well-known/openid-configuration" => (state.lies.discovery.clone(), state.document()),
                "/jwks" => (state.lies.keys.clone(), state.jwks()),
                "/token" => (state.lies.token.clone(), state.redeem(&head, &body)),
                _ => (Answered::Status(404), json!({})),
            }
        };
        let reply = |status: u16, extra: &str, body: &str| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{extra}Connection: close\r\n\r\n{body}"
            )
        };
        let text = match how {
            Answered::Honestly if honest["error"].is_string() => reply(400, "", &honest.to_string()),
            Answered::Honestly => reply(200, "", &honest.to_string()),
            Answered::With(value) => reply(200, "", &value.to_string()),
            Answered::TooLong => {
                let mut long = honest;
                long["more"] = "x".repeat(300 * 1024).into();
                reply(200, "", &long.to_string())
            }
            Answered::Redirected(place) => reply(302, &format!("Location: {place}\r\n"), ""),
            Answered::Status(status) => reply(status, "", "{}"),
            Answered::Silently => {
                tokio::time::sleep(std::time::Duration::from_mins(1)).await;
                return;
            }
            Answered::Endlessly => {
                let head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                if socket.write_all(head.as_bytes()).await.is_err() {
                    return;
                }
                while socket.write_all(b"1\r\n \r\n").await.is_ok() {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                return;
            }
        };
        // The client may have gone.
        drop(socket.write_all(text.as_bytes()).await);
        drop(socket.shutdown().await);
    }
}

impl State {
    fn document(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "end_session_endpoint": format!("{issuer}/end"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn key(&mut self, kid: u32) -> Arc<EcdsaKeyPair> {
        Arc::clone(self.keys.entry(kid).or_insert_with(key))
    }

    fn jwk(&mut self, kid: u32) -> Value {
        let key = self.key(kid);
        let point = key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": format!("key {kid}"), "x": x, "y": y})
    }

    fn jwks(&mut self) -> Value {
        let own = self.jwk(self.lies.kid);
        json!({"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "something new"}, own]})
    }

    /// RFC 6749 4.1.3, RFC 7636 4.6: a code once, with its verifier, for the client that can prove itself.
    fn redeem(&mut self, head: &str, body: &str) -> Value {
        let shown = query(&format!("?{body}"));
        let proof = STANDARD.encode(format!("{CLIENT}:{}", "a%20client%27s%20secret%3A%20with%20%2F%20and%20~"));
        if !head.lines().any(|line| line == format!("authorization: Basic {proof}")) {
            return json!({"error": "invalid_client"});
        }
        let Some(agreed) = self.codes.remove(&shown["code"]) else { return json!({"error": "invalid_grant"}) };
        let verifier = digest::digest(&digest::SHA256, shown["code_verifier"].as_bytes());
        if URL_SAFE_NO_PAD.encode(verifier) != agreed.challenge || shown["redirect_uri"] != agreed.redirect_uri {
            return json!({"error": "invalid_grant"});
        }
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "sub-1", "nonce": agreed.nonce, "exp": now + 300, "iat": now,
            "at_hash": URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, b"access").as_ref()[..16]),
        });
        let lies = self.lies.claims.clone();
        for (name, value) in [&agreed.claims, &lies].into_iter().filter_map(Value::as_object).flatten() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        json!({"access_token": "access", "token_type": "Bearer", "id_token": self.token(&claims)})
    }

    fn token(&mut self, claims: &Value) -> String {
        let (kid, signed) = (self.lies.kid, self.lies.signed);
        let name = if signed == Signed::ByUnknownKey { "another key".to_owned() } else { format!("key {kid}") };
        let mut header = json!({"alg": "ES256", "kid": name});
        match signed {
            Signed::NotAtAll => header = json!({"alg": "none"}),
            Signed::ByThePublicKey => header["alg"] = "HS256".into(),
            Signed::ByItsOwnWord => header["jwk"] = self.jwk(999),
            _ => {}
        }
        let text = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = match signed {
            Signed::NotAtAll => String::new(),
            Signed::ByThePublicKey => {
                let public = self.jwk(kid).to_string();
                URL_SAFE_NO_PAD
                    .encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), text.as_bytes()))
            }
            Signed::Honestly => self.signature(kid, &text),
            Signed::ByAnotherKey | Signed::ByUnknownKey | Signed::ByItsOwnWord => self.signature(999, &text),
        };
        format!("{text}.{signature}")
    }

    fn signature(&mut self, kid: u32, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key(kid).sign(&SystemRandom::new(), text.as_bytes()).unwrap())
    }
}

/// The values in an address's query.
pub fn query(address: &str) -> HashMap<String, String> {
    let pairs = address.split_once('?').map_or("", |(_, query)| query).split('&');
    pairs.filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
