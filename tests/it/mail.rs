//! Mails as providers post them, through the runner and the real component.

use crate::harness::{Answer, Shop, send, until};
use serde_json::{Value, json};
use warmline_channels::email::sign;

const TOKEN: &str = "email-address-token-0001";

/// A shop with a mail account that receives raw mails.
fn mailbox() -> Shop {
    let shop = Shop::open();
    let settings = json!({ "provider": "sendgrid", "api_base": shop.platform.url(), "from": "service@rice.example" });
    shop.connect("email", settings, &json!({ "address_token": TOKEN, "api_key": "SG.key" }));
    shop
}

/// A raw mail in the form that SendGrid posts.
fn posted(shop: &Shop, mail: &str) -> Answer {
    let (kind, body) = sign::multipart(&[("email", mail.as_bytes())], &[]);
    let url = format!("{}/channels/email/{}/{TOKEN}", shop.base, shop.name);
    send("POST", &url, &[("content-type", kind)], body)
}

/// A mail with a photo of this many bytes between two parts of text, as telephones write it.
fn with_photo(id: &str, bytes: usize) -> String {
    let line = "/9j4AAQSkZJRgABAQAASABIAAD/4QBMRXhpZgAATU0AKgAAAAgAAYdpAAQAAAABAAAAGgAAAAAAA6ABAAMA\r\n";
    let photo = line.repeat(bytes * 4 / 3 / (line.len() - 2) + 1);
    format!(
        "From: wang@mail.example\r\nTo: service@rice.example\r\nSubject: photo\r\nMessage-ID: <{id}@mail.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; \
         charset=utf-8\r\n\r\n米里有虫 {id}\r\n--x\r\nContent-Type: image/jpeg; name=bug.jpg\r\nContent-Transfer-Encoding: \
         base64\r\n\r\n{photo}--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n请打12315给我\r\n--x--\r\n"
    )
}

#[test]
fn w19_a_mail_with_a_large_photo_keeps_its_text_and_names_the_photo() {
    let shop = mailbox();
    for (id, mebibytes) in [("small", 1), ("large", 18)] {
        posted(&shop, &with_photo(id, mebibytes << 20)).expect(200);
        let words = format!("米里有虫 {id}");
        let is_it = |m: &Value| m["content"]["text"].as_str().is_some_and(|text| text.contains(&words));
        let (conversation, message) =
            until(&words, || shop.said_on("email", &shop.name).find(|(_, message)| is_it(message)));
        let text = message["content"]["text"].as_str().unwrap();
        assert!(text.contains("请打12315给我"), "{text}");
        let told = shop.messages(&conversation).into_iter().filter(|m| m["content"]["kind"] == "file");
        let names: Vec<_> = told.map(|m| m["content"]["media"]["name"].clone()).collect();
        assert!(names.contains(&json!("bug.jpg")), "{names:?}");
    }
    // Beyond the limit in the table of capabilities it is refused, and the provider informs the writer.
    posted(&shop, &with_photo("huge", 40 << 20)).refused(413, "body_too_large");
}
