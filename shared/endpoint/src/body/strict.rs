//! Reads JSON as values and finds faults that typed readers miss: names that occur twice in an object, and control
//! characters.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// The longest name that is repeated in a path, in characters.
const SHOWN: usize = 40;

/// A fault of a text that is valid JSON, with its path.
#[derive(Debug)]
pub(super) enum Fault {
    /// A name occurs twice in its object.
    Twice(String),
    /// A text contains a control character.
    Character(String),
}

/// The first fault.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) first: Option<Fault>,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Name(String),
    Item(usize),
}

impl Faults {
    fn here(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Name(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.extend(name.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }));
                }
                Step::Item(i) => path.push_str(&format!("[{i}]")),
            }
        }
        path
    }

    fn look(&mut self, text: &str) {
        if self.first.is_none() && text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            self.first = Some(Fault::Character(self.here()));
        }
    }
}

/// Reads a text as JSON and notes the first fault.
pub(super) fn read(text: &str, faults: &mut Faults) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Seed(faults).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Seed<'a>(&'a mut Faults);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        self.0.look(v);
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            self.0.path.push(Step::Item(all.len()));
            let next = items.next_element_seed(Seed(self.0))?;
            self.0.path.pop();
            match next {
                Some(item) => all.push(item),
                None => return Ok(all.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            self.0.path.push(Step::Name(name.clone()));
            self.0.look(&name);
            if self.0.first.is_none() && all.contains_key(&name) {
                self.0.first = Some(Fault::Twice(self.0.here()));
            }
            let value = entries.next_value_seed(Seed(self.0))?;
            self.0.path.pop();
            all.insert(name, value);
        }
        Ok(all.into())
    }
}
