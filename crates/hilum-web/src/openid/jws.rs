//! JSON Web Signatures in compact form (RFC 7515), by keys of a JWK set (RFC 7517), with the algorithms that an ID token may have.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

use super::fault::OpenIdFault;

/// A signature that anybody with a public key could not have made. There is no `none`, and nothing by a shared secret (RFC 8725 3.1, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            // RFC 8037, and by the name of RFC 9864.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    /// `kty` and `crv` of its keys (RFC 7518 6, RFC 8037 2).
    fn key(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rs256 | Self::Ps256 => ("RSA", None),
            Self::Es256 => ("EC", Some("P-256")),
            Self::EdDsa => ("OKP", Some("Ed25519")),
        }
    }
}

/// The keys of a provider. Such as cannot be read, or are for something else, are passed over.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Keys {
    keys: Vec<serde_json::Value>,
}

/// RFC 7517 4, as far as a signature needs it.
#[derive(Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// RFC 7515 4.1. `jku`, `jwk`, `x5u` and `x5c` are not looked at: whoever signs does not say by which key that is checked.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl Keys {
    /// What is signed, once the signature is right.
    pub(super) fn verified(&self, token: &str) -> Result<(Algorithm, Vec<u8>), OpenIdFault> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(OpenIdFault::Token);
        };
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenIdFault::Token);
        let signed = &token[..header.len() + 1 + payload.len()];
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| OpenIdFault::Token)?;
        let algorithm = Algorithm::of(&header.alg).ok_or(OpenIdFault::Algorithm)?;
        // RFC 7515 4.1.11: what must be understood and is not.
        if header.crit.is_some() {
            return Err(OpenIdFault::Token);
        }
        let (payload, signature) = (decoded(payload)?, decoded(signature)?);
        let mut known = false;
        for key in self.fitting(algorithm, header.kid.as_deref()) {
            known = true;
            if key.verifies(algorithm, signed.as_bytes(), &signature) {
                return Ok((algorithm, payload));
            }
        }
        Err(if known { OpenIdFault::Signature } else { OpenIdFault::UnknownKey })
    }

    fn fitting(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = Key> {
        let (kty, crv) = algorithm.key();
        let keys = self.keys.iter().filter_map(|key| serde_json::from_value::<Key>(key.clone()).ok());
        keys.filter(move |key| {
            key.kty == kty
                && (crv.is_none() || key.crv.as_deref() == crv)
                && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
                && key.alg.as_deref().is_none_or(|alg| Algorithm::of(alg) == Some(algorithm))
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        })
    }
}

