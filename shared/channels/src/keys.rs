//! The identity of a message, channel by channel.
//!
//! A platform repeats a message until it hears "received", and the inbox stores each key once. A key therefore holds the
//! parts that stay the same in every retry, and enough of them that no other message has the same key: the platform's own
//! id if there is one, the sender, and the content. Ids alone are not trusted: platforms repeat them across senders. A time
//! of delivery, a nonce and a newly signed address are never part of a key.

use crate::digest::opaque_key;
use serde_json::Value;
use std::borrow::Cow;
use warmline_model::Content;

/// The parts of a channel's keys, for the document.
pub struct Key {
    /// The channel.
    pub channel: &'static str,
    /// The parts of a message's key.
    pub message: &'static str,
    /// The parts of an event's or report's key; empty if there are none.
    pub event: &'static str,
    /// The reason.
    pub why: &'static str,
}

/// The keys of all channels.
pub const ALL: &[Key] = &[
    // In any order: the document sorts them.
    Key {
        channel: "alipay",
        message: "user, `CreateTime`, `MsgId`, what is said; without `MsgId` all fields",
        event: "user, `CreateTime`, `EventType`, `ActionParam`, all other fields",
        why: "events have no id, and a user can cause two in one millisecond",
    },
    Key {
        channel: "app",
        message: "member, the client's `id`, what is said",
        event: "the same",
        why: "the client's counter may begin anew, so an id alone could hide another message",
    },
    Key {
        channel: "doudian",
        message: "",
        event: "`tag`, `msg_id`, all data",
        why: "one `msg_id` has been seen for several orders",
    },
    Key {
        channel: "douyin",
        message: "sender, `server_message_id` or (mini apps) `MsgId`, what is said; mini apps without an id: sender, time, all that is said",
        event: "name, both persons, `server_message_id` or `Msg-Id`, all of the content but addresses and names; without an id all of the content",
        why: "addresses of pictures are signed anew, so a picture is told by its id; the header `Msg-Id` is not signed",
    },
    Key {
        channel: "email",
        message: "see [mail](#email-mail-邮件)",
        event: "address, event, `sg_event_id` (SendGrid) or `id` (Mailgun); without an id all fields",
        why: "a report is about one address",
    },
    Key {
        channel: "jd",
        message: "",
        event: "order or service, state, time of change",
        why: "the platform has no ids of changes, and asks for the same seconds twice; other fields may change between two looks",
    },
    Key {
        channel: "kuaishou",
        message: "",
        event: "event, `message_id`, all data; without an id event, `timestamp`, all data",
        why: "`timestamp` may be the time of delivery, so it counts only where there is no id",
    },
    Key {
        channel: "miniprogram",
        message: "sender, `CreateTime`, `MsgId`, what is said",
        event: "sender, `CreateTime`, event, all fields",
        why: "as for `wechat`",
    },
    Key {
        channel: "phone",
        message: "call, `seq`, what is said (contract); `TranscriptionSid`, `SequenceId`, words (Twilio)",
        event: "call, `seq`, all fields (contract, Huawei without `seq`); leg, status, `SequenceNumber` (Twilio)",
        why: "a telephone system counts anew after a restart",
    },
    Key {
        channel: "pinduoduo",
        message: "",
        event: "frame's `id`, shop, type, content",
        why: "`sendTime` is another in each repeat",
    },
    Key {
        channel: "sms",
        message: "number, `sequence_id`, `send_time`, words (Aliyun); `MessageSid`, number, place in the message, what is said (Twilio)",
        event: "number, `biz_id`, outcome, `report_time` (Aliyun); `MessageSid`, number, status, `ErrorCode` (Twilio)",
        why: "one message to many numbers has one `biz_id`",
    },
    Key {
        channel: "taobao",
        message: "",
        event: "message's `id`, shop, topic, content",
        why: "several shops share one queue",
    },
    Key {
        channel: "webchat",
        message: "visitor, the page's `id`, what is said",
        event: "the same",
        why: "a page that is loaded anew may count anew",
    },
    Key {
        channel: "wechat",
        message: "sender, `CreateTime`, `MsgId`, what is said",
        event: "sender, `CreateTime`, event, `EventKey`, all other fields (`UserCardCode`, `MsgID`, …)",
        why: "`MsgId` has been seen twice with two senders; of one second there can be several events of a kind",
    },
    Key {
        channel: "wecom",
        message: "members: as for `wechat`; 微信客服: customer, `msgid`, `send_time`, kind, what is said; of media no more than the kind",
        event: "members: sender, `CreateTime`, event, all fields; 微信客服: customer, `msgid`, `send_time`, event, all fields",
        why: "the system reports as `sys`, several times in one second; media ids may differ when a page is fetched again",
    },
    Key {
        channel: "weibo",
        message: "sender, `created_at`, type, text, data",
        event: "the same",
        why: "messages have no id",
    },
    Key {
        channel: "xiaohongshu",
        message: "sender, `MsgId`, what is said, of unknown kinds all fields but times; without an id all fields",
        event: "`msgTag`, shop, all data (shops); as messages (mini programs)",
        why: "shops' events have no id; their data hold the time of the change; beside an id a time may be that of delivery",
    },
];

