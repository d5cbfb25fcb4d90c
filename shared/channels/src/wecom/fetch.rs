//! Fetching 微信客服's messages (`/cgi-bin/kf/sync_msg`), page by page from the stored cursor. A page may be empty and yet have
//! another after it, so only `has_more` says whether to continue. The platform keeps messages for three days.

use super::account::Account;
use super::kf;
use super::{WecomAdapter, api, app};
use crate::answers;
use crate::json;
use crate::kit::{ApiRequest, ApiResponse, Asked, Call, Hint, Outcome, Page, Pull, Undeliverable, Verified};
use crate::requests::post_json;
use crate::wx::api::url;
use serde_json::json;
use warmline_model::Timestamp;

/// Entries of one page. The platform gives up to 1,000, but that answer would be longer than the limit of a read.
const LIMIT: u32 = 50;

/// The number of entries to ask for: [`LIMIT`], and sometimes fewer. A forwarded chat can be so long that even a short page
/// exceeds the limit of a read. The same request would then fail for ever, and no messages would come. Each try is
/// therefore a little different.
fn limit(nonce: &[u8; 16]) -> u32 {
    match nonce[0] % 16 {
        0 => 1,
        1 => 10,
        _ => LIMIT,
    }
}

/// The longest cursor kept. The platform's have up to 64 bytes.
const MAX_CURSOR: usize = 256;

/// Without the callback's token the platform accepts far fewer requests.
fn request(
    account: &Account,
    source: &str,
    cursor: Option<&str>,
    token: Option<&str>,
    call: &Call<'_>,
) -> Result<ApiRequest, Undeliverable> {
    let mut body = json!({ "limit": limit(call.nonce), "voice_format": 0, "open_kfid": source });
    for (name, value) in [("cursor", cursor), ("token", token)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let url = url(&account.api_base, "/cgi-bin/kf/sync_msg", api::token(account, call)?);
    Ok(post_json(url, body.to_string()))
}

impl Pull for WecomAdapter {
    type Account = Account;

    fn hinted(&self, _account: &Account, body: &Verified) -> Vec<Hint> {
        app::hinted(body.body()).into_iter().collect()
    }

    fn request(
        &self,
        account: &Account,
        source: &str,
        cursor: Option<&str>,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable> {
        request(account, source, cursor, None, call)
    }

    fn request_hinted(
        &self,
        account: &Account,
        source: &str,
        cursor: Option<&str>,
        token: &str,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable> {
        request(account, source, cursor, Some(token), call)
    }

    fn read(&self, _account: &Account, asked: &Asked<'_>, answer: &ApiResponse<'_>) -> Result<Page, Outcome> {
        answers::check_status(answer.status)?;
        let list = json::list(answer.body, json::MAX_BYTES, &["msg_list"]);
        let list = list.map_err(|_| Outcome::Retry("answer_unreadable"))?;
        let page = &list.outer;
        match page["errcode"].as_i64() {
            Some(0) => {}
            Some(code) => return Err(api::failure(code)),
            None => return Err(Outcome::Retry("answer_unreadable")),
        }
        let cursor = page["next_cursor"].as_str().filter(|c| !c.is_empty() && c.len() <= MAX_CURSOR).map(str::to_owned);
        // Without a cursor the next page would be this one again.
        let more = page["has_more"].as_i64() == Some(1) && cursor.is_some();
        let mut at = Timestamp::from_secs(0);
        let (entries, odd) = list.read(|_, entry| {
            let Some(inbound) = kf::read(&entry, asked.source, at)? else { return Ok(None) };
            at = inbound.at;
            Ok(Some([kf::menu_answer(&entry, &inbound), Some(inbound)]))
        });
        let messages = entries.into_iter().flatten().flatten().collect();
        Ok(Page { messages, odd, cursor, more, receipts: Vec::new() })
    }
}
