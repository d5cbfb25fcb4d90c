//! Platforms' access tokens in the key-value store: each token, sealed, and why none was given. Losing an entry costs one
//! call.

use serde::{Deserialize, Serialize};
use warmline_kernel::ctx::Ctx;
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_privacy::Purpose;
use warmline_store::Kv;

/// A token, as stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The token.
    pub value: String,
    /// When to fetch another one, in milliseconds since 1970.
    pub renew_at: i64,
    /// When it expires, in milliseconds since 1970.
    pub ends_at: i64,
}

/// Why the platform gave no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable code.
    pub reason: String,
    /// When the platform was asked, in milliseconds since 1970.
    pub at: i64,
    /// Until when nobody asks again, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// The place of an account's token.
pub struct Place<'a> {
    kv: &'a dyn Kv,
    key: String,
}

impl<'a> Place<'a> {
    /// The account's place.
    pub fn of(ctx: &Ctx<'a>, channel: &str, account: &AccountId) -> Self {
        Self { kv: ctx.kv, key: format!("token/{channel}/{account}") }
    }

    /// The key. It also names the lease of the component that fetches a token.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn problem_key(&self) -> String {
        format!("{}/problem", self.key)
    }

    /// The stored token.
    pub fn get(&self, ctx: &Ctx<'_>) -> Option<Kept> {
        let sealed = self.kv.get(&self.key)?;
        let plain = ctx.keys.purpose(Purpose::PlatformTokens).open(self.key.as_bytes(), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Stores a token. If that fails, the next reader fetches one.
    pub fn put(&self, ctx: &Ctx<'_>, token: &Kept) {
        if let Ok(plain) = serde_json::to_vec(token)
            && let Ok(sealed) = ctx.keys.purpose(Purpose::PlatformTokens).seal(self.key.as_bytes(), &plain, ctx.rng)
        {
            self.kv.set(&self.key, &sealed);
        }
        self.kv.delete(&self.problem_key());
    }

    /// Notes that the platform gave no token, and until when nobody asks again.
    pub fn failed(&self, reason: &str, now: Timestamp, until: Option<Timestamp>) {
        let problem = Problem { reason: reason.to_owned(), at: now.millis(), until: until.map(Timestamp::millis) };
        if let Ok(text) = serde_json::to_vec(&problem) {
            self.kv.set(&self.problem_key(), &text);
        }
    }

    /// Why the platform gave no token the last time; `None` if it gave one.
    pub fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.kv.get(&self.problem_key())?).ok()
    }

    /// Drops everything stored for the account.
    pub fn forget(&self) {
        self.kv.delete(&self.key);
        self.kv.delete(&self.problem_key());
    }
}

/// Drops an account's token. Call it when the account's secrets change, since the token was issued for the old ones.
pub fn forget(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) {
    Place::of(ctx, channel.as_str(), account).forget();
}
