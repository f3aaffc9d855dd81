//! A browser, as far as cookies go, and somebody at it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::provider::{Liar, query};
use crate::client::{Answer, Running};

#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    /// What the page shows with each change.
    pub csrf: String,
}

impl Browser {
    pub async fn ask(&mut self, server: &Running, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        self.with_cookies(server, method, path, body, &cookies).await
    }

    /// As a browser that comes from another site: it keeps to itself what is `SameSite=Strict`.
    async fn arrive(&mut self, server: &Running, path: &str) -> Answer {
        let kept = self.cookies.get("hilum-openid").map(|value| format!("hilum-openid={value}"));
        self.with_cookies(server, "GET", path, None, &kept.unwrap_or_default()).await
    }

    async fn with_cookies(
        &mut self,
        server: &Running,
        method: &str,
        path: &str,
        body: Option<&Value>,
        cookies: &str,
    ) -> Answer {
        let headers = [("Cookie", cookies), ("X-Hilum-Csrf", &self.csrf), ("Content-Type", "application/json")];
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = server.send_bare(method, path, &headers, body.as_bytes()).await;
        if let Some(set) = answer.header("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let same_site = if name == "hilum-session" { "SameSite=Strict" } else { "SameSite=Lax" };
            for part in ["Path=/", "HttpOnly", same_site] {
                assert!(set.split("; ").any(|own| own == part), "{set}");
            }
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Where the server sends it to sign in.
    pub async fn begin(&mut self, server: &Running, provider: &str) -> String {
        let body = json!({"return_to": "/settings/tokens"});
        let answer = self.ask(server, "POST", &format!("/api/v1/openid/{provider}"), Some(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["location"].as_str().unwrap().to_owned()
    }

    /// Comes back from where it was sent, with a code. The page that is opened then.
    pub async fn back(&mut self, server: &Running, location: &str, code: &str) -> String {
        let path = callback(location, code);
        let answer = self.arrive(server, &path).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.header("location").unwrap().to_owned()
    }

    /// The whole way; the page that is opened in the end.
    pub async fn sign_in(&mut self, server: &Running, liar: &Liar, claims: &Value) -> String {
        let location = self.begin(server, "hospital").await;
        let code = liar.agree(&location, claims);
        self.back(server, &location, &code).await
    }

    /// The session, as a page asks for it.
    pub async fn session(&mut self, server: &Running) -> Value {
        let answer = self.ask(server, "GET", "/api/v1/session", None).await;
        let view = answer.json();
        view["csrf"].as_str().unwrap_or_default().clone_into(&mut self.csrf);
        view
    }

    /// With a password.
    pub async fn sign_in_here(&mut self, server: &Running, login: &str, password: &str) -> u16 {
        let body = json!({"login": login, "password": password});
        let answer = self.ask(server, "POST", "/api/v1/session", Some(&body)).await;
        self.session(server).await;
        answer.status
    }
}

/// The address that a provider sends a browser back to, with a code.
pub fn callback(location: &str, code: &str) -> String {
    let asked = query(location);
    let issuer = location.split("/authorize").next().unwrap();
    let uri = asked["redirect_uri"].split_once("://").unwrap().1;
    let path = &uri[uri.find('/').unwrap()..];
    let code = code.replace('+', "%2B").replace('/', "%2F");
    format!("{path}?code={code}&state={}&iss={issuer}&session_state=x", asked["state"])
}
