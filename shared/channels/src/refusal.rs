//! The reasons why a webhook is refused, and the stable codes under which its odd items are kept.

use crate::{json, xml};

/// The reason why a webhook is refused. The texts name no secret, no computed signature and nothing of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A signature or token is required and missing.
    #[error("the request carries no signature")]
    SignatureMissing,
    /// The signature or token does not match.
    #[error("the signature does not match")]
    SignatureWrong,
    /// The signed time is outside the window: a replay, or a wrong clock. It is ahead of ours by this many seconds; a
    /// negative number means that it is behind.
    #[error("the signed time is too far from now")]
    Stale(i64),
    /// The token was valid once.
    #[error("the token has expired")]
    Expired,
    /// A token is signed correctly, but a claim in it is missing, of the wrong type or out of bounds.
    #[error("the token's claim `{0}` is missing, or not as it must be")]
    ClaimsWrong(&'static str),
    /// The page's origin is not among the account's.
    #[error("this origin may not use the account: `origins` of the account's settings names those that may")]
    OriginDenied,
    /// The ciphertext cannot be decrypted with the account's key.
    #[error("the encrypted message cannot be read")]
    Undecryptable,
    /// The message is for another app than the account's.
    #[error("the message is addressed to another app")]
    WrongRecipient,
    /// The account accepts only encrypted (or only plain) messages, and this one is of the other kind.
    #[error("the account does not take messages in this form")]
    WrongMode,
    /// The body does not follow the protocol.
    #[error("the body is malformed: {0}")]
    Malformed(Fault),
    /// A field of the body is missing or wrong.
    #[error("the field `{0}` is missing, or not as it must be")]
    Field(&'static str),
    /// The text is longer than the channel accepts.
    #[error("the text is longer than this channel takes")]
    TooLong,
    /// The body holds more items than are accepted at once. It is refused, since all of them can come in smaller pieces.
    #[error("the list has more than 4,096 items: send fewer at once")]
    TooMany,
    /// The adapter has nothing at that path or method.
    #[error("nothing is served at this path")]
    NotFound,
}

/// The fault of a body that does not follow the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read as JSON.
    #[error(transparent)]
    Json(json::Error),
    /// It cannot be read as XML.
    #[error(transparent)]
    Xml(xml::Error),
    /// Longer than the channel's bodies can be.
    #[error("the body is too long")]
    TooLong,
    /// The JSON that its texts hold is longer than is read.
    #[error("its texts hold too much JSON")]
    NestedTooLong,
    /// JSON of another kind stands where an object must.
    #[error("it is not a JSON object")]
    NotObject,
    /// JSON of another kind stands where a list must.
    #[error("it is not a JSON array")]
    NotList,
    /// The root of the XML is not `<xml>`.
    #[error("its root is not an <xml> element")]
    Root,
    /// Neither of these fields is there, both are where only one may be, or one is wrong.
    #[error("one of {0} is missing or wrong, or there is one too many")]
    OneOf(&'static str),
    /// A text of nothing but blanks.
    #[error("the text is empty")]
    EmptyText,
    /// Its media type is not a form's.
    #[error("it is not a form")]
    NotForm,
    /// A form of several parts without a boundary.
    #[error("its media type has no boundary")]
    NoBoundary,
    /// No parts stand between the boundaries.
    #[error("it is not multipart/form-data")]
    NotMultipart,
    /// A form's parameter has an unreadable name.
    #[error("a parameter's name is not UTF-8")]
    ParameterName,
    /// A form's parameter comes twice.
    #[error("a parameter comes twice")]
    RepeatedParameter,
    /// A form has more parameters than are read.
    #[error("it has too many parameters")]
    TooManyParameters,
}

impl Fault {
    /// The stable code of an item with this fault.
    const fn code(self) -> &'static str {
        match self {
            Self::Json(json::Error::Syntax | json::Error::Nul) => "not_json",
            Self::Xml(xml::Error::DocumentType) => "document_type",
            Self::Xml(xml::Error::Syntax | xml::Error::Entity | xml::Error::Nul | xml::Error::Encoding) | Self::Root => {
                "not_xml"
            }
            Self::Json(json::Error::TooDeep) | Self::Xml(xml::Error::TooDeep) => "too_deep",
            Self::Json(json::Error::TooMany) | Self::Xml(xml::Error::TooMany) => "too_many_values",
            Self::Json(json::Error::TooManyItems) => "too_many_items",
            Self::Json(json::Error::TooLong) | Self::Xml(xml::Error::TooLong) | Self::TooLong | Self::NestedTooLong => {
                "too_long"
            }
            Self::NotObject => "not_an_object",
            Self::NotList => "not_a_list",
            _ => "malformed",
        }
    }
}

impl Refusal {
    /// The reason why an item is odd, as a stable code: the fault of the whole, or the missing or wrong field.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed(fault) => fault.code(),
            Self::Field(name) => name,
            Self::TooLong => "text_too_long",
            Self::TooMany => "too_many_items",
            Self::WrongRecipient => "wrong_recipient",
            _ => "malformed",
        }
    }
}

impl From<json::Error> for Refusal {
    fn from(error: json::Error) -> Self {
        match error {
            json::Error::TooManyItems => Self::TooMany,
            error => Self::Malformed(Fault::Json(error)),
        }
    }
}

impl From<xml::Error> for Refusal {
    fn from(error: xml::Error) -> Self {
        Self::Malformed(Fault::Xml(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Odd items are counted by these codes.
    #[test]
    fn every_body_that_is_no_xml_or_too_long_has_its_code_whoever_reads_it() {
        let code = |fault: Refusal| fault.reason();
        for error in [xml::Error::Syntax, xml::Error::Entity, xml::Error::Nul, xml::Error::Encoding] {
            assert_eq!(code(error.into()), "not_xml", "{error}");
        }
        assert_eq!(code(Refusal::Malformed(Fault::Root)), "not_xml");
        assert_eq!(code(xml::Error::DocumentType.into()), "document_type");
        let too_long =
            [Fault::TooLong, Fault::NestedTooLong, Fault::Json(json::Error::TooLong), Fault::Xml(xml::Error::TooLong)];
        for fault in too_long {
            assert_eq!(code(Refusal::Malformed(fault)), "too_long", "{fault}");
        }
        assert_eq!(code(json::Error::TooManyItems.into()), code(Refusal::TooMany));
        assert_eq!(code(Refusal::Field("MsgId")), "MsgId");
    }
}