/// The key of a message: ids, and the content.
pub(crate) fn of_message(prefix: &str, ids: &[&str], content: &Content) -> String {
    let said = said(content);
    let mut parts = Vec::with_capacity(ids.len() + 2);
    parts.extend_from_slice(ids);
    parts.extend([content.kind(), &said]);
    opaque_key(prefix, &parts)
}

/// The same for content with media ids or times that may change when the platform gives it again. Members with those names
/// do not count.
pub(crate) fn of_moving(prefix: &str, ids: &[&str], content: &Content, moving: &[&str]) -> String {
    let steady = |value: &Value| steady(value.clone(), moving);
    match content {
        Content::Event { event, key, data } => {
            of_message(prefix, ids, &Content::Event { event: event.clone(), key: key.clone(), data: steady(data) })
        }
        Content::Unknown { raw_kind, raw } => {
            of_message(prefix, ids, &Content::Unknown { raw_kind: raw_kind.clone(), raw: steady(raw) })
        }
        other => of_message(prefix, ids, other),
    }
}

/// A value without the members of those names.
fn steady(mut value: Value, moving: &[&str]) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|name, _| !moving.contains(&name.as_str()));
            members.values_mut().for_each(|member| *member = steady(member.take(), moving));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item.take(), moving)),
        _ => {}
    }
    value
}

/// The parts of a content that make it another message. A medium is known by its id, since its address may be signed again.
/// The platform's transcript of a voice does not count.
fn said(content: &Content) -> Cow<'_, str> {
    match content {
        Content::Text { text, .. } => Cow::Borrowed(text),
        Content::Image { media } | Content::Voice { media, .. } | Content::Video { media } | Content::File { media } => {
            Cow::Borrowed(media.id.as_deref().or(media.url.as_deref()).unwrap_or_default())
        }
        other => Cow::Owned(serde_json::to_string(other).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;
    use serde_json::json;
    use warmline_model::Media;

    #[test]
    fn the_table_has_every_channel_once() {
        let mut channels: Vec<_> = registry::all().into_iter().map(|c| c.channel).collect();
        channels.sort_unstable();
        let mut keys: Vec<_> = ALL.iter().map(|key| key.channel).collect();
        keys.sort_unstable();
        assert_eq!(keys, channels);
    }

    #[test]
    fn w1_what_moves_does_not_tell_messages_apart() {
        let raw = |media: &str, words: &str| json!({ "item": [{ "media_id": media, "words": words }], "media_id": media });
        let key = |content: Content| of_moving("k", &["a", "1"], &content, &["media_id"]);
        let unknown = |media, words| key(Content::Unknown { raw_kind: "x".into(), raw: raw(media, words) });
        let event = |media, words| key(Content::Event { event: "x".into(), key: None, data: raw(media, words) });
        assert_eq!((unknown("1", "a"), event("1", "a")), (unknown("2", "a"), event("2", "a")));
        assert_ne!(unknown("1", "a"), unknown("1", "b"));
        assert_ne!(event("1", "a"), event("1", "b"));
        assert_ne!(unknown("1", "a"), event("1", "a"));
    }

    #[test]
    fn what_tells_messages_apart() {
        let key = |ids: &[&str], content: &Content| of_message("k", ids, content);
        let image = |id: Option<&str>, url: &str| Content::Image {
            media: Media { id: id.map(str::to_owned), url: Some(url.to_owned()), ..Media::default() },
        };
        assert_eq!(key(&["a", "1"], &Content::text("x")), key(&["a", "1"], &Content::text("x")));
        assert_ne!(key(&["a", "1"], &Content::text("x")), key(&["b", "1"], &Content::text("x")));
        assert_ne!(key(&["a", "1"], &Content::text("x")), key(&["a", "1"], &Content::text("y")));
        assert_eq!(key(&["a"], &image(Some("m"), "u?sign=1")), key(&["a"], &image(Some("m"), "u?sign=2")));
        assert_ne!(key(&["a"], &image(None, "u1")), key(&["a"], &image(None, "u2")));
        assert_ne!(key(&["a"], &image(Some("x"), "u")), key(&["a"], &Content::text("x")));
        assert!(!key(&["oOpenId"], &Content::text("words")).contains("oOpenId"));
    }
}
