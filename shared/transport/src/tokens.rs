//! What is kept of platforms' access tokens in the key-value store: the token, sealed, and why none was given. Losing it costs one call.

use serde::{Deserialize, Serialize};
use warmline_kernel::ctx::Ctx;
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_privacy::Purpose;
use warmline_store::Kv;

/// A token as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The token.
    pub value: String,
    /// When another one is to be fetched, in milliseconds since 1970.
    pub renew_at: i64,
    /// When it ends.
    pub ends_at: i64,
}

/// Why the platform gave no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable code.
    pub reason: String,
    /// When it was asked.
    pub at: i64,
    /// Until when nobody asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// Where the token of an account is kept.
pub struct Place<'a> {
    kv: &'a dyn Kv,
    key: String,
}

impl<'a> Place<'a> {
    /// The account's place.
    pub fn of(ctx: &Ctx<'a>, channel: &str, account: &AccountId) -> Self {
        Self { kv: ctx.kv, key: format!("token/{channel}/{account}") }
    }

    /// Its name, which also names the lease of whoever fetches one.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn problem_key(&self) -> String {
        format!("{}/problem", self.key)
    }

    /// The token that is kept.
    pub fn get(&self, ctx: &Ctx<'_>) -> Option<Kept> {
        let sealed = self.kv.get(&self.key)?;
        let plain = ctx.keys.purpose(Purpose::PlatformTokens).open(self.key.as_bytes(), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Keeps a token, if it can.
    pub fn put(&self, ctx: &Ctx<'_>, token: &Kept) {
        if let Ok(plain) = serde_json::to_vec(token)
            && let Ok(sealed) = ctx.keys.purpose(Purpose::PlatformTokens).seal(self.key.as_bytes(), &plain, ctx.rng)
        {
            self.kv.set(&self.key, &sealed);
        }
        self.kv.delete(&self.problem_key());
    }

    /// Notes that the platform gave none, and until when nobody asks again.
    pub fn failed(&self, reason: &str, now: Timestamp, until: Option<Timestamp>) {
        let problem = Problem { reason: reason.to_owned(), at: now.millis(), until: until.map(Timestamp::millis) };
        if let Ok(text) = serde_json::to_vec(&problem) {
            self.kv.set(&self.problem_key(), &text);
        }
    }

    /// Why none was given the last time; nothing where one was.
    pub fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.kv.get(&self.problem_key())?).ok()
    }

    /// Drops all that is kept of the account.
    pub fn forget(&self) {
        self.kv.delete(&self.key);
        self.kv.delete(&self.problem_key());
    }
}

/// Drops an account's token: it was given for secrets that change now.
pub fn forget(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) {
    Place::of(ctx, channel.as_str(), account).forget();
}
