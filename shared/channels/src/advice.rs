//! Advice for the administrator of an account whose webhooks are refused, by the refusal's code. Nothing here comes from
//! the refused request but its clock error.

/// A sentence of advice. `proof` names the settings and secrets that verify the channel's webhooks
/// ([`crate::Adapter::proof`]). `ahead_secs` is the time by which the signed time is ahead of ours. Every adapter links
/// this, so it is short.
pub fn advice(code: &str, ahead_secs: Option<i64>, proof: &str) -> String {
    let text = text(code);
    match (code, ahead_secs) {
        ("signature_missing" | "signature_wrong" | "undecryptable", _) => {
            format!("compare {proof} with what the caller has (a platform shows it in its console); {text}")
        }
        ("stale", Some(secs)) => {
            let way = if secs < 0 { "behind" } else { "ahead of" };
            format!("the signed time is {} s {way} this server's clock: {text}", secs.unsigned_abs())
        }
        _ => text.to_owned(),
    }
}

fn text(code: &str) -> &'static str {
    match code {
        "signature_missing" => {
            "nothing in the call proves its sender: it may be a stranger's, or a proxy drops query or headers"
        }
        "signature_wrong" => "no proxy may change body, query or address",
        "undecryptable" => "the key does not fit",
        "stale" => "check both clocks, or `max_age_secs`; an old request sent again looks the same",
        "token_expired" => "the client's token has ended: it must get a new one; check its issuer's clock",
        "claims_wrong" => "a claim of the client's token is wrong: the answer names it",
        "wrong_recipient" => {
            "it is for another app, company or shop: check the account's app id (corp id, mall id, seller id)"
        }
        "wrong_mode" => "the platform sends another mode (plain, safe) than the account takes: check `mode` and its key",
        "malformed" => {
            "the body is not this channel's: check the caller and the format (docs/CHANNELS.md; a platform may have a choice in its console)"
        }
        "origin_denied" => "add the page's origin to `origins`",
        "text_too_long" => "the client must cut or refuse texts as long as this",
        "too_many_items" => "the caller must send fewer items at once",
        "not_found" => {
            "the address is `/channels/<channel>/<account>`, and behind it only what docs/CHANNELS.md names for the channel: the secret `address_token`, or the calls of the app and of web chat"
        }
        "unknown_account" => "compare the address that is called with `GET /api/accounts`",
        "account_disabled" => "enable the account, or take its address out where it is called from",
        "account_unfit" => "stored settings do not fit this version: the account's health says which",
        "body_encoded" => "the caller or a proxy compresses bodies: turn that off",
        "too_many_sessions" => "raise `new_sessions_per_minute` if they are customers",
        "too_many_waiting" => "put agents on the account's group, or raise `most_waiting`",
        _ => "docs/CHANNELS.md says what the channel's webhooks look like",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [&str; 18] = [
        "body_encoded",
        "signature_missing",
        "signature_wrong",
        "stale",
        "token_expired",
        "claims_wrong",
        "undecryptable",
        "wrong_recipient",
        "wrong_mode",
        "malformed",
        "origin_denied",
        "text_too_long",
        "too_many_items",
        "not_found",
        "unknown_account",
        "account_disabled",
        "too_many_sessions",
        "too_many_waiting",
    ];

    #[test]
    fn newcomer_every_refusal_says_what_to_check() {
        let mut all: Vec<String> = CODES.iter().map(|code| advice(code, None, "the secret `token`")).collect();
        assert!(all.iter().all(|text| !text.contains('\n') && text.len() < 300), "one line each");
        assert!(all[1].contains("the secret `token`"));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), CODES.len(), "each its own");
        assert_eq!(advice("yet_another", None, ""), "docs/CHANNELS.md says what the channel's webhooks look like");
    }

    #[test]
    fn newcomer_a_clock_that_is_off_is_told_by_how_much_and_which_way() {
        assert!(advice("stale", Some(-7200), "").contains("7200 s behind this server's clock"));
        assert!(advice("stale", Some(301), "").contains("301 s ahead of this server's clock"));
        assert!(advice("stale", Some(i64::MIN), "").contains("9223372036854775808 s behind"));
        assert!(advice("stale", None, "").starts_with("check both clocks"));
    }
}
