//! Sources of messages that Warmline fetches: their due times, their leases, and their cursors.

use crate::db::{Db, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// A claimed source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The account.
    pub account: AccountId,
    /// The source's name.
    pub source: String,
    /// Whether it is polled.
    pub polled: bool,
    /// The place where the last page ended.
    pub cursor: Option<String>,
    /// The token of the newest hint, while it is valid.
    pub token: Option<String>,
    /// The number of hints at the time of the claim.
    pub hints: i64,
    /// Failures in a row before this turn.
    pub attempts: i64,
}

/// The end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The time of the next question; `None` waits for a hint.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// The reason of the failure, as a code.
    pub problem: Option<&'static str>,
    /// Whether there was more to read. The hint's token then stays valid for the rest.
    pub more: bool,
}

const POLL: &str = "INSERT INTO pulls (channel, account, source, polled, due_at) VALUES (?1, ?2, ?3, 1, ?4) \
                    ON CONFLICT (channel, account, source) DO UPDATE SET polled = 1, due_at = coalesce(due_at, ?4)";
const UNPOLL: &str =
    "UPDATE pulls SET polled = 0, due_at = NULL WHERE channel = ?1 AND account = ?2 AND lease_owner IS NULL";
const HINT: &str = "INSERT INTO pulls (channel, account, source, polled, hints, due_at, token, token_until) \
                    VALUES (?1, ?2, ?3, 0, 1, ?4, ?5, ?6) \
                    ON CONFLICT (channel, account, source) DO UPDATE SET hints = hints + 1, \
                    token = coalesce(?5, token), token_until = CASE WHEN ?5 IS NULL THEN token_until ELSE ?6 END, \
                    due_at = CASE WHEN lease_owner IS NULL THEN ?4 ELSE due_at END";
// Sources of disabled accounts stay as they are; when the account is enabled, they continue from there.
const CLAIM: &str = "UPDATE pulls SET lease_owner = ?2, due_at = ?3 WHERE (channel, account, source) IN ( \
                       SELECT channel, account, source FROM pulls p WHERE p.channel = ?1 AND p.due_at <= ?4 \
                       AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.channel = p.channel AND a.account = p.account \
                                       AND a.disabled_at IS NOT NULL) ORDER BY p.due_at LIMIT ?5) \
                     RETURNING account, source, polled, cursor, hints, attempts, CASE WHEN token_until > ?4 THEN token END";
const ADVANCE: &str = "UPDATE pulls SET cursor = coalesce(?5, cursor), due_at = ?6 \
                       WHERE channel = ?1 AND account = ?2 AND source = ?3 AND lease_owner = ?4 RETURNING 1";
// A token serves the turn for which its hint came, and that turn's repeats, unless the token itself was refused.
const END: &str = "UPDATE pulls SET lease_owner = NULL, attempts = ?7, problem = ?8, asked_at = ?9, \
                   token = CASE WHEN hints > ?5 OR ?10 OR (?8 IS NOT NULL AND ?8 <> 'hint_refused') THEN token END, \
                   due_at = CASE WHEN hints > ?5 AND ?8 IS NULL THEN ?9 ELSE ?6 END \
                   WHERE channel = ?1 AND account = ?2 AND source = ?3 AND lease_owner = ?4";
const DUE: &str = "SELECT DISTINCT channel FROM pulls p WHERE p.due_at <= ?1 AND NOT EXISTS (SELECT 1 FROM accounts a \
                   WHERE a.channel = p.channel AND a.account = p.account AND a.disabled_at IS NOT NULL)";
const OF_ACCOUNT: &str = "SELECT source, polled, cursor, due_at, asked_at, attempts, problem FROM pulls \
                          WHERE channel = ?1 AND account = ?2 ORDER BY source";
const PROBLEMS: &str =
    "SELECT source, problem FROM pulls WHERE channel = ?1 AND account = ?2 AND problem IS NOT NULL ORDER BY source";

/// Sets the polled sources of an account. Runs in the caller's transaction.
pub fn set_polled(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    sources: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    db.execute(UNPOLL, &[channel.as_str().into(), account.as_str().into()])?;
    for source in sources {
        db.execute(POLL, &[channel.as_str().into(), account.as_str().into(), source.as_str().into(), now.into()])?;
    }
    Ok(())
}

/// A token from a hint, and its end.
#[derive(Clone, Copy)]
pub struct HintToken<'a> {
    /// The platform's token. It reveals no customer, and works only together with the account's own access token.
    pub token: &'a str,
    /// The time at which it ends.
    pub until: Timestamp,
}

/// Notes that a source has something new.
pub fn hint(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    source: &str,
    token: Option<HintToken<'_>>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (token, until) = (token.map(|t| t.token), token.map(|t| t.until));
    let params = [channel.as_str().into(), account.as_str().into(), source.into(), now.into(), token.into(), until.into()];
    db.execute(HINT, &params)?;
    Ok(())
}

/// Claims due sources of a channel until `until`.
pub fn claim(
    db: &dyn Db,
    channel: &Channel,
    owner: &[u8; 16],
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = db.execute(CLAIM, &[channel.as_str().into(), owner.into(), until.into(), now.into(), limit.into()])?;
    rows.iter()
        .map(|r| {
            Ok(Claimed {
                account: AccountId::new(r.text(0)?).map_err(|_| StoreError::Shape(0))?,
                source: r.text(1)?.to_owned(),
                polled: r.int(2)? != 0,
                cursor: r.opt_text(3)?.map(str::to_owned),
                hints: r.int(4)?,
                attempts: r.int(5)?,
                token: r.opt_text(6)?.map(str::to_owned),
            })
        })
        .collect()
}

