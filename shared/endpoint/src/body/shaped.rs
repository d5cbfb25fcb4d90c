//! Reads values as types, more strictly than serde's own reader of values. That reader would also take a list of field
//! values for an object, which no description mentions; this one accepts only objects.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// A value to be read as a type.
pub(super) struct Shaped(pub(super) Value);

impl Shaped {
    fn kind(&self) -> Unexpected<'_> {
        match &self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(v) => Unexpected::Bool(*v),
            Value::Number(_) => Unexpected::Other("a number"),
            Value::String(v) => Unexpected::Str(v),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn object<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(Error::invalid_type(self.kind(), &visitor)),
        }
    }
}

impl IntoDeserializer<'_, Error> for Shaped {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Shaped {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(v) => visitor.visit_bool(v),
            Value::Number(v) => v.deserialize_any(visitor),
            Value::String(v) => visitor.visit_string(v),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Shaped));
                let made = visitor.visit_seq(&mut items)?;
                items.end().map(|()| made)
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (Shaped(Value::String(name)), Shaped(value)));
                let mut fields = MapDeserializer::new(fields);
                let made = visitor.visit_map(&mut fields)?;
                fields.end().map(|()| made)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            Value::Object(fields) if fields.len() == 1 => {
                let fields = fields.into_iter().map(|(name, value)| (Shaped(Value::String(name)), Shaped(value)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(fields)))
            }
            _ => Err(Error::invalid_type(self.kind(), &visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum To {
        Nobody,
        Agent(u8),
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Inner {
        pair: (i32, f64),
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Outer {
        to: Option<To>,
        #[serde(default)]
        inner: Vec<Inner>,
        #[serde(default)]
        more: BTreeMap<String, Inner>,
    }

    #[test]
    fn l1_a_list_is_no_object() {
        let read = |value| Outer::deserialize(Shaped(value));
        for good in [
            json!({ "to": "nobody", "inner": [{ "pair": [1, 2] }], "more": { "a": { "pair": [-1, 0.5] } } }),
            json!({ "to": { "agent": 3 } }),
            json!({ "to": null }),
        ] {
            assert_eq!(read(good.clone()).unwrap(), serde_json::from_value(good).unwrap());
        }
        for wrong in [
            json!([null]),
            json!({ "to": null, "inner": [[[1, 2]]] }),
            json!({ "to": null, "inner": { "pair": [1, 2] } }),
            json!({ "to": null, "more": { "a": [[1, 2]] } }),
            json!({ "to": null, "inner": [{ "pair": [1, 2, 3] }] }),
            json!({ "to": ["agent", 3] }),
            json!({ "to": { "agent": 300 } }),
            json!({ "to": { "agent": 3, "nobody": null } }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