impl Key {
    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let number = |text: &Option<String>| text.as_deref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let right = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let by =
                    if algorithm == Algorithm::Rs256 { &RSA_PKCS1_2048_8192_SHA256 } else { &RSA_PSS_2048_8192_SHA256 };
                let key = number(&self.n).zip(number(&self.e));
                key.map(|(n, e)| RsaPublicKeyComponents { n, e }.verify(by, signed, signature))
            }
            Algorithm::Es256 => {
                number(&self.x).zip(number(&self.y)).filter(|(x, y)| x.len() == 32 && y.len() == 32).map(|(x, y)| {
                    // SEC 1 2.3.3: an uncompressed point.
                    let point = [&[4][..], &x, &y].concat();
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
                })
            }
            Algorithm::EdDsa => number(&self.x).map(|x| UnparsedPublicKey::new(&ED25519, x).verify(signed, signature)),
        };
        right.is_some_and(|right| right.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(key: serde_json::Value) -> Keys {
        Keys { keys: vec![key] }
    }

    /// RFC 7515 A.2.
    const RSA: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    /// No RFC has an example of RSASSA-PSS with SHA-256: made by openssl 3.0 (`dgst -sha256 -sigopt rsa_padding_mode:pss`).
    const PSS: &str = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJqb2UifQ.PeSDmIt3jSirikclRvhnlJK4zMon-Z6WzcAK9tr39tVgIapFB5CdC-sbqP5-38x03PviyRagYWTHH-X2R1EBL-V3L-pL5c9IGKYZRklrhfZrzQ8VYJ4SFgrx6KU71T8yt2ud5NzQfzKH4sVNx0k8e_iAMTa3B7nWywmVnFttyZ2lwfa4Djly8wq1eZMTPY9YQL3vYCJ_nV6xbnIzCMmRzsBUo9lnpnkYP5ZJIs5OP2w0_2JWDj9bcQP6EO-zflQBzq9ImaZU8M4HCLEFkSxKFJ3KlZwKSrYKBS21wTdD9gg7yVtTj6-DT1ebksyW-4rCJdhdojw02--DhqSsqBUg6Q";
    const PSS_N: &str = "0EffRU4PWTg99osUE40tU4W0QO3CG6C0H0Jw6Xrcq6z6WFK5Yy26vhSmxIGIQQZC4a95O-1RGZhvIFS3HV7SMTcrSdQYlsHdBcePQS2_w5bvam9MEJbaUP0mYzp1QbhgGDqSv7tKw2nf0QgPkBuQPK0Hj4xVg2imRS7uNeinstNyCud1PF3Qr6X78Dl35vaQMdnQWtqZ-rQvzGZVWfd_msyW3pMu-j_E88sXAJ9bA40cPzyOwqEkrTWghqwFZuYsiXazA5latVecECujNukPlMY80xRwq4I1VpndyHABEZTAkuw8ru7pfxlQ0kjfeDQdwfC1aBMxzWYv4wH4Tew6Bw";
    /// RFC 7515 A.3.
    const EC: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    /// RFC 8037 A.4.
    const ED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    fn examples() -> [(&'static str, serde_json::Value, Algorithm); 4] {
        [
            (RSA, serde_json::json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}), Algorithm::Rs256),
            (PSS, serde_json::json!({"kty": "RSA", "n": PSS_N, "e": "AQAB"}), Algorithm::Ps256),
            (
                EC,
                serde_json::json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
                Algorithm::Es256,
            ),
            (
                ED,
                serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
                Algorithm::EdDsa,
            ),
        ]
    }

    #[test]
    fn the_examples_are_right_and_every_changed_byte_is_seen() {
        for (token, key, algorithm) in examples() {
            let keys = keys(key);
            let (by, payload) = keys.verified(token).unwrap();
            assert_eq!(by, algorithm);
            assert!(!payload.is_empty());
            let signature_at = token.rfind('.').unwrap() + 1;
            for at in [token.find('.').unwrap() + 1, signature_at, signature_at + 9, token.len() - 10] {
                let mut changed = token.to_owned().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(keys.verified(&changed), Err(OpenIdFault::Signature), "{algorithm:?} at {at}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_use_algorithm_or_name_is_not_tried() {
        for (token, key, _) in examples() {
            for (name, value) in
                [("kty", "oct"), ("use", "enc"), ("alg", "HS256"), ("alg", "RS512"), ("alg", "none"), ("crv", "P-384")]
            {
                if (name, key["kty"].as_str()) == ("crv", Some("RSA")) {
                    continue;
                }
                let mut other = key.clone();
                other[name] = value.into();
                assert_eq!(keys(other).verified(token), Err(OpenIdFault::UnknownKey), "{name} {value}");
            }
        }
        assert_eq!(Keys::default().verified(ED), Err(OpenIdFault::UnknownKey));
    }

    #[test]
    fn what_is_no_signature_by_a_private_key_is_not_taken() {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let keys = keys(examples()[0].1.clone());
        for alg in ["none", "None", "NONE", "HS256", "HS512", "RS1", "RS512", "dir", ""] {
            let token = format!("{}.{}.", encoded(&format!(r#"{{"alg":"{alg}"}}"#)), encoded("{}"));
            assert_eq!(keys.verified(&token), Err(OpenIdFault::Algorithm), "{alg}");
        }
        let critical = format!("{}.{}.AA", encoded(r#"{"alg":"RS256","crit":["b64"],"b64":false}"#), encoded("{}"));
        for token in ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "..", "!.!.!", critical.as_str()] {
            assert_eq!(keys.verified(token), Err(OpenIdFault::Token), "{token}");
        }
    }
}
