//! The reasons why an adapter makes no request to its platform: the reply cannot be delivered, the medium cannot be fetched,
//! or the source cannot be asked.

/// Makes the enum, its codes and the list of all from one table. The code is what stands in answers, in the store and in
/// events, so it never changes.
macro_rules! undeliverable {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// The reason why a reply, a medium or a source gets no request. [`Undeliverable::code`] is its stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("{}", self.code())]
        pub enum Undeliverable {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Undeliverable {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable code, as it stands in answers, in the store and in events.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

undeliverable! {
    // Of the reply.
    /// The channel does not carry this kind of content, or not to this recipient.
    KindNotSupported = "kind_not_supported",
    /// The channel carries orders or calls, and no chat.
    ChatNotOffered = "chat_not_offered",
    /// The text is longer than the channel takes, and is not to be cut.
    TextTooLong = "text_too_long",
    /// The medium has no id of the platform's.
    MediaIdMissing = "media_id_missing",
    /// The medium has neither an id nor an address.
    MediaMissing = "media_missing",
    /// The medium has no address, by which the channel sends it.
    MediaUrlMissing = "media_url_missing",
    /// The film has no preview picture (`thumb_id`), which the platform wants.
    ThumbMissing = "thumb_missing",
    /// The link has no address.
    LinkMissing = "link_missing",
    /// The link's address is longer than the platform takes.
    LinkTooLong = "link_too_long",
    /// The address is none that a browser may open.
    LinkNotWeb = "link_not_web",
    /// The place's coordinates are not on the earth.
    LocationImpossible = "location_impossible",
    /// The order card names no order.
    OrderMissing = "order_missing",
    /// The event has no name.
    EventMissing = "event_missing",
    /// The channel sends no cards of mini programs.
    CardNotSupported = "card_not_supported",
    /// The card of a mini program has no cover picture, which the platform wants.
    CoverMissing = "cover_missing",
    /// The page is of another mini program than the account's.
    PageOfAnotherApp = "page_of_another_app",
    /// The conversation's open id is no recipient of the platform's.
    RecipientUnknown = "recipient_unknown",
    /// The customer's messages did not say yet where replies go.
    ReplyContextMissing = "reply_context_missing",
    /// The customer wrote too long ago: the platform takes no reply any more.
    ReplyWindowClosed = "reply_window_closed",
    // Of the account.
    /// There is no such account any more, or its settings and secrets no longer fit.
    AccountMissing = "account_missing",
    /// The account lacks the id or secret with which the platform is called.
    CredentialsMissing = "credentials_missing",
    /// There is no access token.
    TokenMissing = "token_missing",
    /// The account has no sender.
    FromMissing = "from_missing",
    /// The account has no template for text messages.
    TemplateMissing = "template_missing",
    /// The account has no signature (签名) for text messages.
    SignNameMissing = "sign_name_missing",
    /// The account has no domain from which mail is sent.
    DomainMissing = "domain_missing",
    /// Neither the conversation nor the account says which application sends.
    AgentIdMissing = "agent_id_missing",
    /// The account has no picture to be shown with links, which the platform wants.
    LinkPictureMissing = "link_picture_missing",
    /// The account's private key cannot sign.
    KeyUnusable = "key_unusable",
    /// The account's `api_base` is no address.
    ApiBaseUnusable = "api_base",
    /// The account does not say for whom after-sales cases are asked.
    OperatorMissing = "operator_missing",
    // Of the medium and of the source.
    /// The channel gives no media out.
    MediaNotSupported = "media_not_supported",
    /// The medium's address is none of the platform's.
    MediaUnknown = "media_unknown",
    /// The platform shows the medium in its own app only.
    MediaOnlyInApp = "media_only_in_app",
    /// The medium is at a host that is not known as the platform's.
    MediaHostUnknown = "media_host_unknown",
    /// The channel has no source of that name.
    SourceUnknown = "source_unknown",
}

impl Undeliverable {
    /// Whether the account lacks what a reply needs. Such a reply is stored all the same, and leaves once the account is
    /// mended. It is found after the reply itself was looked at.
    pub const fn is_of_account(self) -> bool {
        matches!(
            self,
            Self::CredentialsMissing
                | Self::TokenMissing
                | Self::FromMissing
                | Self::TemplateMissing
                | Self::SignNameMissing
                | Self::DomainMissing
                | Self::AgentIdMissing
                | Self::LinkPictureMissing
                | Self::KeyUnusable
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes as they stand in stores and in other programs: a line is added, and none is ever changed.
    const CODES: [&str; 36] = [
        "kind_not_supported",
        "chat_not_offered",
        "text_too_long",
        "media_id_missing",
        "media_missing",
        "media_url_missing",
        "thumb_missing",
        "link_missing",
        "link_too_long",
        "link_not_web",
        "location_impossible",
        "order_missing",
        "event_missing",
        "card_not_supported",
        "cover_missing",
        "page_of_another_app",
        "recipient_unknown",
        "reply_context_missing",
        "reply_window_closed",
        "account_missing",
        "credentials_missing",
        "token_missing",
        "from_missing",
        "template_missing",
        "sign_name_missing",
        "domain_missing",
        "agent_id_missing",
        "link_picture_missing",
        "key_unusable",
        "api_base",
        "operator_missing",
        "media_not_supported",
        "media_unknown",
        "media_only_in_app",
        "media_host_unknown",
        "source_unknown",
    ];

    #[test]
    fn codes_stay_letter_for_letter() {
        let codes: Vec<_> = Undeliverable::ALL.iter().map(|why| why.code()).collect();
        assert_eq!(codes, CODES);
        assert_eq!(Undeliverable::ThumbMissing.to_string(), "thumb_missing");
    }

    #[test]
    fn what_the_account_lacks_is_no_fault_of_a_reply() {
        let lacks: Vec<_> = Undeliverable::ALL.iter().filter(|why| why.is_of_account()).map(|why| why.code()).collect();
        let codes = [
            "credentials_missing",
            "token_missing",
            "from_missing",
            "template_missing",
            "sign_name_missing",
            "domain_missing",
            "agent_id_missing",
            "link_picture_missing",
            "key_unusable",
        ];
        assert_eq!(lacks, codes);
    }
}