/// Moves a claimed source's cursor and prolongs its lease. Returns false if the lease has run out and another fetcher has
/// it. In the transaction that stores the page, it proves that nobody else stores the page.
pub fn advance(
    db: &dyn Db,
    channel: &Channel,
    claimed: &Claimed,
    owner: &[u8; 16],
    cursor: Option<&str>,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let key = [channel.as_str().into(), claimed.account.as_str().into(), claimed.source.as_str().into(), owner.into()];
    let [channel, account, source, owner] = key;
    Ok(db.first(ADVANCE, &[channel, account, source, owner, cursor.into(), until.into()])?.is_some())
}

/// Releases a claimed source.
pub fn end(
    db: &dyn Db,
    channel: &Channel,
    claimed: &Claimed,
    owner: &[u8; 16],
    end: End,
    now: Timestamp,
) -> Result<(), StoreError> {
    db.execute(
        END,
        &[
            channel.as_str().into(),
            claimed.account.as_str().into(),
            claimed.source.as_str().into(),
            owner.into(),
            claimed.hints.into(),
            end.due_at.into(),
            end.attempts.into(),
            end.problem.into(),
            now.into(),
            i64::from(end.more).into(),
        ],
    )?;
    Ok(())
}

/// Channels with a source that is due.
pub fn due_channels(db: &dyn Db, now: Timestamp) -> Result<Vec<String>, StoreError> {
    db.execute(DUE, &[now.into()])?.iter().map(|r| Ok(r.text(0)?.to_owned())).collect()
}

/// The sources of an account whose last request failed, and the reasons.
pub fn problems(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Vec<(String, String)>, StoreError> {
    let rows = db.execute(PROBLEMS, &[channel.as_str().into(), account.as_str().into()])?;
    rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned()))).collect()
}

/// The state of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub source: String,
    /// Whether it is polled; otherwise it is asked only when a webhook says that it holds something.
    pub polled: bool,
    /// The place where the last page ended.
    pub cursor: Option<String>,
    /// The time of the next question; `None` if it waits for a webhook.
    pub due_at: Option<Timestamp>,
    /// The time of the last question.
    pub asked_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// The reason why it could not be asked the last time, as a code.
    pub problem: Option<String>,
}

/// An account's sources.
pub fn of_account(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Vec<Source>, StoreError> {
    let rows = db.execute(OF_ACCOUNT, &[channel.as_str().into(), account.as_str().into()])?;
    rows.iter()
        .map(|r| {
            Ok(Source {
                source: r.text(0)?.to_owned(),
                polled: r.flag(1)?,
                cursor: r.opt_text(2)?.map(str::to_owned),
                due_at: r.opt_time(3)?,
                asked_at: r.opt_time(4)?,
                attempts: r.int(5)?,
                problem: r.opt_text(6)?.map(str::to_owned),
            })
        })
        .collect()
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;
    use crate::migrate;
    use crate::native::NativeDb;

    #[test]
    fn f2_a_hints_token_serves_while_it_is_fresh() {
        let db = NativeDb::memory().unwrap();
        migrate(&db).unwrap();
        let (channel, account) = (Channel::new("wecom").unwrap(), AccountId::new("main").unwrap());
        let at = Timestamp::from_millis;
        let hinted = |token: Option<&str>, now| {
            let token = token.map(|token| HintToken { token, until: at(now + 600_000) });
            hint(&db, &channel, &account, "wk1", token, at(now)).unwrap();
        };
        let owner = [1; 16];
        let claimed = |now| claim(&db, &channel, &owner, at(now), at(now + 20_000), 8).unwrap().remove(0);
        let ended = |turn: &Claimed, problem: Option<&'static str>, due: Option<i64>, now| {
            let with = End { due_at: due.map(at), attempts: 0, problem, more: false };
            end(&db, &channel, turn, &owner, with, at(now)).unwrap();
        };
        hinted(Some("T1"), 0);
        let turn = claimed(1);
        assert_eq!(turn.token.as_deref(), Some("T1"));
        // The platform could not be reached, so the same token serves the next try.
        ended(&turn, Some("platform_unavailable"), Some(10), 5);
        let turn = claimed(10);
        assert_eq!(turn.token.as_deref(), Some("T1"));
        // The token itself was refused, so the next try uses none.
        ended(&turn, Some("hint_refused"), Some(20), 15);
        let turn = claimed(20);
        assert_eq!(turn.token, None);
        ended(&turn, None, None, 25);
        // A hint that comes during a turn brings a token for the next turn. The used token is gone.
        hinted(Some("T2"), 30);
        let turn = claimed(31);
        hinted(Some("T3"), 32);
        ended(&turn, None, None, 33);
        let turn = claimed(34);
        assert_eq!(turn.token.as_deref(), Some("T3"));
        ended(&turn, None, Some(40), 35);
        assert_eq!(claimed(40).token, None);
        // After ten minutes the token is no longer valid.
        hinted(Some("T4"), 100_000);
        assert_eq!(claimed(800_000).token, None);
    }
}
