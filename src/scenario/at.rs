//! A value with the place where it was written, for serde, TOML and JSON Schema alike.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};

/// A value and its byte range in the text it was read from.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// Byte range; ranges past the file's end belong to `--set` options (see `Origin`).
    pub span: Range<usize>,
    /// The value.
    pub value: T,
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self {
            span: spanned.span(),
            value: spanned.into_inner(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// What a TOML value may be where a key takes a scalar, a list or a table.
///
/// An untagged serde enum would buffer the value and lose every place in it; this visits it directly.
#[derive(Debug, Clone)]
pub enum OneOf<S, T = Never> {
    /// A single value.
    One(S),
    /// A list of them.
    Many(Vec<At<S>>),
    /// A table.
    Table(T),
}

/// Stands for "no table here" in [`OneOf`].
#[derive(Debug, Clone, serde::Deserialize)]
pub enum Never {}

/// A scalar that [`OneOf`] can hold.
pub trait Scalar: Sized {
    /// From a string, if that is allowed.
    fn of_str(text: &str) -> Option<Self>;
    /// From a whole number, if that is allowed.
    fn of_int(number: i64) -> Option<Self>;
}

impl Scalar for String {
    fn of_str(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn of_int(_: i64) -> Option<Self> {
        None
    }
}

struct OneOfVisitor<S, T>(PhantomData<(S, T)>);

impl<'de, S: Scalar + Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for OneOfVisitor<S, T> {
    type Value = OneOf<S, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value, a list of them, or a table")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Self::Value, E> {
        S::of_str(v)
            .map(OneOf::One)
            .ok_or_else(|| E::custom("a string is not allowed here"))
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Self::Value, E> {
        S::of_int(v)
            .map(OneOf::One)
            .ok_or_else(|| E::custom("a number is not allowed here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = seq.next_element()? {
            all.push(item);
        }
        Ok(OneOf::Many(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(OneOf::Table)
    }
}

impl<'de, S: Scalar + Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for OneOf<S, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOfVisitor(PhantomData))
    }
}

/// The schema of a [`OneOf`]: the given alternatives.
pub fn any_of(alternatives: Vec<Schema>) -> Schema {
    schemars::json_schema!({ "anyOf": alternatives })
}

impl<S: JsonSchema> JsonSchema for OneOf<S, Never> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", S::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        any_of(vec![
            generator.subschema_for::<S>(),
            generator.subschema_for::<Vec<S>>(),
        ])
    }
}

/// Marks a table that may stand in a [`OneOf`].
pub trait TableKey: JsonSchema {}

impl<S: JsonSchema, T: TableKey> JsonSchema for OneOf<S, T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOf_{}_{}", S::schema_name(), T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        any_of(vec![
            generator.subschema_for::<S>(),
            generator.subschema_for::<Vec<S>>(),
            generator.subschema_for::<T>(),
        ])
    }
}
