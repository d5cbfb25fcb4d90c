//! Finds the writer of a mail, and the address for replies to it.
//!
//! Nothing in a mail proves its writer. Mail services at best check the address in `From`, and anybody can write anything
//! into `Reply-To`. A `Reply-To` therefore only names the address for replies, and the message shows it. It names the
//! writer only if the brand itself declared the address in `From` as a form's or list's (`identity_from`). An undeclared
//! form or list has one customer for each `Reply-To`. These are separate from the customers who write from those addresses
//! themselves.

use super::account::{Account, is_address};
use super::header::{Address, Headers, address};

/// The text between an address and the form or list of a mail, in the id of a customer.
const VIA: &str = " (via ";

/// The writer of a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// The customer's id on this account.
    pub(super) open_id: String,
    /// The address that may identify them to others.
    pub(super) address: String,
    pub(super) name: Option<String>,
    /// The address for replies, if it is not the address in the id.
    pub(super) reply: Option<String>,
    /// Whether the brand vouches that this address writes for others.
    pub(super) form: bool,
}

/// Reads the fields of a mail and the address that sent it. `to` is the brand's address that received it.
pub(super) fn who(account: &Account, headers: &Headers, from: Address, to: Option<&str>) -> Who {
    let (address, name) = from;
    let own = |other: &str| account.from.as_deref() == Some(other) || to == Some(other);
    let reply = headers.addresses("reply-to").into_iter().find(|(reply, _)| *reply != address && !own(reply));
    // The fields in which a list that rewrites `From` names the writer.
    let original =
        ["x-original-from", "x-original-sender"].iter().find_map(|name| headers.addresses(name).into_iter().next());
    let original = original.filter(|(original, _)| *original != address && !own(original));
    let form = account.is_form(&address);
    let list = headers.has("list-id") || headers.has("x-original-from") || headers.has("x-original-sender");
    let person = original.filter(|_| list).or_else(|| reply.clone());
    let through = form || list || writes_for_nobody(&address);
    match person.filter(|_| through) {
        Some((person, said)) => {
            let open_id = if form { person.clone() } else { format!("{person}{VIA}{address})") };
            let reply = reply.map(|(reply, _)| reply).filter(|reply| *reply != person);
            Who { open_id, address: person, name: said.or(name.map(without_via)), reply, form }
        }
        None => {
            let reply = reply.map(|(reply, _)| reply);
            Who { open_id: address.clone(), address, name, reply, form }
        }
    }
}

/// Whether nobody reads mails to an address.
fn writes_for_nobody(address: &str) -> bool {
    let local: String = address.split('@').next().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    ["noreply", "donotreply", "dontreply", "nepasrepondre", "keineantwort"].iter().any(|name| local.starts_with(name))
        || local.ends_with("noreply")
}

/// Reads `'Wang' via Service`, the form of Google Groups.
fn without_via(name: String) -> String {
    let bare = name.split_once(" via ").map(|(name, _)| name.trim_matches('\'').to_owned());
    bare.filter(|name| !name.is_empty()).unwrap_or(name)
}

/// The address in a customer's id.
pub(super) fn written_to(open_id: &str) -> &str {
    open_id.split_once(VIA).map_or(open_id, |(address, _)| address)
}

/// The first address in a text that is not in `known`.
pub(super) fn other_address(text: &str, known: &[&str]) -> Option<String> {
    let stops = |c: char| {
        c.is_whitespace()
            || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | '[' | ']' | ':' | '：' | '，' | '。' | '“' | '”' | '\'')
    };
    let words = text.split(stops).filter(|word| word.contains('@') && word.len() <= 254).take(20);
    words
        .filter_map(|word| address(word.trim_matches(|c: char| !c.is_alphanumeric())))
        .map(|(address, _)| address)
        .find(|found| is_address(found) && found.contains('.') && !known.contains(&found.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::EmailAdapter;
    use super::*;
    use crate::kit::Adapter;
    use serde_json::json;

    fn account(identity_from: &[&str]) -> Account {
        let settings = json!({ "provider": "sendgrid", "from": "service@rice.example", "identity_from": identity_from });
        EmailAdapter.account(&settings.into(), &[("address_token".into(), "0123456789abcdef".into())].into()).ok().unwrap()
    }

    fn read(account: &Account, headers: &str) -> Who {
        let headers = Headers::read(headers.as_bytes());
        let from = headers.addresses("from").remove(0);
        who(account, &headers, from, Some("service@rice.example"))
    }

    #[test]
    fn w7_a_form_that_the_brand_names_writes_for_whom_its_reply_to_names() {
        let account = account(&["no-reply@shop.example", "@forms.example"]);
        for from in ["no-reply@shop.example", "Shop <contact@forms.example>"] {
            let found = read(&account, &format!("From: {from}\r\nReply-To: \"王\" <w@x.example>\r\n"));
            let name = Some("王".to_owned());
            let expected =
                Who { open_id: "w@x.example".into(), address: "w@x.example".into(), name, reply: None, form: true };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn w7_two_customers_of_one_form_are_two() {
        let account = account(&[]);
        let found = |reply: &str| read(&account, &format!("From: no-reply@shop.example\r\nReply-To: {reply}\r\n"));
        let (one, two) = (found("w@x.example"), found("z@x.example"));
        assert_ne!(one.open_id, two.open_id);
        assert_eq!(
            (written_to(&one.open_id), one.address.as_str(), one.reply.as_deref()),
            ("w@x.example", "w@x.example", None)
        );
    }

    #[test]
    fn w7_a_spoofed_reply_to_makes_nobody_another() {
        // The owner of evil.example passes every check of `From`. The victim is not the writer.
        let account = account(&["no-reply@shop.example"]);
        let victim = read(&account, "From: victim@x.example\r\n");
        for headers in [
            "From: thief@evil.example\r\nReply-To: victim@x.example\r\n",
            "From: no-reply@evil.example\r\nReply-To: victim@x.example\r\n",
            "From: thief@evil.example\r\nReply-To: victim@x.example\r\nList-Id: <l.evil.example>\r\n",
            "From: thief@evil.example\r\nX-Original-From: victim@x.example\r\n",
        ] {
            assert_ne!(read(&account, headers).open_id, victim.open_id, "{headers}");
        }
        let other = read(&account, "From: w@x.example\r\nReply-To: Home <w@home.example>\r\n");
        assert_eq!((other.open_id.as_str(), other.reply.as_deref()), ("w@x.example", Some("w@home.example")));
    }

    #[test]
    fn w7_mails_through_a_google_group() {
        let found = read(
            &account(&["service-group@rice.example"]),
            "From: \"'Wang' via Service\" <service-group@rice.example>\r\nReply-To: Wang <w@x.example>\r\n\
             X-Original-From: Wang <w@x.example>\r\nList-ID: <service-group.rice.example>\r\n",
        );
        assert_eq!((found.open_id.as_str(), found.name.as_deref(), found.reply), ("w@x.example", Some("Wang"), None));
        let own = read(&account(&[]), "From: w@x.example\r\nReply-To: service@rice.example\r\n");
        assert_eq!((own.open_id.as_str(), own.reply), ("w@x.example", None), "never to ourselves");
    }

    #[test]
    fn addresses_in_a_notice() {
        assert_eq!(
            other_address("无法投递到 nobody-r2@qq.example，请检查", &["s@r.example"]).as_deref(),
            Some("nobody-r2@qq.example")
        );
        assert_eq!(other_address("<s@r.example>: x", &["s@r.example"]), None);
    }
}
