//! Forms that name their charset in one of their own fields. Names and values stay bytes until the charset is known, and
//! the signature covers those bytes.

use crate::kit::{Fault, Refusal};
use encoding_rs::{Encoding, GB18030, UTF_8};

/// The most parameters read. The platform sends five to a dozen.
const MAX_PARAMS: usize = 64;

/// A form's parameters, decoded from percent signs and nothing else.
pub(super) struct Form(Vec<(String, Vec<u8>)>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut params: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            if params.len() == MAX_PARAMS {
                return Err(Refusal::Malformed(Fault::TooManyParameters));
            }
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let name = String::from_utf8(decoded(&pair[..at])).map_err(|_| Refusal::Malformed(Fault::ParameterName))?;
            // Of two values with one name, only one could be the signed one.
            if params.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::Malformed(Fault::RepeatedParameter));
            }
            params.push((name, decoded(pair.get(at + 1..).unwrap_or_default())));
        }
        Ok(Self(params))
    }

    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
    }

    /// A parameter in ASCII.
    pub(super) fn ascii(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| std::str::from_utf8(value).ok()).filter(|text| text.is_ascii())
    }

    /// The text that `sign` covers.
    pub(super) fn signed(&self) -> Vec<u8> {
        signed_text(self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice())), &["sign"])
    }

    /// The charset that the form names. If it names none, GBK, like the platform.
    pub(super) fn charset(&self) -> Result<&'static Encoding, Refusal> {
        let Some(name) = self.bytes("charset") else { return Ok(GB18030) };
        // GBK and GB2312 are parts of GB18030.
        match Encoding::for_label(name) {
            Some(charset) if charset == UTF_8 => Ok(UTF_8),
            Some(charset) if charset == GB18030 || charset == encoding_rs::GBK => Ok(GB18030),
            _ => Err(Refusal::Field("charset")),
        }
    }
}

/// The text that a signature covers: all parameters that have a value except the named ones, sorted by name, as `k=v&…`.
pub fn signed_text<'a>(params: impl Iterator<Item = (&'a str, &'a [u8])>, without: &[&str]) -> Vec<u8> {
    let mut params: Vec<_> = params.filter(|(name, value)| !value.is_empty() && !without.contains(name)).collect();
    params.sort_unstable();
    let mut text = Vec::new();
    for (i, (name, value)) in params.into_iter().enumerate() {
        if i > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value);
    }
    text
}

/// Decodes `%41` and `+`. A percent sign that begins no byte stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', _, _) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_stay_bytes() {
        let form = Form::read(b"b=%C4%E3+%2B&a=1&&c&charset=GBK&sign=x").ok().unwrap();
        assert_eq!(form.bytes("b"), Some(&b"\xc4\xe3 +"[..]));
        assert_eq!((form.ascii("a"), form.ascii("b"), form.bytes("c"), form.bytes("d")), (Some("1"), None, None, None));
        assert_eq!(form.signed(), b"a=1&b=\xc4\xe3 +&charset=GBK");
        assert_eq!(form.charset().unwrap(), GB18030);
        assert_eq!(Form::read(b"charset=utf-8").ok().unwrap().charset().unwrap(), UTF_8);
        assert_eq!(Form::read(b"charset=latin1").ok().unwrap().charset(), Err(Refusal::Field("charset")));
        assert_eq!(decoded(b"%4%zz%"), b"%4%zz%");
    }

    #[test]
    fn bounds() {
        assert_eq!(Form::read(b"a=1&a=2").err(), Some(Refusal::Malformed(Fault::RepeatedParameter)));
        assert_eq!(Form::read(b"%ff=1").err(), Some(Refusal::Malformed(Fault::ParameterName)));
        let many: String = (0..70).map(|n| format!("p{n}=1&")).collect();
        assert_eq!(Form::read(many.as_bytes()).err(), Some(Refusal::Malformed(Fault::TooManyParameters)));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(body: Vec<u8>) {
            if let Ok(form) = Form::read(&body) {
                let _ = (form.signed(), form.charset());
            }
        }

        #[test]
        fn what_is_written_is_read(value in ".{1,40}") {
            let body = form_urlencoded::Serializer::new(String::new()).append_pair("v", &value).finish();
            let form = Form::read(body.as_bytes()).ok().unwrap();
            prop_assert_eq!(form.bytes("v"), Some(value.as_bytes()));
        }
    }
}
