//! What a request sends as JSON. An object stands for a struct, and nothing else does: serde takes a list for the fields of a struct in
//! their order as well, so that one of nulls would be a filter that shows all.

use axum::{
    Json,
    extract::{FromRequest, Request},
};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use std::fmt;

use crate::error::ApiError;

/// A body of JSON as an extractor.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: for<'de> Deserialize<'de>> FromRequest<S> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(Objects(sent)) = Json::from_request(request, state).await?;
        Ok(Self(sent))
    }
}

/// Read so that each struct within it is an object.
struct Objects<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Strict(deserializer)).map(Self)
    }
}

/// Hands everything on, and itself into what is nested.
struct Strict<I>(I);

/// A visitor that is handed to what [`Strict`] hands on to.
struct Seen<V> {
    visitor: V,
    /// It visits a struct.
    is_struct: bool,
}

impl<V> Seen<V> {
    fn any(visitor: V) -> Self {
        Self { visitor, is_struct: false }
    }
}

macro_rules! asked {
    ($($ask:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $ask<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$ask($($argument,)* Seen::any(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Seen { visitor, is_struct: true })
    }

    asked! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(length: usize) deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! seen {
    ($($visit:ident($type:ty))*) => {
        $(fn $visit<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$visit(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Seen<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    seen! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128) visit_f64(f64) visit_str(&str)
        visit_borrowed_str(&'de str) visit_string(String)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &"an object"));
        }
        self.visitor.visit_seq(Strict(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Strict(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Strict(variant))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Strict<A> {
    type Error = A::Error;
    type Variant = Strict<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(seed)?;
        Ok((name, Strict(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.0.newtype_variant_seed(Strict(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Seen::any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Seen { visitor, is_struct: true })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        at: Option<u8>,
        whole: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Of(Inner),
        Both(Inner, u8),
        Named { inner: Inner },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Newtype(Inner);

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        inner: Inner,
        maybe: Option<Inner>,
        list: Vec<Inner>,
        pairs: Vec<[u32; 4]>,
        by_name: BTreeMap<String, Inner>,
        kind: Option<Kind>,
        new: Option<Newtype>,
        boxed: Box<Inner>,
        tuple: Option<(String, f64, bool, char)>,
        any: serde_json::Value,
    }

    #[test]
    fn what_is_sent_is_read_as_without_it() {
        for text in [
            r#"{"inner": {"at": 7, "whole": -9000000000}, "maybe": null, "list": [{}, {"at": null}], "pairs": [[1, 2, 3, 4]]}"#,
            r#"{"maybe": {"at": 1}, "by_name": {"x": {"at": 2}}, "kind": "plain", "new": {"at": 3}, "boxed": {"at": 4}}"#,
            r#"{"kind": {"of": {"at": 5}}, "tuple": ["\u20ac", 1.5e3, true, "한"], "any": [{"a": [null, 1]}]}"#,
            r#"{"kind": {"both": [{"at": 5}, 6]}}"#,
            r#"{"kind": {"named": {"inner": {"at": 5}}}}"#,
            "{}",
        ] {
            let plain: Outer = serde_json::from_str(text).unwrap();
            let Objects(strict) = serde_json::from_str::<Objects<Outer>>(text).unwrap();
            assert_eq!(strict, plain, "{text}");
        }
    }

    #[test]
    fn a_list_is_no_struct_wherever_it_stands() {
        for text in [
            "[]",
            "[{}, null, [], [], {}]",
            r#"{"inner": []}"#,
            r#"{"inner": [null, 1]}"#,
            r#"{"maybe": [1, 1]}"#,
            r#"{"list": [[1, 1]]}"#,
            r#"{"by_name": {"x": [1, 1]}}"#,
            r#"{"kind": {"of": [1, 1]}}"#,
            r#"{"kind": {"both": [[1, 1], 6]}}"#,
            r#"{"kind": {"named": [{}]}}"#,
            r#"{"new": [1, 1]}"#,
            r#"{"boxed": [1, 1]}"#,
        ] {
            let told = serde_json::from_str::<Objects<Outer>>(text).map(|sent| sent.0).unwrap_err().to_string();
            assert!(told.contains("expected an object"), "{text}: {told}");
        }
        for text in
            [r#"{"inner": 1}"#, r#"{"unknown": 1}"#, r#"{"inner": {"at": 256}}"#, r#"{"inner": {}, "inner": {}}"#]
        {
            let plain = serde_json::from_str::<Outer>(text).unwrap_err().to_string();
            assert_eq!(serde_json::from_str::<Objects<Outer>>(text).map(|sent| sent.0).unwrap_err().to_string(), plain);
        }
    }
}
