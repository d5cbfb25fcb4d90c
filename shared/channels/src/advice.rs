//! What to look at when an account's webhooks are refused, for whoever connects it: by the refusal's code. Nothing here comes from the
//! refused request but by how much its clock is off.

/// One sentence, or a few. `proof` names the settings and secrets that the channel's webhooks are proved with
/// ([`crate::Adapter::proof`]); `ahead_secs` is by how much the signed time is ahead of ours.
pub fn advice(code: &str, ahead_secs: Option<i64>, proof: &str) -> String {
    match code {
        "signature_missing" => format!(
            "the request is not signed: check that the platform is the one that calls, that its console has what stands in \
             {proof}, and that no proxy drops the query or headers"
        ),
        "signature_wrong" => format!(
            "compare {proof} with what the platform's console shows, and check that no proxy changes the body, the query or the \
             address"
        ),
        "stale" => stale(ahead_secs),
        "token_expired" => "the client's token has ended: check that the client asks for a new one, and its issuer's clock".into(),
        "claims_wrong" => "the client's token lacks a claim or has a wrong one: the answer to the client names it".into(),
        "undecryptable" => format!("the key does not fit: compare {proof} with what the platform's console shows"),
        "wrong_recipient" => {
            "the message is addressed to another app, company or shop: compare the account's app id (or corp id, mall id, \
             seller id) with what the platform's console shows"
                .into()
        }
        "wrong_mode" => {
            "the platform sends another mode (plain or safe) than the account takes: make `mode`, or the key that the mode \
             needs, the same on both sides"
                .into()
        }
        "malformed" => {
            "the body is not what the platform's documents say: check that it is the platform that calls, and that its console \
             names this channel's address and format"
                .into()
        }
        "origin_denied" => "add the page's origin to the setting `origins`".into(),
        "text_too_long" => "the client sends a longer text than the channel takes: let the client cut or refuse it".into(),
        "not_found" => {
            "the call is for another path or method than the webhook's: the platform's console takes \
             `/channels/<channel>/<account>` and nothing behind it"
                .into()
        }
        "unknown_account" => {
            "no account of this name is connected: compare the address in the platform's console with `GET /api/accounts`".into()
        }
        "account_disabled" => {
            "the account is disabled: `POST /api/accounts/{channel}/{account}/enable`, or take the address out of the \
             platform's console"
                .into()
        }
        "account_unfit" => {
            "the stored settings or secrets do not fit this version: the account's health says which; store them anew".into()
        }
        "too_many_sessions" => {
            "more strangers came in a minute than `new_sessions_per_minute` allows: raise it if they are customers".into()
        }
        "too_many_waiting" => {
            "more strangers wait than `most_waiting` allows: put agents on the account's group, or raise it".into()
        }
        _ => "docs/CHANNELS.md says what the channel's webhooks look like".into(),
    }
}

fn stale(ahead_secs: Option<i64>) -> String {
    let size = match ahead_secs {
        Some(secs) if secs < 0 => format!("{} s behind this server's clock", secs.unsigned_abs()),
        Some(secs) => format!("{secs} s ahead of this server's clock"),
        None => "too far from this server's clock".to_owned(),
    };
    format!(
        "the signed time is {size}: check the clocks of both sides (time synchronisation), or `max_age_secs`; an old request that is sent again looks the same"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [&str; 16] = [
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
        assert!(advice("stale", None, "").contains("too far from this server's clock"));
    }
}
